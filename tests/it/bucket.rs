//! A project that grants too few requests: everybody waits their turn, and what deletes goes first.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::bed::{Cloud, Operator};

/// How many servers come and go.
const SERVERS: usize = 200;
/// A tenth of the requests that Hetzner grants in an hour: one comes back in ten seconds.
const HOURLY: &str = "360";
/// Longest time for all of them to come: no request has to wait for the bucket yet.
const DEPLOY: Duration = Duration::from_secs(10 * 60);
/// Longest time for all of them to go: what is missing in the bucket comes back in a quarter of an hour.
const DESTROY: Duration = Duration::from_secs(40 * 60);
/// Until there is enough for the test to look at everything itself.
const LOOK: Duration = Duration::from_secs(180);

#[test]
#[ignore = "it waits half an hour for a bucket that refills: `make test-bucket`"]
fn two_hundred_servers_come_and_go_by_a_tenth_of_the_requests_and_whatever_fails() {
    let cloud = Cloud::up_with(1, "", HOURLY).unwrap();
    let operator = cloud.operator().unwrap();
    let _in_force = [
        json!({ "kind": "answer", "status": 502, "when": "after", "route": "POST /servers", "probability": 0.03 }),
        json!({ "kind": "answer", "status": 503, "when": "before", "route": "* *", "probability": 0.02, "seed": 1 }),
        json!({ "kind": "reply_lost", "route": "* /servers/**", "probability": 0.02, "seed": 2 }),
        json!({ "kind": "connection_reset", "route": "* *", "probability": 0.02, "seed": 3 }),
        json!({ "kind": "stock_out", "location": "fsn1", "probability": 0.1, "seed": 4 }),
        json!({ "kind": "action_error", "command": "create_server", "probability": 0.02, "seed": 5 }),
        json!({ "kind": "stale_lists", "delay": "5s" }),
    ]
    .map(|fault| operator.api.fault(fault).unwrap());

    let names: Vec<String> = (0..SERVERS).map(|number| format!("user{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let begun = Instant::now();
    let deployed =
        operator.start(&[&["deploy", "--yes"], names.as_slice()].concat(), &[]).unwrap().end(DEPLOY).unwrap();
    let stages = operator.list().unwrap();
    let serving = stages.values().filter(|stage| *stage == "serving").count();
    eprintln!("{serving} of {SERVERS} serve after {} s, {}", begun.elapsed().as_secs(), asked(&operator));
    for name in names.iter().filter(|name| stages.get(**name).is_none_or(|stage| stage != "serving")) {
        assert!(deployed.stderr.contains(&format!("error: {name}")), "{name} is not told of: {deployed}");
    }
    assert_eq!(deployed.code == Some(0), serving == SERVERS, "{deployed}");

    let begun = Instant::now();
    let destroy = operator.start(&[&["destroy", "--yes"], names.as_slice()].concat(), &[]).unwrap();
    while !destroy.said().contains("requests of this hour are used up") {
        assert!(begun.elapsed() < DESTROY, "it never waited: {}", destroy.said());
        std::thread::sleep(Duration::from_secs(1));
    }
    // who would make more hardly gets to it until what deletes is done. Each command knows what is left by its own answers alone, so
    // that a create may come between once the reserve would be back by those
    let before = operator.requests().unwrap().len();
    let more = operator.start(&["deploy", "late", "--yes"], &[]).unwrap();
    let destroyed = destroy.end(DESTROY).unwrap();
    let meanwhile = operator.requests().unwrap().split_off(before);
    let creates = meanwhile.iter().filter(|request| request.what() == "POST /servers").count();
    let all = meanwhile.len();
    eprintln!("{creates} of {all} requests were creates, while servers were to be deleted");
    assert!(creates * 20 <= all, "{creates} of {all} requests were creates");
    // it may have given up by itself: it waits for a quarter of an hour
    more.interrupt().unwrap();
    let more = more.end(LOOK).unwrap();
    assert!(matches!(more.code, Some(1 | 130)), "{more}");
    eprintln!("destroyed in {} s, {}", begun.elapsed().as_secs(), asked(&operator));
    assert_eq!(destroyed.code, Some(0), "{destroyed}");

    std::thread::sleep(LOOK);
    operator.ok(&["destroy", "--all", "--yes"]).unwrap();
    std::thread::sleep(LOOK);
    operator.clean_slate().unwrap();
    assert_eq!(operator.doubles().unwrap(), Vec::<String>::new());
}

/// How much was asked so far, and refused.
fn asked(operator: &Operator<'_>) -> String {
    let requests = operator.requests().unwrap();
    let refused = requests.iter().filter(|request| request.status == Some(429)).count();
    format!("{} requests so far, {refused} refused", requests.len())
}
