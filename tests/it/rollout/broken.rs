//! Releases that are no good, and hosts on which they are not.

use serde_json::json;

use super::fleet::{ALL, AT_ONCE, NEW, OLD, deploy, done, ends, releases, rollout, statuses, times};
use crate::bed::Cloud;

fn broken(part: &str, hosts: &str) -> String {
    format!(
        "{AT_ONCE}[[fault]]\nkind = 'broken'\npart = '{part}'\nhosts = '{hosts}'\nversion = '{NEW}'\nlog = 'no luck today'\n"
    )
}

const FIVE: [&str; 5] = ["a", "b", "c", "d", "e"];

/// What shows in the rehearsal touches nobody; what shows later touches one, however many may fail.
#[test]
fn a_release_that_works_nowhere_is_tried_once() {
    for (part, touched, cause) in [
        ("rehearse", 0, "rehearsing on a copy of the state: OpenClaw 2026.9.6 ended with 1"),
        ("switch", 1, "switching: OpenClaw 2026.9.6 "),
        ("gate", 1, "watching the gateway: OpenClaw 2026.9.6 "),
    ] {
        let later = if part == "gate" { "after = '1s'\n" } else { "" };
        let cloud = Cloud::up(1, &(broken(part, "*") + later)).unwrap();
        let operator = cloud.operator().unwrap();
        deploy(&operator, &FIVE);
        let ended = ends(
            &operator,
            &["update", "--all", "--version", NEW, "--bake", "5s", "--yes", "--budget", "5"],
            1,
        );
        let why = rollout(&operator)["hosts"][0]["why"].as_str().unwrap().to_owned();
        assert!(why.contains(cause), "{part}: {why}");
        assert!(ended.stderr.contains("no luck today"), "{ended}");
        let waiting = statuses(&operator).into_values().filter(|status| status == "waiting").count();
        assert_eq!((waiting, &*statuses(&operator)["a"]), (4, "reverted"), "{ended}");
        let switched = times(&cloud, "switch 2026.9.6").values().sum::<usize>();
        assert_eq!(switched, touched, "{:?}", done(&cloud));
        let was_down = rollout(&operator)["hosts"][0]["downtime_ms"].is_u64();
        assert_eq!(was_down, touched == 1, "{ended}");
        assert!(releases(&operator).values().all(|is| is == OLD), "{ended}");
        ends(&operator, &["reconcile"], 0);
    }
}

/// Three may fail; the fourth never begins, and what is updated goes back where that is asked for.
#[test]
fn no_more_than_the_budget_fail() {
    for (on_failure, state, updated) in [("stop", "stopped", NEW), ("revert-all", "finished", OLD)] {
        let cloud = Cloud::up(1, &broken("switch", "cb-*-x*")).unwrap();
        let operator = cloud.operator().unwrap();
        let names = ["a", "b", "x1", "x2", "x3", "x4", "x5"];
        deploy(&operator, &names);
        let how = ["--budget", "3", "--waves", "100%", "--on-failure", on_failure];
        ends(&operator, &[&ALL, how.as_slice()].concat(), 1);
        let is = statuses(&operator);
        assert_eq!(is.values().filter(|status| *status == "reverted").count(), 3, "{is:?}");
        let tried: usize =
            names.iter().filter(|n| n.starts_with('x')).map(|n| times(&cloud, "switch 2026.9.6")[*n]).sum();
        assert_eq!(tried, 3, "{:?}", done(&cloud));
        assert_eq!(rollout(&operator)["state"], state, "{is:?}");
        let runs = releases(&operator);
        assert!(names[..2].iter().all(|name| runs[*name] == updated), "{runs:?} {is:?}");
        ends(&operator, &["reconcile"], 0);
    }
}

/// Those that failed are seen to, and the others go on.
#[test]
fn what_failed_is_acknowledged_and_the_rest_goes_on() {
    let cloud = Cloud::up(1, &broken("switch", "cb-*-b")).unwrap();
    let operator = cloud.operator().unwrap();
    deploy(&operator, &FIVE);
    let ended = ends(&operator, &ALL, 1);
    assert!(ended.stderr.contains("hint: once you have seen why"), "{ended}");
    let refused = ends(&operator, &["update", "--resume"], 2);
    assert!(refused.stderr.contains("--acknowledge"), "{refused}");
    ends(&operator, &["update", "--resume", "--acknowledge"], 1);
    let is = statuses(&operator);
    assert_eq!(is.values().filter(|status| *status == "updated").count(), 4, "{is:?}");
    assert_eq!(rollout(&operator)["verdict"], "incomplete");
}

/// What comes after a release is confirmed takes nothing back; but it is told, and counts.
#[test]
fn labels_that_cannot_be_set_are_left_to_be_mended() {
    let cloud = Cloud::up(1, AT_ONCE).unwrap();
    let operator = cloud.operator().unwrap();
    deploy(&operator, &["alice"]);
    let fault = operator.api.fault(json!({ "kind": "read_only" })).unwrap();
    let ended = ends(&operator, &ALL, 1);
    assert!(ended.stderr.contains("error: alice\n"), "{ended}");
    assert!(ended.stderr.ends_with("hint: `clawberth reconcile --apply` mends what is left\n"), "{ended}");
    let rollout = rollout(&operator);
    assert_eq!((&rollout["verdict"], &rollout["hosts"][0]["status"]), (&json!("updated"), &json!("updated")));
    assert!(rollout["hosts"][0]["downtime_ms"].is_u64(), "{rollout}");
    assert_eq!(releases(&operator)["alice"], NEW);
    operator.api.lift(fault).unwrap();
    assert!(ends(&operator, &["reconcile"], 1).stdout.contains("wrong labels"));
    ends(&operator, &["reconcile", "--apply", "--yes"], 0);
    ends(&operator, &["reconcile"], 0);
}
