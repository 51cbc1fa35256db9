//! From what is known and seen to what is to be done.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use super::super::{Order, Origin};
use super::*;
use crate::model::image::tests::image;
use crate::model::instance::InstanceSpec;
use crate::model::observed::{CloudFirewall, CloudSshKey, ImageOffer, LocationOffer, Offer, TypeOffer};
use crate::model::price::Price;
use crate::model::zone::{CloudZone, Delegation};

const KEY: &str = "ssh-ed25519 AAAA";

pub(in crate::plan) fn keys() -> Keys {
    Keys { fleet: KEY.to_owned(), others: Vec::new() }
}

pub(in crate::plan) fn admin() -> AdminNetworks {
    AdminNetworks::parse(["203.0.113.7"]).unwrap()
}

pub(in crate::plan) fn instance(stage: Stage) -> Instance {
    let integrity = format!("sha512-{}==", "A".repeat(86));
    let release = serde_json::from_value(serde_json::json!({
        "openclaw": "2026.9.6", "engines": ">=24.16.0 <25", "integrity": integrity, "node": "24.21.0",
    }));
    let spec = InstanceSpec {
        server_type: "cx23".into(),
        locations: vec!["fsn1".into(), "hel1".into()],
        image: "debian-13".into(),
        release: release.unwrap(),
        domain: None,
        enacted: None,
    };
    Instance { name: "alice".parse().unwrap(), spec, stage, created: "2026-11-22T00:00:00Z".into() }
}

pub(in crate::plan) fn server() -> Server {
    let ipv4 = Ipv4Addr::new(198, 51, 100, 7);
    Server {
        id: 7,
        ipv4,
        ipv6: None,
        location: "fsn1".into(),
        host_key: KEY.into(),
        next_host_key: None,
        own_host_key: true,
        birth_key: None,
        admitted: None,
        standby: None,
    }
}

/// The same while it shows the key that was injected.
fn injected() -> Server {
    Server { own_host_key: false, ..server() }
}

/// From a server that nobody has logged in to.
const ALL: [&str; 6] = ["reach", "trust", "make-host-key", "switch-host-key", "install", "serve"];

pub(in crate::plan) fn cloud_server(id: u64) -> CloudServer {
    CloudServer {
        id,
        name: "cb-x-alice".into(),
        ipv4: Some(server().ipv4),
        ipv6: None,
        location: "fsn1".into(),
        server_type: "cx23".into(),
        off: false,
        op: None,
        labels: BTreeMap::new(),
        firewalls: BTreeSet::new(),
        protected: false,
    }
}

pub(in crate::plan) fn offer() -> Offer {
    let month = |pairs: &[(&str, &str)]| -> BTreeMap<String, Price> {
        pairs.iter().map(|(l, p)| ((*l).to_owned(), Price::parse(p).unwrap())).collect()
    };
    let cx23 = TypeOffer {
        name: "cx23".into(),
        size: (2, 4.0),
        disk: 40,
        architecture: "x86".into(),
        month: month(&[("fsn1", "5.49"), ("hel1", "5.49"), ("ash", "6.00")]),
        sold_out: BTreeSet::new(),
    };
    let image = |id, architecture: &str| ImageOffer {
        id,
        name: "debian-13".into(),
        architecture: architecture.into(),
    };
    let location = |name: &str, in_eu| LocationOffer { name: name.into(), in_eu };
    Offer {
        types: vec![cx23],
        locations: vec![location("fsn1", true), location("hel1", true), location("ash", false)],
        images: vec![image(1, "arm"), image(2, "x86")],
        baked: Vec::new(),
        set_up: "abc".into(),
        currency: "EUR".into(),
        ipv4_month: month(&[("fsn1", "0.50")]),
    }
}

pub(in crate::plan) fn with_common() -> Observed {
    Observed {
        ssh_keys: vec![CloudSshKey { id: 1, public_key: KEY.into() }],
        firewalls: vec![CloudFirewall { id: 3, rules: firewall_rules(&admin()) }],
        offer: Some(offer()),
        ..Observed::default()
    }
}

