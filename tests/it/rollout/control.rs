//! What can be asked of a rollout that goes on, from another terminal.

use std::time::{Duration, Instant};

use clawberth::apply::Point;

use super::fleet::{ALL, AT_ONCE, NEW, OLD, deploy, ends, releases, rollout, statuses, times};
use crate::bed::{Cloud, Operator, Running};

const FIVE: [&str; 5] = ["a", "b", "c", "d", "e"];
const LIMIT: Duration = Duration::from_secs(60);

/// An update of five that has stopped itself in the middle of its first host.
fn in_the_middle<'a>(operator: &'a Operator<'_>, step: &str) -> Running {
    deploy(operator, &FIVE);
    let mut running = operator.start_to(&ALL, step, Point::AfterAct, &[]).unwrap();
    running.until_stopped().unwrap();
    running
}

#[test]
fn a_pause_ends_what_is_in_flight_and_begins_nothing() {
    let cloud = Cloud::up(1, AT_ONCE).unwrap();
    let operator = cloud.operator().unwrap();
    let running = in_the_middle(&operator, "stage");
    let asked = ends(&operator, &["update", "--pause"], 0);
    assert!(asked.stderr.contains("asked "), "{asked}");
    running.go_on().unwrap();
    let ended = running.end(LIMIT).unwrap();
    assert_eq!(ended.code, Some(0), "{ended}");
    assert!(ended.stderr.contains("paused\nhint: run `clawberth update --resume`"), "{ended}");
    assert_eq!(times(&cloud, "switch 2026.9.6").values().sum::<usize>(), 1);
    let refused = ends(&operator, &ALL, 2);
    assert!(refused.stderr.contains("a rollout is not over"), "{refused}");
    ends(&operator, &["update", "--resume"], 0);
    assert!(releases(&operator).values().all(|release| release == NEW));
    assert!(times(&cloud, "switch 2026.9.6").values().all(|times| *times == 1));
}

/// What is on trial goes back; so does what was confirmed and not written down yet.
#[test]
fn an_abort_takes_back_what_is_in_flight() {
    for step in ["stage", "switch", "keep"] {
        let cloud = Cloud::up(1, AT_ONCE).unwrap();
        let operator = cloud.operator().unwrap();
        let running = in_the_middle(&operator, step);
        ends(&operator, &["update", "--abort"], 0);
        running.go_on().unwrap();
        let ended = running.end(LIMIT).unwrap();
        assert_eq!(ended.code, Some(1), "{step}: {ended}");
        let is = statuses(&operator);
        assert_eq!((&*is["a"], &*is["b"]), ("returned", "skipped"), "{step}: {ended}");
        assert_eq!(rollout(&operator)["verdict"], "aborted", "{step}");
        assert!(releases(&operator).values().all(|release| release == OLD), "{step}");
        ends(&operator, &["reconcile"], 0);
    }
}

/// The one who aborts finds nobody at work, and does it alone.
#[test]
fn an_abort_after_a_kill() {
    let cloud = Cloud::up(1, AT_ONCE).unwrap();
    let operator = cloud.operator().unwrap();
    in_the_middle(&operator, "switch").kill().unwrap();
    let ended = ends(&operator, &["update", "--abort"], 1);
    assert!(ended.stderr.contains("aborted"), "{ended}");
    assert_eq!(statuses(&operator)["a"], "returned");
    ends(&operator, &["reconcile"], 0);
    let again = ends(&operator, &["update", "--resume"], 2);
    assert!(again.stderr.contains("it is finished"), "{again}");
}

/// The first ^C lets hosts in flight come to their ends.
#[test]
fn an_interrupt_leaves_nobody_on_trial() {
    let cloud = Cloud::up(1, AT_ONCE).unwrap();
    let operator = cloud.operator().unwrap();
    let running = in_the_middle(&operator, "switch");
    running.interrupt().unwrap();
    running.go_on().unwrap();
    let ended = running.end(LIMIT).unwrap();
    assert_eq!(ended.code, Some(130), "{ended}");
    assert!(ended.stderr.contains("hint: run `clawberth update --resume` to go on"), "{ended}");
    let is = statuses(&operator);
    assert_eq!((&*is["a"], &*is["b"]), ("updated", "waiting"), "{ended}");
    ends(&operator, &["update", "--resume"], 0);
}

/// What was killed and is not gone on with goes back by itself; a reconcile does not wait for that.
#[test]
fn reconcile_ends_what_was_cut_off() {
    for (step, ends_at) in [("switch", OLD), ("keep", NEW)] {
        let cloud = Cloud::up(1, AT_ONCE).unwrap();
        let operator = cloud.operator().unwrap();
        in_the_middle(&operator, step).kill().unwrap();
        let shown = ends(&operator, &["reconcile"], 1);
        assert!(shown.stdout.contains("end its update"), "{shown}");
        ends(&operator, &["reconcile", "--apply", "--yes"], 0);
        assert_eq!(releases(&operator)["a"], ends_at, "{step}");
        ends(&operator, &["reconcile"], 0);
        ends(&operator, &["update", "--resume"], 0);
        assert!(releases(&operator).values().all(|release| release == NEW));
    }
}

/// Outside its window a rollout waits, and begins nobody.
#[test]
fn nobody_begins_outside_the_window() {
    let cloud = Cloud::up(1, AT_ONCE).unwrap();
    let operator = cloud.operator().unwrap();
    deploy(&operator, &FIVE[..2]);
    let tomorrow = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).tomorrow().unwrap();
    let window = format!("{} 03:00-05:00", tomorrow.strftime("%a"));
    let words = [&ALL, ["--window", &window].as_slice()].concat();
    let running = operator.start(&words, &[]).unwrap();
    let until = Instant::now() + LIMIT;
    while !running.said().contains("waiting for the window") {
        assert!(Instant::now() < until, "{}", running.said());
        std::thread::sleep(Duration::from_millis(20));
    }
    running.interrupt().unwrap();
    let ended = running.end(LIMIT).unwrap();
    assert_eq!(ended.code, Some(130), "{ended}");
    assert!(statuses(&operator).values().all(|status| status == "waiting"));
}
