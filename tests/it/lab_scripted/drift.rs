//! What `reconcile` sees and mends on hosts, and a state that is written anew from them.

use serde_json::{Value, json};

use super::bed::{Bed, read};

/// What was found, a line for each, and whether the command succeeded.
pub(super) fn drift(bed: &Bed, more: &[&str]) -> (Vec<String>, bool) {
    let words = ["reconcile", "--json"].iter().chain(more);
    let output = bed.run(&words.collect::<Vec<_>>());
    let found: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    let text = |finding: &Value, key: &str| finding[key].as_str().unwrap().to_owned();
    let line = |finding: &Value| format!("{}: {}", text(finding, "subject"), text(finding, "drift"));
    (found["drift"].as_array().unwrap().iter().map(line).collect(), output.status.success())
}

fn state(bed: &Bed) -> std::path::PathBuf {
    bed.path("home/.local/state/clawberth/state.sqlite")
}

pub(super) fn lose_state(bed: &Bed) {
    for ending in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{ending}", state(bed).display()));
    }
    assert!(!state(bed).exists());
}

#[test]
fn a_host_that_runs_another_release_is_set_up_again() {
    // as if somebody had changed it by hand; the set-up puts back what it was born with
    let rules = "[[rule]]\nmatch = '^true (\\S+)$'\nset = { version = '$1' }\n\
                 [[rule]]\nmatch = '^systemd-run .*/setup$'\nset = { version = '2026.9.6' }\ndo = 'set-up'\n";
    let bed = Bed::new(rules);
    bed.ok(&["deploy", "alice", "--yes"]);
    assert_eq!(drift(&bed, &[]), (vec![], true));
    bed.ok(&["ssh", "alice", "--", "true", "2026.9.5"]);
    assert_eq!(drift(&bed, &[]), (vec!["alice: other release".into()], false));
    assert_eq!(drift(&bed, &["--apply"]), (vec!["alice: other release".into()], true));
    assert_eq!(drift(&bed, &[]), (vec![], true));
    let host: Value = serde_json::from_str(&read(&bed.path("lab/machines/101/host.json"))).unwrap();
    assert_eq!(host["set_up"]["runs"].as_array().unwrap().len(), 2);
}

#[test]
fn a_gateway_that_does_not_serve_is_set_up_again() {
    let bed = Bed::new("[[fault]]\nkind = 'unready'\ndelay = '5s'\ncount = 2\n");
    bed.ok(&["deploy", "alice", "--yes"]);
    bed.ok(&["ssh", "alice", "--", "systemctl", "restart", "openclaw"]);
    assert_eq!(drift(&bed, &[]), (vec!["alice: not serving".into()], false));
    assert_eq!(drift(&bed, &["--apply"]), (vec!["alice: not serving".into()], true));
    assert_eq!(drift(&bed, &[]), (vec![], true));
}

#[test]
fn a_host_with_another_key_is_only_reported() {
    let bed = Bed::new("");
    bed.ok(&["deploy", "alice", "bob", "--yes"]);
    // the lab comes up with the fault from here on
    let faults = "[[fault]]\nkind = 'wrong_host_key'\nhosts = '*-alice'\n\
                  [[fault]]\nkind = 'ssh_refused'\nhosts = '*-bob'\n";
    let mut bed = bed;
    bed.again_with(faults);
    let found = vec!["alice: other host key".to_owned(), "bob: unreachable".to_owned()];
    assert_eq!(drift(&bed, &[]), (found.clone(), false));
    assert_eq!(drift(&bed, &["--apply"]), (found, false));
    let host: Value = serde_json::from_str(&read(&bed.path("lab/machines/101/host.json"))).unwrap();
    assert_eq!(host["set_up"]["runs"].as_array().unwrap().len(), 1, "nothing was done to it");
}

#[test]
fn a_lost_state_is_written_anew() {
    let mut bed = Bed::new("");
    bed.ok(&["deploy", "alice", "bob", "--version", "2026.9.5", "--yes"]);
    let list = |bed: &Bed| -> Value { serde_json::from_str(&bed.ok(&["list", "--json"])).unwrap() };
    let before = list(&bed);

    // the key is not there either
    let key = bed.path("home/.local/state/clawberth/state.sqlite.ssh_key");
    lose_state(&bed);
    std::fs::rename(&key, bed.path("key")).unwrap();
    let refused = bed.run(&["reconcile", "--import", "--yes"]);
    let said = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(2));
    assert!(said.contains(&format!("hint: put its copy to {}", key.display())), "{said}");
    std::fs::rename(bed.path("key"), &key).unwrap();

    // shown, but nobody can be asked
    let refused = bed.run(&["reconcile", "--import"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8(refused.stdout).unwrap().contains("alice  serving"));
    assert!(!state(&bed).exists());

    bed.ok(&["reconcile", "--import", "--yes"]);
    let mut after = list(&bed);
    for (before, after) in before.as_array().unwrap().iter().zip(after.as_array_mut().unwrap()) {
        // when it was asked for is forgotten, when the server was made is not
        after["created"] = before["created"].clone();
        assert_eq!(before, after);
    }
    assert_eq!(drift(&bed, &[]), (vec![], true));
    let again = bed.run(&["deploy", "alice", "bob", "--yes"]);
    assert!(String::from_utf8(again.stderr).unwrap().contains("nothing to do"));
    assert!(bed.ok(&["show", "alice"]).contains("readiness             ok"));
    let nothing = bed.run(&["reconcile", "--import", "--yes"]);
    assert!(String::from_utf8(nothing.stderr).unwrap().contains("the state knows every server"));

    // one that cannot be reached is taken as far as its labels tell
    lose_state(&bed);
    bed.again_with("[[fault]]\nkind = 'ssh_refused'\nhosts = '*-bob'\n");
    bed.ok(&["reconcile", "--import", "--yes"]);
    let stages = list(&bed);
    assert_eq!((&stages[0]["stage"], &stages[1]["stage"]), (&json!("serving"), &json!("created")));
    assert_eq!(stages[1]["openclaw"], json!("2026.9.5"));
    bed.ok(&["destroy", "--all", "--yes"]);
    assert_eq!(std::fs::read_dir(bed.path("lab/machines")).unwrap().count(), 0);
}

#[test]
fn of_several_fleets_one_has_to_be_named() {
    let bed = Bed::new("");
    bed.ok(&["deploy", "alice", "--yes"]);
    bed.ok(&["deploy", "bob", "--yes", "--state", "other"]);
    let fleet = |text: &str| text.split_once(" (alice)").unwrap().0.rsplit(' ').next().unwrap().to_owned();
    lose_state(&bed);
    let refused = bed.run(&["reconcile", "--import", "--yes"]);
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(said.contains("error: the project has several fleets") && said.contains("(bob)"), "{said}");
    bed.ok(&["reconcile", "--import", &fleet(&said), "--yes"]);
    assert_eq!(drift(&bed, &[]), (vec![], true));
    let list = bed.ok(&["list"]);
    assert!(list.contains("alice  serving") && !list.contains("bob"), "{list}");
}
