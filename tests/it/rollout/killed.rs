//! The controller is killed at every step of rollouts over thirty hosts.

use std::collections::BTreeMap;

use clawberth::apply::Point;

use super::fleet::{AT_ONCE, NEW, OLD, deploy, ends, releases, rollout, statuses, times};
use crate::bed::{Cloud, Halt, Operator};

const HOSTS: usize = 30;
const LIMIT: std::time::Duration = std::time::Duration::from_secs(60);

/// The steps of a host, and the events of a rollout, which are written down between.
const FORWARD: [&str; 9] =
    ["equip", "survey", "stage", "rehearse", "switch", "bake", "keep", "relabel", "prune"];
const BACK: [&str; 6] = ["equip", "roll-back", "bake", "keep", "relabel", "prune"];
const EVENTS: [&str; 2] = ["started", "updated"];

/// Every point of each step, and both sides of each event, in an update of all and in a rollback of all: whatever was cut off,
/// each host is changed once, and none is left out.
#[test]
fn each_host_is_updated_once_whenever_the_controller_is_killed() {
    let cloud = Cloud::up(1, AT_ONCE).unwrap();
    let operator = cloud.operator().unwrap();
    let names: Vec<String> = (0..HOSTS).map(|number| format!("h{number}")).collect();
    deploy(&operator, &names.iter().map(String::as_str).collect::<Vec<_>>());
    let how = ["--all", "--budget", "4", "--bake", "0s", "--waves", "1,9,50%", "--yes"];
    let mut killed = 0;
    let (mut updates, mut rollbacks) = (0, 0);
    let mut forward = points(&FORWARD);
    let mut back = points(&BACK);
    while !forward.is_empty() || !back.is_empty() {
        let update = [&["update", "--version", NEW], how.as_slice()].concat();
        killed += through(&operator, &update, &mut forward);
        updates += 1;
        all_are(&operator, &cloud, NEW, ("switch 2026.9.6", updates));
        let rollback = [&["rollback", "--to", OLD], how.as_slice()].concat();
        killed += through(&operator, &rollback, &mut back);
        rollbacks += 1;
        all_are(&operator, &cloud, OLD, ("rollback 2026.9.5", rollbacks));
        assert!(updates < 8, "{forward:?} {back:?}");
    }
    assert_eq!(killed, FORWARD.len() * 4 + BACK.len() * 4 + 2 * EVENTS.len() * 2);
    let calm = ends(&operator, &["reconcile"], 0);
    assert!(calm.stderr.ends_with("no drift\n"), "{calm}");
}

fn points(steps: &[&'static str]) -> Vec<(&'static str, Point)> {
    let of_steps = steps.iter().flat_map(|step| Point::ALL.map(|point| (*step, point)));
    let of_events =
        EVENTS.iter().flat_map(|event| [Point::AfterAct, Point::AfterOutcome].map(|point| (*event, point)));
    of_steps.chain(of_events).collect()
}

/// One rollout from its begin to its end, killed at as many of these points as it has; how many that were.
fn through(operator: &Operator<'_>, begin: &[&str], points: &mut Vec<(&'static str, Point)>) -> usize {
    let mut killed = 0;
    let mut words = begin;
    while let Some((step, point)) = points.last().copied() {
        let mut running = operator.start_to(words, step, point, &[]).unwrap();
        match running.halt(LIMIT).unwrap() {
            Halt::Stopped => {
                running.kill().unwrap();
                points.pop();
                killed += 1;
                within_its_budget(operator);
            }
            Halt::Ended => {
                let ended = running.end(LIMIT).unwrap();
                assert_eq!(ended.code, Some(0), "{ended}");
                return killed;
            }
            Halt::TooLate => panic!("it is still going on: {}", running.said()),
        }
        words = &["update", "--resume"];
    }
    // it may have been killed after its end
    if rollout(operator)["state"] != "finished" {
        ends(operator, &["update", "--resume"], 0);
    }
    killed
}

fn within_its_budget(operator: &Operator<'_>) {
    let flying = statuses(operator).into_values().filter(|status| status == "running").count();
    assert!(flying <= 4, "{flying} in flight");
}

#[track_caller]
fn all_are(operator: &Operator<'_>, cloud: &Cloud, release: &str, (what, count): (&str, usize)) {
    assert!(statuses(operator).values().all(|status| status == "updated"), "{:?}", statuses(operator));
    assert!(releases(operator).values().all(|is| is == release), "{:?}", releases(operator));
    let expected: BTreeMap<String, usize> = (0..HOSTS).map(|number| (format!("h{number}"), count)).collect();
    assert_eq!(times(cloud, what), expected, "{what}");
}
