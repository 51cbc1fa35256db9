use super::super::provision::tests::{admin, cloud_server, instance, keys, server, wish, with_common};
use super::super::{InstancePlan, Wish, provision};
use super::*;
use crate::model::admin::AdminNetworks;
use crate::model::instance::Server;
use crate::model::observed::firewall_rules;

fn standby(name: &str, id: u64, location: &str) -> Instance {
    let location = location.to_owned();
    let stage = Stage::Serving(Server { id, location, ..server() });
    Instance { name: format!("standby-{name}").parse().unwrap(), ..instance(stage) }
}

fn named(name: &str) -> Instance {
    Instance { name: name.parse().unwrap(), ..instance(Stage::Planned) }
}

/// All of these are there.
fn seen(standbys: &[Instance]) -> Observed {
    let mut seen = with_common();
    for standby in standbys {
        let id = standby.stage.server().unwrap().id;
        seen.servers.insert(standby.name.clone(), vec![cloud_server(id)]);
    }
    seen
}

fn who(wished: &[Instance], standbys: &[Instance]) -> Vec<(String, String)> {
    let claims = claims(wished, standbys, &seen(standbys));
    claims.into_iter().map(|(name, standby)| (name.to_string(), standby.name.to_string())).collect()
}

fn pair(name: &str, standby: &str) -> (String, String) {
    (name.to_owned(), standby.to_owned())
}

#[test]
fn each_standby_becomes_one_s_at_the_place_that_is_wished_for_first() {
    // fsn1 comes before hel1 in the wish
    let standbys = [standby("a", 1, "hel1"), standby("b", 2, "fsn1"), standby("c", 3, "nbg1")];
    let wished = [named("alice"), named("bob"), named("carol")];
    assert_eq!(who(&wished, &standbys), [pair("alice", "standby-b"), pair("bob", "standby-a")]);
}

#[test]
fn what_was_asked_for_otherwise_is_not_claimed() {
    let standbys = [standby("a", 1, "fsn1")];
    let is_claimed = |change: fn(&mut Instance)| {
        let mut alice = named("alice");
        change(&mut alice);
        !who(&[alice], &standbys).is_empty()
    };
    assert!(is_claimed(|_| {}));
    assert!(!is_claimed(|alice| alice.spec.server_type = "cx33".into()));
    assert!(!is_claimed(|alice| alice.spec.image = "debian-12".into()));
    assert!(!is_claimed(|alice| alice.spec.locations = vec!["hel1".into()]));
    assert!(!is_claimed(|alice| alice.spec.release.openclaw = "2026.9.5".parse().unwrap()));
    assert!(!is_claimed(|alice| alice.spec.domain = Some("example.org".into())));
    assert!(!is_claimed(|alice| alice.stage = Stage::Created(server())), "it has a server");
}

#[test]
fn what_is_not_ready_is_not_claimed() {
    let change = |change: fn(&mut Instance)| {
        let mut standby = standby("a", 1, "fsn1");
        change(&mut standby);
        let standing = standing(&standby, &named("alice").spec);
        (standing, who(&[named("alice")], &[standby]).len())
    };
    assert_eq!(change(|_| {}), (Standing::Ready, 1));
    assert_eq!(change(|one| one.stage = Stage::Installed(server())), (Standing::Unfinished, 0));
    let injected = Stage::Serving(Server { own_host_key: false, ..server() });
    assert_eq!(
        standing(&Instance { stage: injected, ..standby("a", 1, "fsn1") }, &named("x").spec),
        Standing::Unfinished
    );
    assert_eq!(change(|one| one.stage = Stage::Destroying(Some(server()))), (Standing::Leaving, 0));
    assert_eq!(change(|one| one.spec.release.openclaw = "2026.9.5".parse().unwrap()), (Standing::Other, 0));
}

