//! Another host key in place of a server's own: wherever the replacement is killed, and the state is lost.

use clawberth::apply::Point;
use serde_json::Value;

use super::bed::{Bed, read};
use super::drift::{drift, lose_state};
use super::own_key::{killed_at, server, shown};

const ROTATE: [&str; 4] = ["rotate", "alice", "hostkey", "--yes"];
const STEPS: [&str; 3] = ["make-host-key", "label-host-key", "switch-host-key"];

/// The server shows what is pinned, and has no other key; the cloud's labels name it, and no drift is left.
fn is_whole(bed: &Bed, when: &str) {
    let known = server(bed);
    assert_eq!((&known["own_host_key"], &known["next_host_key"]), (&true.into(), &Value::Null), "{when}");
    assert_eq!(known["host_key"], shown(bed), "{when}");
    let host: Value = serde_json::from_str(&read(&bed.path("lab/machines/101/host.json"))).unwrap();
    assert_eq!(host["next_key"], Value::Null, "{when}");
    assert_eq!(drift(bed, &[]), (vec![], true), "{when}");
    assert_eq!(bed.ok(&["ssh", "alice", "--", "true"]), "", "{when}");
}

#[test]
fn a_host_key_that_may_be_known_is_replaced_wherever_that_is_killed() {
    let bed = Bed::new("");
    bed.ok(&["deploy", "alice", "--yes"]);
    let points = STEPS.iter().flat_map(|step| Point::ALL.map(|point| format!("{step}:{}", point.word())));
    for (number, point) in points.enumerate() {
        let before = shown(&bed);
        killed_at(&bed, &ROTATE, &point);
        // what was begun is ended by this, too
        if number % 2 == 1 {
            bed.ok(&["reconcile", "--apply", "--yes"]);
            assert_eq!(drift(&bed, &[]), (vec![], true), "{point}");
            assert_eq!(bed.ok(&["ssh", "alice", "--", "true"]), "", "{point}");
        }
        assert_eq!(bed.ok(&ROTATE).trim(), "alice has a new host key");
        is_whole(&bed, &point);
        assert_ne!(shown(&bed), before, "{point}");
    }
}

#[test]
fn a_state_that_is_lost_meanwhile_is_written_anew() {
    let bed = Bed::new("");
    bed.ok(&["deploy", "alice", "--yes"]);
    for point in [
        "make-host-key:after-act",
        "label-host-key:after-act",
        "switch-host-key:after-act",
        "switch-host-key:after-outcome",
    ] {
        let before = shown(&bed);
        killed_at(&bed, &ROTATE, point);
        lose_state(&bed);
        bed.ok(&["reconcile", "--import", "--yes"]);
        bed.ok(&["reconcile", "--apply", "--yes"]);
        assert_eq!(drift(&bed, &[]), (vec![], true), "{point}");
        bed.ok(&ROTATE);
        is_whole(&bed, point);
        assert_ne!(shown(&bed), before, "{point}");
    }
}
