//! A fleet of scripted hosts, and what was done to each of them.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::bed::{Cloud, Ended, Operator};

pub(super) const OLD: &str = "2026.9.5";
pub(super) const NEW: &str = "2026.9.6";

/// Nothing takes time, unless a test says so.
pub(super) const AT_ONCE: &str = "[update]\nstage = '0s'\nrehearse = '0s'\n";

/// Instances with the old release.
pub(super) fn deploy(operator: &Operator<'_>, names: &[&str]) {
    operator.ok(&[&["deploy", "--version", OLD, "--yes"], names].concat()).unwrap();
}

/// An update of all to the new release.
pub(super) const ALL: [&str; 7] = ["update", "--all", "--version", NEW, "--bake", "0s", "--yes"];

/// Where each host of the last rollout stands: its status.
pub(super) fn statuses(operator: &Operator<'_>) -> BTreeMap<String, String> {
    let rollout = rollout(operator);
    let hosts = rollout["hosts"].as_array().unwrap();
    let text = |host: &Value, key: &str| host[key].as_str().unwrap().to_owned();
    hosts.iter().map(|host| (text(host, "name"), text(host, "status"))).collect()
}

/// The last rollout.
pub(super) fn rollout(operator: &Operator<'_>) -> Value {
    serde_json::from_str(&operator.ok(&["update", "--status", "--json"]).unwrap()).unwrap()
}

/// What each instance runs, by the state.
pub(super) fn releases(operator: &Operator<'_>) -> BTreeMap<String, String> {
    let list: Value = serde_json::from_str(&operator.ok(&["list", "--json"]).unwrap()).unwrap();
    let text = |row: &Value, key: &str| row[key].as_str().unwrap().to_owned();
    list.as_array().unwrap().iter().map(|row| (text(row, "name"), text(row, "openclaw"))).collect()
}

/// What updates did to each host, in the lab's own words: `switch 2026.9.6`.
pub(super) fn done(cloud: &Cloud) -> BTreeMap<String, Vec<String>> {
    let hosts = std::fs::read_dir(cloud.path("lab/machines")).unwrap();
    let host = |entry: std::io::Result<std::fs::DirEntry>| {
        let text = std::fs::read(entry.unwrap().path().join("host.json")).ok()?;
        let host: Value = serde_json::from_slice(&text).unwrap();
        let name = host["name"].as_str().unwrap().rsplit('-').next().unwrap().to_owned();
        let entries = host["releases"]["journal"].as_array().unwrap();
        let entry = |entry: &Value| {
            format!("{} {}", entry["part"].as_str().unwrap(), entry["version"].as_str().unwrap())
        };
        Some((name, entries.iter().map(entry).collect()))
    };
    hosts.filter_map(host).collect()
}

/// How often this was done to each host.
pub(super) fn times(cloud: &Cloud, what: &str) -> BTreeMap<String, usize> {
    let count = |entries: Vec<String>| entries.iter().filter(|entry| *entry == what).count();
    done(cloud).into_iter().map(|(name, entries)| (name, count(entries))).collect()
}

/// A command that has to end like this.
#[track_caller]
pub(super) fn ends(operator: &Operator<'_>, words: &[&str], code: i32) -> Ended {
    let ended = operator.run(words, &[]).unwrap();
    assert_eq!(ended.code, Some(code), "{ended}");
    ended
}
