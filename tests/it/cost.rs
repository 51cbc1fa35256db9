//! What Hetzner is asked for. Counted, and not timed: a project has 3,600 requests an hour.

use std::collections::BTreeMap;

use crate::bed::{Cloud, Operator};

/// How many servers are made and removed.
const SERVERS: usize = 50;
/// How often Hetzner may be asked for what is not a matter of one server: what there is, what can be had, what is in common.
const TO_DEPLOY: usize = 5;
const TO_DESTROY: usize = 16;
const TO_CLAIM: usize = 7;

#[test]
fn a_server_costs_a_few_requests_however_many_there_are() {
    let cloud = Cloud::up(1, "").unwrap();
    let operator = cloud.operator().unwrap();
    let names: Vec<String> = (0..SERVERS).map(|number| format!("user{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let deployed = asked(&operator, &[&["deploy", "--yes"], names.as_slice()].concat());
    holds(&deployed, "POST /servers", TO_DEPLOY);
    let destroyed = asked(&operator, &["destroy", "--all", "--yes"]);
    holds(&destroyed, "DELETE /servers/{id}", TO_DESTROY);
    operator.clean_slate().unwrap();
}

/// Who takes a standby creates nothing: what there is, the server's new name, and what is in common, which is looked at once more.
#[test]
fn a_claim_costs_a_few_requests() {
    let cloud = Cloud::up(1, "").unwrap();
    let operator = cloud.operator().unwrap();
    operator.ok(&["pool", "fill", "--size", "1", "--yes"]).unwrap();
    let claimed = asked(&operator, &["deploy", "alice", "--yes"]);
    assert_eq!(claimed.get("PUT /servers/{id}"), Some(&1), "{claimed:#?}");
    assert!(!claimed.contains_key("POST /servers"), "{claimed:#?}");
    assert!(claimed.values().sum::<usize>() <= TO_CLAIM, "{claimed:#?}");
    operator.ok(&["destroy", "--all", "--yes"]).unwrap();
    operator.clean_slate().unwrap();
}

/// How often each route was asked by a command, which must succeed.
fn asked(operator: &Operator<'_>, words: &[&str]) -> BTreeMap<String, usize> {
    let before = operator.requests().unwrap().len();
    operator.ok(words).unwrap();
    let mut asked = BTreeMap::new();
    for request in operator.requests().unwrap().iter().skip(before) {
        *asked.entry(request.what()).or_default() += 1;
    }
    asked
}

/// This was asked once for each server, and everything else a few times in all.
#[track_caller]
fn holds(asked: &BTreeMap<String, usize>, of_each: &str, others: usize) {
    assert_eq!(asked.get(of_each), Some(&SERVERS), "{of_each}: {asked:#?}");
    assert!(asked.values().sum::<usize>() <= SERVERS + others, "{asked:#?}");
}