pub(in crate::plan) fn wish<'a>(
    instances: Vec<Instance>,
    admin: &'a AdminNetworks,
    keys: &'a Keys,
) -> Wish<'a> {
    let authority = Authority::LetsEncrypt;
    let (others, named_locations, budgets, protect_before) = (Vec::new(), &[], None, None);
    let claims = BTreeMap::new();
    Wish { instances, claims, others, admin, keys, named_locations, authority, budgets, protect_before }
}

fn plan(instance: Instance, seen: &Observed) -> Result<Plan, Refusal> {
    provision(wish(vec![instance], &admin(), &keys()), seen)
}

fn words(plan: &Plan) -> Vec<&'static str> {
    let before = plan.before.iter().map(FleetStep::word);
    before.chain(plan.instances.iter().flat_map(|part| &part.steps).map(Step::word)).collect()
}

fn refused(instance: Instance, seen: &Observed) -> (String, String) {
    let refusal = plan(instance, seen).unwrap_err();
    (refusal.to_string(), refusal.hint().to_owned())
}

#[test]
fn from_nothing_to_serving() {
    let seen = Observed { offer: Some(offer()), ..Observed::default() };
    let plan = plan(instance(Stage::Planned), &seen).unwrap();
    let expected = [["create-ssh-key", "create-firewall", "create"].as_slice(), &ALL].concat();
    assert_eq!(words(&plan), expected);
    assert_eq!(plan.cost, Some((Price::parse("5.99").unwrap(), "EUR".into())));
    let locations = vec!["fsn1".into(), "hel1".into()];
    let order = Order { server_type: "cx23".into(), image: Origin::Stock(2), locations };
    assert_eq!(plan.instances[0].steps[0], Step::Create(order));
}

#[test]
fn a_server_is_born_from_the_fleet_s_image_where_one_fits() {
    let order = |change: &dyn Fn(&mut Offer)| {
        let mut offer = offer();
        offer.baked = vec![image(5, 8), image(6, 9)];
        change(&mut offer);
        let plan = plan(instance(Stage::Planned), &Observed { offer: Some(offer), ..with_common() }).unwrap();
        let Some(Step::Create(order)) = plan.instances[0].steps.first().cloned() else { panic!("{plan:?}") };
        order.image
    };
    assert_eq!(order(&|_| {}), Origin::Baked(6), "the newest");
    assert_eq!(order(&|offer| offer.set_up = "newer".into()), Origin::Stock(2));
    assert_eq!(order(&|offer| offer.types[0].architecture = "arm".into()), Origin::Stock(1));
    assert_eq!(order(&|offer| offer.types[0].disk = 20), Origin::Stock(2));
}

#[test]
fn it_goes_on_where_it_stopped() {
    let mut seen = with_common();
    seen.servers.insert("alice".parse().unwrap(), vec![cloud_server(7)]);
    let stages = [
        (Stage::Planned, [["adopt"].as_slice(), &ALL].concat()),
        (Stage::Created(injected()), ALL.to_vec()),
        (Stage::Reachable(injected()), ALL[1..].to_vec()),
        (Stage::Trusted(injected()), ALL[2..].to_vec()),
        (Stage::Installed(injected()), [&ALL[2..4], &ALL[5..]].concat()),
        (Stage::Serving(injected()), [&ALL[2..4], &ALL[5..]].concat()),
        (Stage::Created(server()), vec!["reach", "trust", "install", "serve"]),
        (Stage::Trusted(server()), vec!["install", "serve"]),
        (Stage::Installed(server()), vec!["serve"]),
        (Stage::Serving(server()), vec!["serve"]),
    ];
    for (stage, expected) in stages {
        assert_eq!(words(&plan(instance(stage.clone()), &seen).unwrap()), expected, "{stage:?}");
    }
    seen.healthy.insert("alice".parse().unwrap());
    assert!(plan(instance(Stage::Serving(server())), &seen).unwrap().is_empty());
    assert_eq!(words(&plan(instance(Stage::Serving(injected())), &seen).unwrap()), ALL[2..4]);
}

