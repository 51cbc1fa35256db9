//! Fifty processes on one state at once.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::bed::{Cloud, Ended, Operator, side_by_side};

/// How many there are, all at the same time.
const PROCESSES: usize = 50;
/// The names that they share.
const NAMES: usize = 8;
/// Within this all of them are at their ends.
const LIMIT: Duration = Duration::from_secs(180);

#[test]
fn fifty_processes_share_one_state() {
    let cloud = Cloud::up(1, "").unwrap();
    let operator = cloud.operator().unwrap();
    // of every other name there is one already, or whoever destroys comes too early
    let there: Vec<String> = (0..NAMES).step_by(2).map(name).collect();
    let there: Vec<&str> = there.iter().map(String::as_str).collect();
    operator.ok(&[&["deploy", "--yes"], there.as_slice()].concat()).unwrap();
    let until = Instant::now() + LIMIT;
    let played = side_by_side(PROCESSES, (0..PROCESSES).map(command).collect(), |words| {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        operator.start(&words, &[])?.end(until.saturating_duration_since(Instant::now()))
    });
    let wrong: Vec<String> = played.iter().filter_map(|(_, ended)| complaint(ended)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let well =
        |verb: &str| played.iter().filter(|(command, ended)| command[0] == verb && is_well(ended)).count();
    assert!(well("deploy") >= NAMES, "{} deploys have succeeded", well("deploy"));
    assert!(well("destroy") > 0, "no destroy has succeeded");

    operator.ok(&["state", "check"]).unwrap();
    operator.ok(&["reconcile", "--apply", "--yes"]).unwrap();
    let calm = operator.run(&["reconcile"], &[]).unwrap();
    assert!(calm.code == Some(0) && calm.stderr.ends_with("no drift\n"), "{calm}");
    assert_eq!(by_the_state(&operator), in_the_cloud(&operator));
    assert_eq!(operator.doubles().unwrap(), Vec::<String>::new());

    operator.ok(&["destroy", "--all", "--yes"]).unwrap();
    operator.clean_slate().unwrap();
}

fn name(number: usize) -> String {
    format!("user{}", number % NAMES)
}

/// What the process with this number runs: of ten processes five deploy, two of them two instances.
fn command(number: usize) -> Vec<String> {
    match number % 10 {
        0 | 5 => vec!["deploy".to_owned(), name(number / 5), name(number / 5 + 1), "--yes".to_owned()],
        1 | 2 | 6 => vec!["deploy".to_owned(), name(number), "--yes".to_owned()],
        3 | 7 => vec!["show".to_owned(), name(number)],
        4 | 8 => vec!["destroy".to_owned(), name(number / 2), "--yes".to_owned()],
        _ => vec!["list".to_owned()],
    }
}

/// What is wrong with how a command ended: it may have been refused, or met others at work, and must have said so.
fn complaint(ended: &anyhow::Result<Ended>) -> Option<String> {
    match ended {
        Err(error) => Some(format!("{error:#}")),
        Ok(ended) => {
            let documented = matches!(ended.code, Some(0..=2));
            let bad = ["database is locked", "panicked"].iter().any(|word| ended.stderr.contains(word));
            (bad || !documented).then(|| ended.to_string())
        }
    }
}

fn is_well(ended: &anyhow::Result<Ended>) -> bool {
    ended.as_ref().is_ok_and(|ended| ended.code == Some(0))
}

/// The servers that the state knows, by instance.
fn by_the_state(operator: &Operator<'_>) -> BTreeMap<String, u64> {
    let list: Value = serde_json::from_str(&operator.ok(&["list", "--json"]).unwrap()).unwrap();
    let server =
        |row: &Value| (row["name"].as_str().unwrap().to_owned(), row["server"]["id"].as_u64().unwrap());
    list.as_array().unwrap().iter().map(server).collect()
}

/// The servers that there are, by instance.
fn in_the_cloud(operator: &Operator<'_>) -> BTreeMap<String, u64> {
    let servers = operator.all("/servers", "servers").unwrap();
    let name = |server: &Value| server["labels"]["instance"].as_str().unwrap().to_owned();
    let named: BTreeMap<String, u64> =
        servers.iter().map(|server| (name(server), server["id"].as_u64().unwrap())).collect();
    assert_eq!(servers.len(), named.len(), "two servers of one instance: {servers:?}");
    named
}
