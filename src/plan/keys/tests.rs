//! From what servers let in to what is done about it.

use std::net::Ipv4Addr;

use super::*;
use crate::model::instance::Server;
use crate::model::operator_key::KeyStatus;

fn server(admitted: Option<&[&str]>) -> Server {
    let admitted = admitted.map(|keys| keys.iter().map(|key| (*key).to_owned()).collect());
    Server {
        id: 7,
        ipv4: Ipv4Addr::new(198, 51, 100, 7),
        ipv6: None,
        location: "fsn1".into(),
        host_key: "ssh-ed25519 AAAA".into(),
        next_host_key: None,
        own_host_key: true,
        birth_key: None,
        admitted,
        standby: None,
    }
}

fn instance(name: &str, stage: Stage) -> Instance {
    let integrity = format!("sha512-{}==", "A".repeat(86));
    let spec = serde_json::json!({
        "server_type": "cx23", "locations": ["fsn1"], "image": "debian-13", "domain": null,
        "release": { "openclaw": "2026.9.6", "engines": ">=24", "integrity": integrity, "node": "24.21.0" },
    });
    let spec = serde_json::from_value(spec).unwrap();
    Instance { name: name.parse().unwrap(), spec, stage, created: String::new() }
}

fn alice(admitted: Option<&[&str]>) -> Vec<Instance> {
    vec![instance("alice", Stage::Serving(server(admitted)))]
}

fn keys() -> Keys {
    Keys { fleet: "old".to_owned(), others: Vec::new() }
}

fn key(public: &str, status: KeyStatus, is_fleets: bool) -> OperatorKey {
    OperatorKey { public: public.to_owned(), comment: String::new(), status, is_fleets }
}

#[test]
fn a_key_is_written_down_before_it_comes_and_settled_after() {
    let carol = key("carol", KeyStatus::Joining, false);
    let plan = bring(alice(Some(&["old"])), keys(), Some(carol.clone())).unwrap();
    assert_eq!(plan.before, [FleetStep::NoteKey(carol.clone())]);
    assert_eq!(plan.instances[0].steps, [Step::GiveKeys(vec!["carol".to_owned()])]);
    assert_eq!(plan.after, [FleetStep::SettleKeys]);
    // all that is left, after a kill
    let plan = bring(alice(Some(&["old", "carol"])), keys().with(carol), None).unwrap();
    assert_eq!((plan.before.len(), plan.instances[0].steps.len()), (0, 0));
    assert_eq!(plan.after, [FleetStep::SettleKeys]);
    let in_force = keys().with(key("carol", KeyStatus::InForce, false));
    assert!(bring(alice(Some(&["old", "carol"])), in_force, None).unwrap().is_empty());
}

#[test]
fn the_new_key_is_proved_on_every_server_each_time_before_it_is_used() {
    let next = key("new", KeyStatus::Joining, true);
    let prove = Step::ProveKey("new".to_owned());
    let plan = succeed(alice(None), keys(), next.clone()).unwrap();
    assert_eq!(plan.before, [FleetStep::NoteKey(next.clone())]);
    let give = Step::GiveKeys(vec!["old".to_owned(), "new".to_owned()]);
    assert_eq!(plan.instances[0].steps, [give, prove.clone()]);
    assert_eq!(plan.after, [FleetStep::UseKey("new".to_owned())]);
    let plan = succeed(alice(Some(&["old", "new"])), keys().with(next.clone()), next.clone()).unwrap();
    assert_eq!((plan.before.len(), &plan.instances[0].steps), (0, &vec![prove]));
    for stage in [Stage::Planned, Stage::Created(server(None)), Stage::Reachable(server(None))] {
        let error = succeed(vec![instance("bob", stage)], keys(), next.clone()).unwrap_err();
        assert_eq!(error.hint(), "run `clawberth deploy bob` to finish it, or destroy it");
    }
}

#[test]
fn the_old_key_goes_from_the_project_first_and_is_forgotten_last() {
    let after = keys().with(key("new", KeyStatus::Joining, true)).succeeded_by("new", "cb-fleet");
    let known = [CloudSshKey { id: 1, public_key: "old".to_owned() }];
    let plan = hand_over(alice(Some(&["old", "new"])), after.clone(), &known).unwrap();
    assert_eq!(plan.before, [FleetStep::DeleteSshKey(1), FleetStep::CreateSshKey]);
    assert_eq!(plan.instances[0].steps, [Step::TakeKeys(vec!["old".to_owned()])]);
    assert_eq!(plan.after, [FleetStep::SettleKeys]);
    let known = [CloudSshKey { id: 2, public_key: "new".to_owned() }];
    let plan = hand_over(alice(Some(&["new"])), after, &known).unwrap();
    assert_eq!((plan.before.len(), plan.instances[0].steps.len()), (0, 0));
    assert_eq!(plan.after, [FleetStep::SettleKeys]);
}

#[test]
fn whoever_deploys_meanwhile_brings_and_takes_them_too() {
    let after = keys().with(key("new", KeyStatus::Joining, true)).succeeded_by("new", "cb-fleet");
    let mut steps = vec![Step::Reach, Step::Trust, Step::Install];
    let new = &instance("bob", Stage::Planned);
    add_to(&mut steps, new, true, &after);
    let (give, take) = (Step::GiveKeys(vec!["new".to_owned()]), Step::TakeKeys(vec!["old".to_owned()]));
    assert_eq!(steps, [Step::Reach, Step::Trust, give, take, Step::Install]);
    let mut steps = vec![Step::Install];
    add_to(&mut steps, new, true, &keys());
    assert_eq!(steps, [Step::Install]);
}
