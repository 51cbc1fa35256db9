//! Several commands at once: on different instances they do not disturb each other, on the same one the second waits and says
//! for whom.

use std::time::Instant;

use rustix::process::{Signal, kill_process};

use super::destroy::PLAN;
use super::environment::{Environment, LOOK, SOON};
use super::running::Running;

const WAITING: &str = "\
alice is being worked on by `clawberth deploy alice --yes` of alice@$HOST (pid $PID, since 2026-11-22T12:00:00Z); waiting
";
const DONE: &str = "\
alice  removal begun
alice  server deleted
alice  removed
fleet  firewall deleted
fleet  SSH key deleted
fleet  nothing of it is left at Hetzner
";

#[test]
fn the_second_command_says_who_works_on_the_instance_and_goes_on_when_that_one_is_killed() {
    let mut environment = Environment::with_cloud();
    environment.set("USER", "alice");
    environment.name(rustix::system::uname().nodename().to_str().unwrap(), "$HOST");
    let mut first = environment.start(&["deploy", "alice", "--yes"]);
    first.until_says("server created");
    environment.name(&format!("pid {}", first.pid().as_raw_nonzero()), "pid $PID");
    let mut second = environment.start(&["destroy", "alice", "--yes"]);
    second.until_says("waiting\n");
    first.kill();
    second.end().expect(0, "alice destroyed\n", &format!("{PLAN}{WAITING}{DONE}"));
    environment.nothing_is_left();
}

/// The first wrote nothing of its server yet when the second looked, and ends without another change of hands.
#[test]
fn who_planned_while_another_was_at_work_plans_anew() {
    let mut environment = Environment::with_cloud();
    environment.set("USER", "alice");
    environment.name(rustix::system::uname().nodename().to_str().unwrap(), "$HOST");
    let mut first = environment.start_with(
        &["deploy", "alice", "--yes"],
        &[("CLAWBERTH_STOP_AT", "create:before-intent"), ("CLAWBERTH_SEED", "2")],
    );
    first.until_stopped();
    environment.name(&format!("pid {}", first.pid().as_raw_nonzero()), "pid $PID");
    let mut second = environment.start(&["destroy", "alice", "--yes"]);
    second.until_says("waiting\n");
    kill_process(first.pid(), Signal::CONT).unwrap();
    first.until_says("server created");
    first.interrupt();
    let without_server = PLAN.replace("delete server 101 with its addresses", "see that it has no server");
    second.end().expect(0, "alice destroyed\n", &format!("{without_server}{WAITING}{PLAN}{DONE}"));
    environment.nothing_is_left();
}

#[test]
fn other_instances_are_free_meanwhile() {
    let environment = Environment::with_cloud();
    let mut alice = environment.start(&["deploy", "alice", "--yes"]);
    alice.until_says("server created");
    let mut bob = environment.start(&["deploy", "bob", "--yes"]);
    bob.until_says("bob    server created");
    for deploy in [alice, bob] {
        assert_eq!(deploy.interrupt().code, Some(130));
    }
    assert_eq!(environment.servers().len(), 2);
}

#[test]
fn who_was_stopped_for_too_long_is_refused_when_it_wakes() {
    let environment = Environment::with_cloud();
    let stop = [("CLAWBERTH_STOP_AT", "create:before-intent"), ("CLAWBERTH_SEED", "2")];
    let late = environment.start_with(&["deploy", "alice", "--yes"], &stop);
    late.until_stopped();
    // half a minute later
    environment.sql("UPDATE lease SET expires = 1 WHERE subject = 'alice'");
    environment.create_alice();
    kill_process(late.pid(), Signal::CONT).unwrap();
    let outcome = late.end();
    assert_eq!(outcome.code, Some(1));
    assert!(
        outcome.stderr.ends_with(
            "error: alice is not done, but planned
caused by: somebody else has taken over alice
hint: nothing more was done; `clawberth state history` tells who did, and this command can be run again
"
        ),
        "{}",
        outcome.stderr
    );
    assert_eq!(environment.cloud().count("POST /servers"), 1);
}

#[test]
fn two_deploys_of_one_name_make_one_server() {
    let environment = Environment::with_cloud();
    let [first, second] = ["1", "2"]
        .map(|seed| environment.start_with(&["deploy", "alice", "--yes"], &[("CLAWBERTH_SEED", seed)]));
    let until = Instant::now() + SOON;
    let created = |deploy: &Running<'_>| deploy.says("server created");
    while !created(&first) && !created(&second) {
        assert!(Instant::now() < until, "nobody created a server");
        std::thread::sleep(LOOK);
    }
    let (winner, mut loser) = if created(&first) { (first, second) } else { (second, first) };
    winner.kill();
    loser.until_says("waiting\nplan:\n  alice  wait for SSH");
    loser.interrupt();
    assert_eq!(environment.cloud().count("POST /servers"), 1);
    assert_eq!(environment.servers().len(), 1);
}
