//! Which instances are changed, and which are not.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::fleet::{ALL, AT_ONCE, NEW, OLD, deploy, done, ends, releases, rollout, statuses};
use crate::bed::{Cloud, Operator};

fn server(operator: &Operator<'_>, name: &str) -> Value {
    let servers = operator.all("/servers", "servers").unwrap();
    servers.into_iter().find(|server| server["labels"]["instance"] == name).unwrap()
}

#[test]
fn by_name_by_label_and_all_but_those_that_run_it_already() {
    let cloud = Cloud::up(1, AT_ONCE).unwrap();
    let operator = cloud.operator().unwrap();
    deploy(&operator, &["a", "b", "c"]);
    let mut labels = server(&operator, "b")["labels"].clone();
    labels["team"] = json!("red");
    let path = format!("/servers/{}", server(&operator, "b")["id"]);
    operator.api.ask("PUT", &path, Some(&json!({ "labels": labels }))).unwrap();

    let to = ["--version", NEW, "--bake", "0s", "--yes"];
    ends(&operator, &[&["update", "a"], to.as_slice()].concat(), 0);
    ends(&operator, &[&["update", "--selector", "team=red"], to.as_slice()].concat(), 0);
    let runs = releases(&operator);
    assert_eq!([&*runs["a"], &*runs["b"], &*runs["c"]], [NEW, NEW, OLD]);
    let labels = &server(&operator, "b")["labels"];
    assert_eq!((&labels["team"], &labels["openclaw"]), (&json!("red"), &json!(NEW)));

    let plan = operator.ok(&["update", "--all", "--version", NEW, "--dry-run"]).unwrap();
    assert_eq!(
        plan,
        "plan: update to OpenClaw 2026.9.6 on Node 24.21.0\n  wave 1: c\n  1 may fail, 10 at once at most, bake 1m, on failure stop\n"
    );
    let ended = ends(&operator, &ALL, 0);
    assert!(ended.stderr.starts_with("2 instances already: OpenClaw 2026.9.6\n"), "{ended}");
    let ended = ends(&operator, &ALL, 0);
    assert!(ended.stderr.ends_with("nothing to do\n"), "{ended}");
}

#[test]
fn what_cannot_be_is_refused_before_anything_begins() {
    let cloud = Cloud::up(1, AT_ONCE).unwrap();
    let operator = cloud.operator().unwrap();
    deploy(&operator, &["alice"]);
    let refusals: [(&[&str], &str); 7] = [
        (&["update", "alise", "--yes"], "error: no instance alise\nhint: did you mean alice?\n"),
        (
            &["update", "--selector", "team=red", "--yes"],
            "error: no instance has these labels\nhint: `clawberth list` shows the instances\n",
        ),
        (
            &["rollback", "alice", "--yes"],
            "error: nothing can be gone back to\n\
             hint: a server keeps a release from its first update on; `clawberth releases` shows what runs\n",
        ),
        (
            &["rollback", "alice", "--to", "2026.4.14", "--yes"],
            "error: OpenClaw 2026.4.14 has holes that are known and used\n\
             caused by: GHSA-xmxx-7p24-h892 (a token works after it was rotated); 2026.4.15 is the oldest release without them\n\
             hint: --force goes back all the same\n",
        ),
        (
            &["update", "--resume"],
            "error: no rollout was begun yet\nhint: `clawberth update --all` begins one\n",
        ),
        (
            &["update", "alice", "--resume"],
            "error: this is for a whole rollout\n\
             hint: leave the instances out: it is about the rollout that was begun\n",
        ),
        (
            &["update"],
            "error: no instances are named\nhint: name them, or say --all, or --selector KEY=VALUE\n",
        ),
    ];
    for (words, expected) in refusals {
        let ended = ends(&operator, words, 2);
        assert_eq!(ended.stderr, expected, "{words:?}");
    }
    let wrong =
        operator.run(&["update", "alice", "--version", NEW, "--yes"], &[("HCLOUD_TOKEN", "x")]).unwrap();
    assert_eq!(wrong.code, Some(1), "{wrong}");
    assert!(wrong.stderr.contains("the token is invalid (unauthorized"), "{wrong}");
    let asks = ends(&operator, &["update", "alice", "--version", NEW], 2);
    assert!(asks.stderr.ends_with(
        "error: this would change 1 instance, and nobody can be asked\nhint: say --yes, or --dry-run to see the plan only\n"
    ), "{asks}");
    assert_eq!(done(&cloud)["alice"], [""; 0], "something was done before it was refused");
    ends(&operator, &ALL, 0);
    let back = ends(&operator, &["update", "alice", "--version", OLD, "--yes"], 2);
    assert!(back.stderr.contains("alice runs OpenClaw 2026.9.6, which is newer than 2026.9.5"), "{back}");
}

/// A server that is off is left out, or counts against the budget.
#[test]
fn what_does_not_serve_is_left_out_or_counted() {
    let cloud = Cloud::up(1, AT_ONCE).unwrap();
    let operator = cloud.operator().unwrap();
    deploy(&operator, &["a", "b", "c"]);
    let id = server(&operator, "b")["id"].clone();
    operator.api.ask("POST", &format!("/servers/{id}/actions/poweroff"), None).unwrap();
    // the action ends a moment later, on a busy computer a long one
    let late = Instant::now() + Duration::from_secs(30);
    while server(&operator, "b")["status"] != "off" {
        assert!(Instant::now() < late, "the server is not switched off");
        std::thread::sleep(Duration::from_millis(10));
    }

    let counted = ends(&operator, &[&ALL, ["--unreachable", "count"].as_slice()].concat(), 1);
    assert_eq!(rollout(&operator)["state"], "stopped", "{counted}");
    assert!(releases(&operator).values().all(|release| release == OLD), "{counted}");
    ends(&operator, &["update", "--abort"], 1);

    let two = ["--unreachable", "count", "--budget", "2"];
    let ended = ends(&operator, &[&ALL, two.as_slice()].concat(), 1);
    assert_eq!(rollout(&operator)["verdict"], "incomplete", "{ended}");
    ends(&operator, &["rollback", "a", "c", "--bake", "0s", "--yes"], 0);

    ends(&operator, &ALL, 0);
    let is = statuses(&operator);
    assert_eq!([&*is["a"], &*is["b"], &*is["c"]], ["updated", "skipped", "updated"]);
}
