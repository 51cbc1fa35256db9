use super::super::tests::server;
use super::*;

#[test]
fn every_stage_can_be_written_down_and_read_again() {
    let stages = [
        Stage::Planned,
        Stage::Created(server(1)),
        Stage::Reachable(server(1)),
        Stage::Trusted(server(1)),
        Stage::Installed(server(1)),
        Stage::Serving(server(1)),
        Stage::Destroying(None),
        Stage::Destroying(Some(server(1))),
        Stage::Gone,
    ];
    for stage in stages {
        let text = serde_json::to_string(&stage).unwrap();
        assert_eq!(serde_json::from_str::<Stage>(&text).unwrap(), stage, "{text}");
    }
}

#[test]
fn the_way_up_and_down() {
    let mut stage = Stage::Planned;
    let mut words = Vec::new();
    for outcome in [
        Outcome::Created(server(1)),
        Outcome::Named,
        Outcome::Reached,
        Outcome::Trusted,
        Outcome::Installed,
        Outcome::Served,
        Outcome::Condemned,
        Outcome::Revoked,
        Outcome::Unnamed,
        Outcome::Deleted,
    ] {
        stage = stage.after(outcome).unwrap();
        words.push(stage.word());
    }
    let expected = [
        "created",
        "created",
        "reachable",
        "trusted",
        "installed",
        "serving",
        "destroying",
        "destroying",
        "destroying",
        "gone",
    ];
    assert_eq!(words, expected);
}

#[test]
fn every_outcome_twice_is_the_same_as_once() {
    let mut stage = Stage::Planned;
    for outcome in [
        Outcome::Created(server(1)),
        Outcome::Reached,
        Outcome::Trusted,
        Outcome::Installed,
        Outcome::Served,
        Outcome::Condemned,
        Outcome::Revoked,
        Outcome::Unnamed,
        Outcome::Deleted,
    ] {
        stage = stage.after(outcome.clone()).unwrap();
        assert_eq!(stage.clone().after(outcome).unwrap(), stage);
    }
}

#[test]
fn a_claim_is_not_over_before_nothing_is_left_of_the_standby() {
    let standby: InstanceName = "standby-a".parse().unwrap();
    let claimed = Outcome::Claimed { server: server(1), standby: standby.clone() };
    let stage = Stage::Planned.after(claimed.clone()).unwrap();
    assert_eq!(stage, Stage::Installed(Server { standby: Some(standby), ..server(1) }));
    let stage = stage.after(Outcome::Renamed).unwrap().after(Outcome::Served).unwrap();
    assert!(stage.server().unwrap().standby.is_some(), "serving is not enough");
    assert_eq!(stage.after(Outcome::Renewed).unwrap(), Stage::Serving(server(1)));
    // who has a server does not take another
    assert!(Stage::Serving(server(2)).after(claimed).is_err());
    assert!(Stage::Created(server(1)).after(Outcome::Renewed).is_err());
}

#[test]
fn a_new_server_starts_the_way_anew() {
    let stage = Stage::Serving(server(1)).after(Outcome::Created(server(2))).unwrap();
    assert_eq!(stage, Stage::Created(server(2)));
}

/// The keys that are accepted, and those that the labels are to name, after each of these.
fn keys_after(mut stage: Stage, outcomes: &[Outcome]) -> (Stage, Vec<String>) {
    let mut seen = Vec::new();
    for outcome in outcomes {
        stage = stage.after(outcome.clone()).unwrap();
        assert_eq!(stage.clone().after(outcome.clone()).unwrap(), stage, "twice is once");
        let server = stage.server().unwrap();
        seen.push(format!("{} / {}", server.host_keys().join(" "), server.keys_for_labels().join(" ")));
    }
    (stage, seen)
}

fn made(key: &str, signer: Option<&str>) -> Outcome {
    Outcome::HostKeyMade { key: key.into(), signer: signer.map(str::to_owned) }
}

fn injected() -> Stage {
    Stage::Trusted(Server { host_key: "A".into(), ..server(1) })
}

#[test]
fn until_the_server_was_seen_with_its_own_key_either_is_accepted_and_then_only_that() {
    // a record that has forgotten it finds the server as it is
    let outcomes = [made("B", Some("A")), Outcome::HostKeySwitched, made("B", None)];
    let (stage, seen) = keys_after(injected(), &outcomes);
    assert_eq!(seen, ["A B / A", "B / A", "B / A"]);
    assert!(stage.server().unwrap().own_host_key);
    assert!(Stage::Reachable(server(1)).after(Outcome::HostKeySwitched).is_err());
}

#[test]
fn labels_name_what_no_certificate_tells() {
    let replace =
        [made("C", None), Outcome::HostKeyLabelled, Outcome::HostKeySwitched, Outcome::HostKeyLabelled];
    let (signed, _) = keys_after(injected(), &[made("B", Some("A")), Outcome::HostKeySwitched]);
    assert_eq!(keys_after(signed, &replace).1, ["B C / B C", "B C / B C", "C / C", "C / C"]);
    let (unsigned, seen) = keys_after(injected(), &[made("B", None), Outcome::HostKeySwitched]);
    assert_eq!(seen, ["A B / A B", "B / B"]);
    assert_eq!(keys_after(unsigned, &replace).1.last().unwrap(), "C / C");
}

#[test]
fn a_server_of_an_older_state_has_no_key_of_its_own() {
    let old = r#"{"stage":"serving","server":{"id":1,"ipv4":"198.51.100.7","ipv6":null,"location":"fsn1","host_key":"ssh-ed25519 AAAA"}}"#;
    assert_eq!(serde_json::from_str::<Stage>(old).unwrap(), Stage::Serving(server(1)));
}

#[test]
fn nothing_is_skipped_and_nothing_comes_back_from_the_dead() {
    let error = Stage::Created(server(1)).after(Outcome::Served).unwrap_err();
    assert_eq!(error.to_string(), "an instance that is created cannot become serving");
    assert!(Stage::Destroying(None).after(Outcome::Created(server(1))).is_err());
    assert!(Stage::Planned.after(Outcome::Deleted).is_err());
}
