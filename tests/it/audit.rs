//! `audit` of scripted hosts: what it answers, and what it makes of hosts that cannot be asked. The breaks of real ones are in
//! `machines/audit.rs`.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;

use clawberth::model::audit::Promise;
use serde_json::{Value, json};

use crate::bed::{Cloud, Operator};

/// On loopback addresses this computer's own services answer, too, and over IPv6 nobody does.
const OF_THIS_COMPUTER: [&str; 2] = ["tcp4", "tcp6"];

/// The promises that do not hold, of each instance.
fn broken(answer: &str) -> BTreeSet<String> {
    let answer: Value = serde_json::from_str(answer).unwrap();
    let mut broken = BTreeSet::new();
    for instance in answer["instances"].as_array().unwrap() {
        for finding in instance["promises"].as_array().unwrap() {
            let word = |key: &str| finding[key].as_str().unwrap();
            if word("verdict") != "ok" && !OF_THIS_COMPUTER.contains(&word("promise")) {
                broken.insert(format!("{} {}", instance["name"].as_str().unwrap(), word("promise")));
            }
        }
    }
    broken
}

fn deploy(operator: &Operator<'_>, names: &[&str]) {
    operator.ok(&[&["deploy"], names, &["--yes"]].concat()).unwrap();
}

#[test]
fn each_promise_is_a_line_with_what_shows_it() {
    let cloud = Cloud::up(1, "").unwrap();
    let operator = cloud.operator().unwrap();
    deploy(&operator, &["alice", "bob"]);
    let ended = operator.run(&["audit", "alice", "--json"], &[]).unwrap();
    let answer: Value = serde_json::from_str(&ended.stdout).unwrap();
    let words = answer["instances"][0]["promises"].as_array().unwrap().iter();
    let words: Vec<&str> = words.map(|finding| finding["promise"].as_str().unwrap()).collect();
    let all: Vec<&str> = Promise::ALL.iter().map(|promise| promise.word()).collect();
    assert_eq!(words, all, "each one, once, in their order");
    assert_eq!(broken(&ended.stdout), BTreeSet::new());

    let text = operator.run(&["audit"], &[]).unwrap();
    assert!(text.stdout.starts_with("NAME   VERDICT  PROMISE"), "{text}");
    for name in ["alice", "bob"] {
        assert_eq!(text.stdout.lines().filter(|line| line.starts_with(name)).count(), all.len(), "{text}");
    }
    assert!(text.stderr.starts_with(&format!("{} promises of 2 instances: ", 2 * all.len())), "{text}");
}

#[test]
fn what_was_changed_at_hetzner_is_seen() {
    let cloud = Cloud::up(1, "").unwrap();
    let operator = cloud.operator().unwrap();
    deploy(&operator, &["alice"]);
    let server = operator.all("/servers", "servers").unwrap().remove(0);
    let path = format!("/servers/{}", server["id"]);
    operator.api.ask("PUT", &path, Some(&json!({ "labels": { "team": "red" } }))).unwrap();
    let ended = operator.run(&["audit", "--json"], &[]).unwrap();
    assert_eq!(broken(&ended.stdout), BTreeSet::from(["alice dedicated".to_owned()]));
    assert_eq!(ended.code, Some(1), "{ended}");
}

#[test]
fn a_host_that_shows_another_key_is_asked_nothing() {
    let cloud = Cloud::up(1, "[[fault]]\nkind = 'wrong_host_key'\nhosts = '*-bob'\n").unwrap();
    let operator = cloud.operator().unwrap();
    deploy(&operator, &["alice"]);
    // it is deployed in vain
    operator.run(&["deploy", "bob", "--yes"], &[]).unwrap();
    let ended = operator.run(&["audit", "--json"], &[]).unwrap();
    let broken = broken(&ended.stdout);
    assert!(broken.contains("bob sshd") && broken.contains("bob token"), "{broken:?}");
    assert!(!broken.iter().any(|one| one.starts_with("alice")), "{broken:?}");
    assert_eq!(ended.code, Some(1), "{ended}");
}

#[test]
fn without_instances_there_is_nothing_to_audit() {
    let cloud = Cloud::up(1, "").unwrap();
    let operator = cloud.operator().unwrap();
    let ended = operator.run(&["audit"], &[]).unwrap();
    assert_eq!(ended.stderr, "error: there are no instances\nhint: `clawberth deploy NAME` makes one\n");
    assert_eq!(ended.code, Some(2), "{ended}");
}

/// A host that was taken over, and writes what a browser would run and a terminal would do.
const EVIL: &str = r#"
[[rule]]
match = "^sh -c .# Looks at a server"
stdout = "account=<script>alert(1)</script>\u001b[2J\u202e 0 x\n"
"#;

#[test]
fn the_page_has_every_promise_and_nothing_of_a_host_but_text() {
    let cloud = Cloud::up(1, EVIL).unwrap();
    let operator = cloud.operator().unwrap();
    deploy(&operator, &["alice"]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("audit.html");
    std::fs::write(&file, "an earlier one").unwrap();
    let words = ["audit", "--html", file.to_str().unwrap()];
    let ended = operator.run(&words, &[("CLAWBERTH_NOW", "2026-11-22T12:00:00Z")]).unwrap();
    assert_eq!(ended.code, Some(1), "{ended}");
    let page = std::fs::read_to_string(&file).unwrap();
    for promise in Promise::ALL {
        let text = promise.text().replace('\'', "&#x27;");
        assert!(page.contains(&text) && page.contains(&format!(">{promise}<")), "{promise}");
    }
    assert!(page.contains("2026-11-22 12:00:00 UTC · 1 instance of fleet "), "{page}");
    let shown = "&lt;script&gt;alert(1)&lt;/script&gt;\\u001b[2J\\u202e is root, too";
    assert!(page.contains(shown), "{page}");
    assert!(!page.contains("<script") && !page.contains(['\u{1b}', '\u{202e}']), "{page}");
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_page_that_cannot_be_kept_is_refused_before_the_audit() {
    let cloud = Cloud::up(1, "").unwrap();
    let operator = cloud.operator().unwrap();
    for (file, why) in [("/", "it is a folder"), ("/nowhere/audit.html", "its folder is not there")] {
        let ended = operator.run(&["audit", "--html", file], &[]).unwrap();
        let said = format!(
            "error: cannot write {file}\ncaused by: {why}\nhint: name a file in a folder that is there\n"
        );
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(2), said.as_str()), "{ended}");
    }
}
