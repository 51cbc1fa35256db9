//! A fleet moves from a file to a database, and back.

use serde_json::Value;

use super::server::Server;
use crate::bed::{Cloud, Operator};

fn exported(operator: &Operator<'_>, state: &str) -> Value {
    let ended = operator.run(&["state", "export", "--state", state], &[]).unwrap();
    assert_eq!(ended.code, Some(0), "{ended}");
    serde_json::from_str(&ended.stdout).unwrap()
}

#[track_caller]
fn says_the_same(one: &Value, other: &Value) {
    for part in ["fleet", "instances", "creations", "history"] {
        assert_eq!(one[part], other[part], "{part}");
    }
    let sessions = other["sessions"].as_array().unwrap();
    assert!(one["sessions"].as_array().unwrap().iter().all(|session| sessions.contains(session)));
}

/// A URL as it may stand on a command line, and what was taken out of it.
fn without_password(url: &str) -> (String, String) {
    let (before, after) = url.split_once('@').unwrap();
    let (user, password) = before.rsplit_once(':').unwrap();
    (format!("{user}@{after}"), password.to_owned())
}

#[test]
fn what_moves_to_a_database_and_back_is_what_it_was() {
    let Some(server) = Server::shared() else { return };
    let (database, cloud) = (server.database(), Cloud::up(1, "").unwrap());
    let (url, password) = without_password(database.url());
    let operator = cloud.operator().unwrap().with("PGPASSWORD", &password);
    operator.ok(&["deploy", "alice", "bob", "--yes"]).unwrap();
    operator.ok(&["destroy", "bob", "--yes"]).unwrap();
    let file = operator.state().to_owned();
    let before = exported(&operator, &file);
    operator.ok(&["state", "copy", "--to", &url]).unwrap();
    says_the_same(&before, &exported(&operator, &url));

    // the old place is nobody's to write any more
    let late = operator.run(&["deploy", "carol", "--yes"], &[]).unwrap();
    assert!(late.code == Some(1) && late.stderr.contains("was moved to postgres://"), "{late}");
    let moved = [("CLAWBERTH_STATE", url.as_str())];
    let ended = operator.run(&["deploy", "carol", "--yes"], &moved).unwrap();
    assert_eq!(ended.code, Some(0), "{ended}");

    let with_carol = exported(&operator, &url);
    let ended = operator.run(&["state", "copy", "--to", &file], &moved).unwrap();
    assert_eq!(ended.code, Some(0), "{ended}");
    says_the_same(&with_carol, &exported(&operator, &file));
    operator.ok(&["state", "check"]).unwrap();
    operator.ok(&["destroy", "--all", "--yes"]).unwrap();
    operator.clean_slate().unwrap();
}