#[test]
fn a_server_that_vanished_is_made_again_and_one_that_is_off_is_switched_on() {
    let mut seen = with_common();
    let all = [["create"].as_slice(), &ALL].concat();
    assert_eq!(words(&plan(instance(Stage::Serving(server())), &seen).unwrap()), all);
    let off = CloudServer { off: true, ..cloud_server(7) };
    seen.servers.insert("alice".parse().unwrap(), vec![off]);
    let anew = ["power-on", "reach", "trust", "install", "serve"];
    assert_eq!(words(&plan(instance(Stage::Serving(server())), &seen).unwrap()), anew);
}

#[test]
fn the_labels_name_the_one_key_that_the_server_has_made() {
    let mut seen = with_common();
    seen.healthy.insert("alice".parse().unwrap());
    let key = |byte: &str| format!("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{}", byte.repeat(43));
    let own = Server { host_key: key("B"), ..server() };
    let alice = instance(Stage::Serving(own));
    let is_told = |named: &[&str], expected: &[&str]| {
        let mut seen = seen.clone();
        let labels = FleetId::key_labels(named).collect();
        let server = CloudServer { labels, ..cloud_server(7) };
        seen.servers.insert("alice".parse().unwrap(), vec![server]);
        assert_eq!(words(&plan(alice.clone(), &seen).unwrap()), expected, "{named:?}");
    };
    is_told(&[&key("B")], &[]);
    is_told(&[&key("A")], &["label-host-key"]);
    is_told(&[&key("B"), &key("A")], &["label-host-key"]);
    is_told(&[], &["label-host-key"]);
}

#[test]
fn the_labels_name_the_injected_key_while_that_has_signed_the_one_of_its_own() {
    let key = |byte: &str| format!("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{}", byte.repeat(43));
    let signed = Server { host_key: key("B"), birth_key: Some(key("A")), ..server() };
    let mut seen = with_common();
    seen.healthy.insert("alice".parse().unwrap());
    let mut steps = |named: &str| {
        let server = CloudServer { labels: FleetId::key_labels(&[named]).collect(), ..cloud_server(7) };
        seen.servers.insert("alice".parse().unwrap(), vec![server]);
        words(&plan(instance(Stage::Serving(signed.clone())), &seen).unwrap())
    };
    assert_eq!(steps(&key("A")), [""; 0]);
    assert_eq!(steps(&key("C")), ["label-host-key"]);
}

#[test]
fn changed_admin_networks_lock_nobody_out_half_way() {
    let mut seen = with_common();
    let old = AdminNetworks::parse(["198.51.100.0/24"]).unwrap();
    seen.firewalls[0].rules = firewall_rules(&old);
    seen.servers.insert("alice".parse().unwrap(), vec![cloud_server(7)]);
    seen.healthy.insert("alice".parse().unwrap());
    let plan = plan(instance(Stage::Serving(server())), &seen).unwrap();
    let both = AdminNetworks::parse(["198.51.100.0/24", "203.0.113.7"]).unwrap();
    assert_eq!(plan.before, [FleetStep::SetFirewallRules(3, firewall_rules(&both))]);
    assert_eq!(plan.instances[0].steps, [Step::Admit]);
    assert_eq!(plan.after, [FleetStep::SetFirewallRules(3, firewall_rules(&admin()))]);
}

#[test]
fn a_firewall_that_only_the_console_changed_concerns_no_host() {
    let mut seen = with_common();
    seen.firewalls[0].rules.retain(|rule| rule.port.as_deref() == Some("22"));
    seen.servers.insert("alice".parse().unwrap(), vec![cloud_server(7)]);
    seen.healthy.insert("alice".parse().unwrap());
    let plan = plan(instance(Stage::Serving(server())), &seen).unwrap();
    assert_eq!(plan.before, [FleetStep::SetFirewallRules(3, firewall_rules(&admin()))]);
    assert!(plan.instances[0].steps.is_empty() && plan.after.is_empty());
}

