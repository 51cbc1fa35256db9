//! A host key of the server's own, in place of the injected one: whatever is lost or killed meanwhile.

use serde_json::Value;

use super::bed::{Bed, until};
use super::drift::{drift, lose_state};

/// Where the state is lost: the labels name the injected key at each, and the server shows that or its own.
const POINTS: [&str; 5] = [
    "make-host-key:after-act",
    "make-host-key:after-outcome",
    "switch-host-key:after-intent",
    "switch-host-key:after-act",
    "switch-host-key:after-outcome",
];

pub(super) fn server(bed: &Bed) -> Value {
    let list: Value = serde_json::from_str(&bed.ok(&["list", "--json"])).unwrap();
    list[0]["server"].clone()
}

/// What the host shows, by the lab's own record; without a comment.
pub(super) fn shown(bed: &Bed) -> String {
    let host = std::fs::read(bed.path("lab/machines/101/host.json")).unwrap();
    let host: Value = serde_json::from_slice(&host).unwrap();
    let key = ssh_key::PrivateKey::from_openssh(host["host_key"].as_str().unwrap()).unwrap();
    assert_eq!(host["host_key"], host["own_key"], "it shows the injected one");
    let public = key.public_key().to_openssh().unwrap();
    public.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
}

/// Starts a command and kills it at a point of a step.
pub(super) fn killed_at(bed: &Bed, words: &[&str], point: &str) {
    let mut command = bed.start_with(words, "story", &[("CLAWBERTH_STOP_AT", point)]);
    let stat = format!("/proc/{}/stat", command.id());
    until(point, || std::fs::read_to_string(&stat).is_ok_and(|stat| stat.contains(") T ")));
    command.kill().unwrap();
    command.wait().unwrap();
}

#[test]
fn a_state_that_is_lost_half_way_is_written_anew_and_finished() {
    for point in POINTS {
        let bed = Bed::new("");
        killed_at(&bed, &["deploy", "alice", "--yes"], point);
        lose_state(&bed);
        bed.ok(&["reconcile", "--import", "--yes"]);
        bed.ok(&["reconcile", "--apply", "--yes"]);
        assert_eq!(drift(&bed, &[]), (vec![], true), "{point}");
        assert_eq!(
            (&server(&bed)["own_host_key"], &server(&bed)["next_host_key"]),
            (&true.into(), &Value::Null)
        );
        assert_eq!(server(&bed)["host_key"], shown(&bed), "{point}");
        assert_eq!(bed.ok(&["ssh", "alice", "--", "true"]), "");
    }
}

#[test]
fn an_older_state_does_not_know_and_its_servers_are_mended() {
    let bed = Bed::new("");
    bed.ok(&["deploy", "alice", "--yes"]);
    let key = server(&bed)["host_key"].clone();
    let old = bed.ok(&["state", "export"]).replace("\"own_host_key\": true", "\"own_host_key\": false");
    assert!(old.contains("\"own_host_key\": false"), "{old}");
    lose_state(&bed);
    std::fs::write(bed.path("old.json"), old).unwrap();
    bed.ok(&["state", "import", bed.path("old.json").to_str().unwrap()]);
    assert_eq!(server(&bed)["own_host_key"], false);
    assert_eq!(drift(&bed, &[]), (vec!["alice: injected host key".into()], false));
    assert_eq!(drift(&bed, &["--apply"]), (vec!["alice: injected host key".into()], true));
    assert_eq!(drift(&bed, &[]), (vec![], true));
    assert_eq!((&server(&bed)["own_host_key"], &server(&bed)["host_key"]), (&true.into(), &key));
}
