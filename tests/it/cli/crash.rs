//! Killed at any point, a command is run again, and all is as if nothing had happened.

use std::time::Duration;

use serde_json::json;

use super::environment::Environment;
use super::front::Trick;

#[test]
fn killed_while_it_waits_for_ssh_it_goes_on_with_the_same_server() {
    let environment = Environment::with_cloud();
    let mut deploy = environment.start(&["deploy", "alice", "--yes"]);
    deploy.until_says("server created");
    deploy.kill();
    let mut again = environment.start(&["deploy", "alice"]);
    again.until_says("seen from outside\n");
    again.kill();
    assert_eq!(environment.cloud().count("POST /servers"), 1);
    assert_eq!(environment.servers(), [101]);
    let list = environment.run(&["list", "--json"]).stdout;
    let list: serde_json::Value = serde_json::from_str(&list).unwrap();
    assert_eq!((&list[0]["stage"], &list[0]["server"]["id"]), (&json!("created"), &json!(101)));
}

#[test]
fn killed_before_the_answer_it_takes_over_what_was_created_and_keeps_what_was_wished() {
    let environment = Environment::with_cloud();
    environment.cloud().play("POST /servers", Trick::Delay(Duration::from_secs(5)));
    let deploy = environment.start(&["deploy", "alice", "--yes", "--version", "2026.9.5", "--type", "cx33"]);
    environment.cloud().until_asked("POST /servers");
    deploy.kill();

    let mut again = environment.start(&["deploy", "alice", "--yes"]);
    again.until_says("server taken over");
    again.interrupt().expect(
        130,
        "",
        "plan:
  alice  take over server 101, which an interrupted deploy left
  alice  wait for SSH with the pinned host key
  alice  log in and see that it is that server
  alice  let it make a host key of its own
  alice  let it show that key and no other
  alice  wait for the set-up: OpenClaw 2026.9.5 on Node 24.21.0
  alice  wait until it serves, seen from outside
alice  server taken over (fsn1, 224.18.64.2)
stopped; everything so far is written down
hint: run `clawberth deploy alice --yes` to go on
",
    );
    assert_eq!(environment.cloud().count("POST /servers"), 1);
    environment.run(&["list"]).expect(
        0,
        "NAME   STAGE    URL                  OPENCLAW  TYPE  LOCATION  CREATED
alice  created  https://224.18.64.2  2026.9.5  cx33  fsn1      2026-11-22T12:00:00Z
",
        "",
    );
}

#[test]
fn stopped_during_the_create_it_waits_for_the_answer() {
    let environment = Environment::with_cloud();
    environment.cloud().play("POST /servers", Trick::Delay(Duration::from_millis(300)));
    let deploy = environment.start(&["deploy", "alice", "--yes", "-q"]);
    environment.cloud().until_asked("POST /servers");
    deploy.interrupt().expect(
        130,
        "",
        "stopped; everything so far is written down
hint: run `clawberth deploy alice --yes -q` to go on
",
    );
    let list = environment.run(&["list"]).stdout;
    assert!(list.contains("alice  created  https://224.18.64.2"), "{list}");
}

#[test]
fn killed_during_destroy_it_finishes_the_next_time() {
    let environment = Environment::with_cloud();
    environment.create_alice();
    let destroy = environment.start(&["destroy", "alice", "--yes"]);
    environment.cloud().until_asked("DELETE /servers/101");
    destroy.kill();
    let list = environment.run(&["list"]).stdout;
    assert!(list.contains("alice  destroying  "), "{list}");
    environment.run(&["destroy", "alice", "--yes", "-q"]).expect(0, "alice destroyed\n", "");
    environment.nothing_is_left();
}

/// Twenty rounds, each killed after a time that grows through a whole deploy or destroy.
#[test]
fn killed_at_twenty_points_it_never_makes_two_servers_and_leaves_nothing() {
    let mut environment = Environment::with_cloud();
    for round in 0..20_u64 {
        environment.set("CLAWBERTH_SEED", &(round + 1).to_string());
        let (command, step) = if round % 4 == 3 { ("destroy", 23) } else { ("deploy", 7) };
        let running = environment.start(&[command, "alice", "--yes"]);
        running.kill_after(Duration::from_millis(20 + round * step % 130));
        assert_eq!(environment.run(&["list"]).code, Some(0), "round {round}");
        assert!(environment.servers().len() <= 1, "round {round}: {:?}", environment.servers());
    }
    // what is half removed is removed first
    environment.run(&["destroy", "--all", "--yes", "-q"]);
    environment.create_alice();
    assert_eq!(environment.servers().len(), 1);
    environment.run(&["destroy", "--all", "--yes", "-q"]).expect(0, "alice destroyed\n", "");
    environment.nothing_is_left();
}