#[test]
fn changed_admin_networks_reach_the_instances_that_are_not_named() {
    let mut seen = with_common();
    seen.firewalls[0].rules = firewall_rules(&AdminNetworks::parse(["198.51.100.0/24"]).unwrap());
    let mut bob = instance(Stage::Reachable(server()));
    bob.name = "bob".parse().unwrap();
    seen.servers.insert(bob.name.clone(), vec![cloud_server(7)]);
    let admin = admin();
    let instances = vec![instance(Stage::Planned)];
    let keys = keys();
    let wish = Wish { others: vec![bob], ..wish(instances, &admin, &keys) };
    let plan = provision(wish, &seen).unwrap();
    let steps: Vec<_> =
        plan.instances.iter().map(|part| part.steps.iter().map(Step::word).collect::<Vec<_>>()).collect();
    assert_eq!(steps, [[["create"].as_slice(), &ALL].concat(), vec!["trust", "admit"]]);
}

#[test]
fn a_name_is_set_unless_it_points_at_the_server_already() {
    let mut seen = with_common();
    seen.servers.insert("alice".parse().unwrap(), vec![cloud_server(7)]);
    seen.zones.insert("example.org".into(), CloudZone::default());
    let mut alice = instance(Stage::Created(server()));
    alice.spec.domain = Some("example.org".into());
    assert_eq!(words(&plan(alice.clone(), &seen).unwrap())[0], "name");
    let record = (("alice".to_owned(), "A".to_owned()), vec!["198.51.100.7".to_owned()]);
    seen.zones.get_mut("example.org").unwrap().records.extend([record]);
    assert_eq!(words(&plan(alice.clone(), &seen).unwrap())[0], "reach");
    alice.spec.domain = Some("example.com".into());
    assert_eq!(refused(alice, &seen).0, "cannot use the domain example.com");
}

#[test]
fn whoever_has_a_certificate_is_not_asked_how_to_get_one() {
    let mut seen = with_common();
    seen.servers.insert("alice".parse().unwrap(), vec![cloud_server(7)]);
    let delegation = Delegation { status: Some("lame".into()), ..Delegation::default() };
    seen.zones.insert("example.org".into(), CloudZone { delegation, ..CloudZone::default() });
    for (stage, is_refused) in [
        (Stage::Planned, true),
        (Stage::Created(server()), true),
        (Stage::Trusted(server()), true),
        (Stage::Installed(server()), false),
        (Stage::Serving(server()), false),
    ] {
        let mut alice = instance(stage);
        alice.spec.domain = Some("example.org".into());
        assert_eq!(plan(alice.clone(), &seen).is_err(), is_refused, "{:?}", alice.stage);
    }
}

#[test]
fn who_would_get_no_certificate_yet_is_told_when_and_has_no_server_until_then() {
    let mut seen = with_common();
    seen.zones.insert("example.org".into(), CloudZone::default());
    let now: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
    let named = |name: &str| {
        let mut one = instance(Stage::Planned);
        (one.name, one.spec.domain) = (name.parse().unwrap(), Some("example.org".into()));
        one
    };
    let plan = |names: &[&str], ordered: usize| {
        let orders = (0..ordered).map(|number| (format!("n{number}").parse().unwrap(), now));
        let budgets = [("example.org".to_owned(), Budget::after(orders))].into();
        let (instances, admin) = (names.iter().map(|name| named(name)).collect(), admin());
        provision(Wish { budgets: Some((budgets, now)), ..wish(instances, &admin, &keys()) }, &seen)
    };
    let both = plan(&["alice", "bob"], 49).unwrap();
    assert_eq!((both.creates(), both.instances.len()), (1, 1));
    let until = "2026-11-22T15:21:36Z".parse().unwrap();
    assert_eq!(both.later, [Later { name: "bob".parse().unwrap(), until }]);
    assert_eq!(both.cost, Some((Price::parse("5.99").unwrap(), "EUR".into())), "of what is created now");
    assert_eq!(plan(&["alice", "bob"], 48).unwrap().later, []);
    let refusal = plan(&["alice", "bob"], 50).unwrap_err();
    assert_eq!(refusal.to_string(), "no certificate is to be had yet for alice");
}