#[test]
fn what_is_not_there_or_off_or_twice_is_not_claimed() {
    let standbys = [standby("a", 1, "fsn1")];
    let mut seen = seen(&standbys);
    let is_claimed = |seen: &Observed| !claims(&[named("alice")], &standbys, seen).is_empty();
    assert!(is_claimed(&seen));
    let servers = seen.servers.get_mut(&standbys[0].name).unwrap();
    servers[0].off = true;
    assert!(!is_claimed(&seen));
    let servers = seen.servers.get_mut(&standbys[0].name).unwrap();
    *servers = vec![cloud_server(1), cloud_server(2)];
    assert!(!is_claimed(&seen));
    seen.servers.clear();
    assert!(!is_claimed(&seen));
}

#[test]
fn a_pool_is_filled_up_with_what_is_good_and_what_is_begun() {
    let wanted = named("alice").spec;
    let mut old = standby("old", 3, "fsn1");
    old.spec.release.openclaw = "2026.9.5".parse().unwrap();
    let begun = Instance { stage: Stage::Planned, ..standby("begun", 2, "fsn1") };
    let fleet = [named("bob"), standby("a", 1, "fsn1"), begun, old];
    let names = |size| {
        let (names, missing) = to_fill(size, &fleet, &wanted);
        (names.iter().map(ToString::to_string).collect::<Vec<_>>(), missing)
    };
    assert_eq!(names(5), (vec!["standby-a".to_owned(), "standby-begun".to_owned()], 3));
    assert_eq!(names(1).1, 0);
}

/// The steps of a deploy of alice who claims, or goes on; of whoever else has some, too.
fn steps(wish: Wish<'_>, seen: &Observed) -> Vec<(String, Vec<&'static str>)> {
    let part = |InstancePlan { instance, steps }: InstancePlan| {
        (instance.name.to_string(), steps.iter().map(Step::word).collect())
    };
    provision(wish, seen).unwrap().instances.into_iter().map(part).collect()
}

#[test]
fn a_claim_ends_with_nothing_of_the_standby() {
    let standby = standby("a", 7, "fsn1");
    let seen = seen(std::slice::from_ref(&standby));
    let (admin, keys) = (admin(), keys());
    let alice = named("alice");
    let claims = BTreeMap::from([(alice.name.clone(), standby)]);
    let all = steps(Wish { claims, ..wish(vec![alice], &admin, &keys) }, &seen);
    assert_eq!(all, [("alice".to_owned(), vec!["claim", "rename", "renew", "serve"])]);
}

#[test]
fn a_claim_that_was_cut_off_is_ended_first() {
    let half = Server { standby: Some("standby-a".parse().unwrap()), ..server() };
    let (admin, keys) = (admin(), keys());
    let mut seen = with_common();
    seen.servers.insert("alice".parse().unwrap(), vec![cloud_server(7)]);
    for (stage, rest) in [
        (Stage::Installed(half.clone()), vec!["rename", "renew", "serve"]),
        // also one that somebody saw serve
        (Stage::Serving(half), vec!["rename", "renew", "serve"]),
        (Stage::Installed(server()), vec!["serve"]),
    ] {
        let all = steps(wish(vec![instance(stage)], &admin, &keys), &seen);
        assert_eq!(all, [("alice".to_owned(), rest)]);
    }
}

#[test]
fn changed_admin_networks_reach_a_standby_as_it_is_claimed_and_only_then() {
    let (claimed, other) = (standby("a", 7, "fsn1"), standby("b", 8, "fsn1"));
    let mut seen = seen(&[claimed.clone(), other.clone()]);
    seen.firewalls[0].rules = firewall_rules(&AdminNetworks::parse(["198.51.100.0/24"]).unwrap());
    let (admin, keys) = (admin(), keys());
    let alice = named("alice");
    let claims = BTreeMap::from([(alice.name.clone(), claimed.clone())]);
    let others = vec![claimed, other];
    let all = steps(Wish { claims, others, ..wish(vec![alice], &admin, &keys) }, &seen);
    let expected = [
        ("alice".to_owned(), vec!["claim", "admit", "rename", "renew", "serve"]),
        ("standby-b".to_owned(), vec!["admit"]),
    ];
    assert_eq!(all, expected);
}