#[test]
fn a_foreign_record_is_never_taken_over() {
    let mut seen = with_common();
    let foreign = BTreeSet::from(["alice".to_owned()]);
    seen.zones.insert("example.org".into(), CloudZone { foreign, ..CloudZone::default() });
    let mut alice = instance(Stage::Planned);
    alice.spec.domain = Some("example.org".into());
    assert_eq!(refused(alice, &seen).0, "alice.example.org is taken");
}

#[test]
fn what_cannot_be_had_is_refused_with_a_near_match() {
    let seen = with_common();
    let ask = |change: fn(&mut InstanceSpec)| {
        let mut alice = instance(Stage::Planned);
        change(&mut alice.spec);
        refused(alice, &seen)
    };
    let (what, hint) = ask(|spec| spec.server_type = "cx32".into());
    assert_eq!((what.as_str(), hint.as_str()), ("unknown server type \"cx32\"", "did you mean cx23?"));
    let (what, hint) = ask(|spec| spec.locations = vec!["fsn".into()]);
    assert_eq!((what.as_str(), hint.as_str()), ("unknown location \"fsn\"", "did you mean fsn1?"));
    let (what, hint) = ask(|spec| spec.image = "debian-31".into());
    assert_eq!((what.as_str(), hint.as_str()), ("unknown image \"debian-31\"", "did you mean debian-13?"));
    assert_eq!(ask(|spec| spec.locations = vec!["ash".into()]).0, "location ash is outside the EU");
}

#[test]
fn outside_the_eu_only_where_the_operator_named_it() {
    let mut alice = instance(Stage::Planned);
    alice.spec.locations = vec!["ash".into()];
    let admin = admin();
    let named_locations = &["ash".to_owned()];
    let keys = keys();
    let wish = Wish { named_locations, ..wish(vec![alice], &admin, &keys) };
    assert_eq!(provision(wish, &with_common()).unwrap().creates(), 1);
}

#[test]
fn sold_out_places_are_tried_last() {
    let mut seen = with_common();
    seen.offer.as_mut().unwrap().types[0].sold_out.insert("fsn1".into());
    let plan = plan(instance(Stage::Planned), &seen).unwrap();
    let Step::Create(order) = &plan.instances[0].steps[0] else { panic!("{plan:?}") };
    assert_eq!(order.locations, ["hel1", "fsn1"]);
}

#[test]
fn two_servers_of_one_name_and_one_that_is_going_are_refused() {
    let mut seen = with_common();
    assert_eq!(refused(instance(Stage::Destroying(None)), &seen).0, "alice is being removed");
    seen.servers.insert("alice".parse().unwrap(), vec![cloud_server(7), cloud_server(8)]);
    assert_eq!(refused(instance(Stage::Planned), &seen).0, "alice has more than one server");
}

#[test]
fn the_server_of_who_was_asked_for_before_that_is_protected() {
    let admin = admin();
    let mut seen = with_common();
    seen.healthy.insert("alice".parse().unwrap());
    let mut steps = |protected: bool, before: &str| {
        let labels = FleetId::key_labels(&[KEY]).collect();
        let server_seen = CloudServer { protected, labels, ..cloud_server(7) };
        seen.servers.insert("alice".parse().unwrap(), vec![server_seen]);
        let (protect_before, keys) = (Some(before.parse().unwrap()), keys());
        let instances = vec![instance(Stage::Serving(server()))];
        let wish = Wish { protect_before, ..wish(instances, &admin, &keys) };
        provision(wish, &seen).unwrap().instances.remove(0).steps
    };
    assert_eq!(steps(false, "2026-11-22T00:00:00Z"), []);
    assert_eq!(steps(false, "2026-11-22T00:00:01Z"), [Step::Protect(7)]);
    assert_eq!(steps(true, "2026-11-22T00:00:01Z"), []);
}
