//! From what is known and seen to what differs and what is to be done.

use std::net::Ipv4Addr;

use super::*;
use crate::model::instance::Server;
use crate::model::observed::{
    CloudAddress, CloudFirewall, CloudSnapshot, CloudSshKey, HostState, Prices, firewall_rules,
};
use crate::model::zone::CloudZone;

const KEY: &str = "ssh-ed25519 AAAA";

/// A fleet with alice, who serves on server 7, and everything as it should be.
struct World {
    fleet: FleetId,
    admin: AdminNetworks,
    instances: Vec<Instance>,
    busy: BTreeSet<InstanceName>,
    makes_an_image: bool,
    seen: Observed,
    protect_before: Option<Timestamp>,
}

fn keys() -> Keys {
    Keys { fleet: KEY.to_owned(), others: Vec::new() }
}

fn spec() -> InstanceSpec {
    let integrity = format!("sha512-{}==", "A".repeat(86));
    let spec = serde_json::json!({
        "server_type": "cx23", "locations": ["fsn1"], "image": "debian-13", "domain": null,
        "release": { "openclaw": "2026.9.6", "engines": ">=24", "integrity": integrity, "node": "24.21.0" },
    });
    serde_json::from_value(spec).unwrap()
}

fn name(text: &str) -> InstanceName {
    text.parse().unwrap()
}

/// What is done with a server that is found.
const ADOPT: [&str; 7] = ["adopt", "reach", "trust", "make-host-key", "switch-host-key", "install", "serve"];

fn recorded(id: u64) -> Server {
    let ipv4 = Ipv4Addr::new(198, 51, 100, 7);
    Server {
        id,
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

impl World {
    fn new() -> Self {
        let admin = AdminNetworks::parse(["203.0.113.7"]).unwrap();
        let alice = Instance {
            name: name("alice"),
            spec: spec(),
            stage: Stage::Serving(recorded(7)),
            created: "2026-11-22T00:00:00Z".into(),
        };
        let mut world = Self {
            fleet: FleetId::from_bytes([0; 8]),
            seen: Observed {
                firewalls: vec![CloudFirewall { id: 3, rules: firewall_rules(&admin) }],
                ssh_keys: vec![CloudSshKey { id: 1, public_key: KEY.into() }],
                prices: Some(Prices {
                    currency: "EUR".into(),
                    server: [(("cx23".into(), "fsn1".into()), Price::parse("5.49").unwrap())].into(),
                    ipv4: [("fsn1".into(), Price::parse("0.50").unwrap())].into(),
                    snapshot_gb: Price::parse("0.01"),
                }),
                ..Observed::default()
            },
            admin,
            instances: vec![alice],
            busy: BTreeSet::new(),
            makes_an_image: false,
            protect_before: None,
        };
        world.host(HostState::Serves);
        world.see("alice", world.server(7, "alice"));
        world
    }

    fn server(&self, id: u64, instance: &str) -> CloudServer {
        CloudServer {
            id,
            name: self.fleet.server_name(&name(instance)),
            ipv4: Some(Ipv4Addr::new(198, 51, 100, 7)),
            ipv6: None,
            location: "fsn1".into(),
            server_type: "cx23".into(),
            off: false,
            op: None,
            labels: self.fleet.server_labels(&name(instance), &spec(), &[KEY]),
            firewalls: [3].into(),
            protected: false,
        }
    }

    fn see(&mut self, label: &str, server: CloudServer) {
        self.seen.servers.entry(name(label)).or_default().push(server);
    }

    fn alices(&mut self) -> &mut CloudServer {
        &mut self.seen.servers.get_mut(&name("alice")).unwrap()[0]
    }

    fn host(&mut self, state: HostState) {
        self.seen.healthy = if state.can_be_mended() { BTreeSet::new() } else { [name("alice")].into() };
        self.seen.hosts.insert(name("alice"), state);
    }

    fn stage(&mut self, stage: Stage) {
        self.instances[0].stage = stage;
        self.seen.hosts.clear();
        self.seen.healthy.clear();
    }

    fn reconcile(&self) -> Reconciliation {
        let case = Case {
            fleet: &self.fleet,
            instances: self.instances.clone(),
            busy: &self.busy,
            makes_an_image: self.makes_an_image,
            admin: &self.admin,
            keys: &keys(),
            named_locations: &[],
            authority: Authority::Other,
            blank: &spec(),
            now: "",
            protect_before: self.protect_before,
        };
        reconcile(case, &self.seen)
    }

    /// What is found, and the steps, each in one word.
    fn told(&self) -> (Vec<String>, Vec<&'static str>) {
        let result = self.reconcile();
        let findings = result.findings.iter().map(|finding| {
            let month = finding.month.map(|month| format!(", {month}")).unwrap_or_default();
            format!("{}: {}, {}{month}", finding.subject, finding.drift.words(), finding.drift.found())
        });
        let plan = &result.plan;
        let steps = plan.before.iter().map(FleetStep::word);
        let steps = steps.chain(plan.instances.iter().flat_map(|part| &part.steps).map(Step::word));
        (findings.collect(), steps.chain(plan.after.iter().map(FleetStep::word)).collect())
    }
}

#[track_caller]
fn expect(world: &World, findings: &[&str], steps: &[&str]) {
    assert_eq!(world.told(), (findings.iter().map(|text| (*text).to_owned()).collect(), steps.to_vec()));
}

#[test]
fn as_it_should_be_is_no_drift() {
    expect(&World::new(), &[], &[]);
}

#[test]
fn servers_of_nobody_are_deleted_with_their_names() {
    let mut world = World::new();
    let bob = world.server(9, "bob");
    world.see("bob", bob);
    let stray = world.server(8, "x");
    world.seen.strays.push(stray);
    let mut zone = CloudZone::default();
    zone.records.insert(("bob".into(), "A".into()), Vec::new());
    world.seen.zones.insert("example.org".into(), zone);
    expect(
        &world,
        &[
            "fleet: orphan server, server 8 (cx23, fsn1), 5.99",
            "bob: orphan server, server 9 (cx23, fsn1), 5.99",
        ],
        &["delete-strays", "unname", "delete", "prove-absence"],
    );
    assert_eq!(world.reconcile().plan.deletes(), 2);
}

#[test]
fn of_two_servers_the_recorded_one_stays() {
    let mut world = World::new();
    let second = world.server(6, "alice");
    world.see("alice", second);
    expect(&world, &["alice: second server, server 6 (cx23, fsn1), 5.99"], &["delete-strays"]);
    assert_eq!(world.reconcile().plan.before, [FleetStep::DeleteStrays(vec![6])]);
}

#[test]
fn who_is_older_than_a_day_is_protected_and_what_is_protected_is_not_removed_by_the_way() {
    let mut world = World::new();
    world.protect_before = Some("2026-11-22T00:00:00Z".parse().unwrap());
    expect(&world, &[], &[]);
    world.protect_before = Some("2026-11-22T00:00:01Z".parse().unwrap());
    // it is nothing that is asked of the host
    for host in [HostState::Serves, HostState::Unreachable("no".into())] {
        world.host(host);
        assert_eq!(world.told().0[0], "alice: not protected, server 7 may be deleted");
        assert_eq!(world.reconcile().plan.instances[0].steps, [Step::Protect(7)]);
    }
    world.host(HostState::Serves);
    world.alices().protected = true;
    for (label, id) in [("alice", 6), ("bob", 9)] {
        let server = CloudServer { protected: true, ..world.server(id, label) };
        world.see(label, server);
    }
    let found = [
        "alice: second server, server 6 (cx23, fsn1), 5.99",
        "bob: orphan server, server 9 (cx23, fsn1), 5.99",
    ];
    expect(&world, &found, &[]);
    assert!(world.reconcile().findings.iter().all(Finding::stays));
    // the removal that somebody has asked for goes on
    world.stage(Stage::Destroying(Some(recorded(7))));
    assert_eq!(world.told().1, ["unprotect", "delete", "prove-absence"]);
    assert_eq!(world.reconcile().plan.instances[0].steps[0], Step::Unprotect(vec![6, 7]));
    // and what a protected server needs stays, also where there is no instance
    world.instances.clear();
    world.seen.servers.remove(&name("alice"));
    expect(&world, &found[1..], &[]);
}

#[test]
fn a_server_that_another_record_has_is_nobody_elses() {
    let mut world = World::new();
    let mut carol = world.instances[0].clone();
    carol.name = name("carol");
    carol.stage = Stage::Destroying(None);
    world.instances.push(carol);
    // somebody has written carol's name on alice's server
    let mut server = world.seen.servers.remove(&name("alice")).unwrap().remove(0);
    server.labels.insert("instance".into(), "carol".into());
    world.see("carol", server);
    expect(
        &world,
        &["alice: wrong labels, server 7: instance", "carol: half removed, destroying"],
        &["label", "delete", "prove-absence"],
    );
    let plan = world.reconcile().plan;
    assert_eq!(plan.instances[1].steps, [Step::Delete(Vec::new())]);
}

#[test]
fn labels_are_set_beside_those_that_are_nobodys_business() {
    let mut world = World::new();
    let server = world.alices();
    server.labels.remove("openclaw");
    server.labels.insert("team".into(), "red".into());
    let mut wanted = server.labels.clone();
    wanted.insert("openclaw".into(), "2026.9.6".into());
    // without the fleet's label it is found by its id alone
    let server = world.seen.servers.remove(&name("alice")).unwrap().remove(0);
    world.seen.by_id.insert(7, server);
    expect(&world, &["alice: wrong labels, server 7: openclaw"], &["label"]);
    assert_eq!(world.reconcile().plan.instances[0].steps, [Step::Label(7, wanted)]);
}

#[test]
fn an_instance_that_stopped_half_way_is_finished() {
    let mut world = World::new();
    let stages = [
        (Stage::Planned, "planned, with server 7", ADOPT.to_vec()),
        (Stage::Created(recorded(7)), "created", vec!["reach", "trust", "install", "serve"]),
        (Stage::Reachable(recorded(7)), "reachable", vec!["trust", "install", "serve"]),
        (Stage::Trusted(recorded(7)), "trusted", vec!["install", "serve"]),
        (Stage::Installed(recorded(7)), "installed", vec!["serve"]),
    ];
    for (stage, found, steps) in stages {
        world.stage(stage);
        expect(&world, &[&format!("alice: half-way, {found}")], &steps);
    }
    // the last one takes firewall and key with it
    world.stage(Stage::Destroying(Some(recorded(7))));
    let steps = ["delete", "delete-firewall", "delete-ssh-key", "prove-absence"];
    expect(&world, &["alice: half removed, destroying"], &steps);
    world.seen.servers.clear();
    world.stage(Stage::Destroying(None));
    world.seen.interrupted.insert(name("alice"), std::time::Duration::from_secs(9));
    assert_eq!(world.told().1[..2], ["sweep", "delete"]);
}

#[test]
fn what_cannot_be_made_is_only_reported() {
    let mut world = World::new();
    world.stage(Stage::Planned);
    world.seen.servers.clear();
    expect(&world, &["alice: cannot be made, unknown server type \"cx23\""], &[]);
    assert!(world.reconcile().findings[0].stays());
}

#[test]
fn a_missing_server_is_made_anew_and_one_that_is_off_is_switched_on() {
    let mut world = World::new();
    world.alices().off = true;
    world.seen.hosts.clear();
    world.seen.healthy.clear();
    expect(
        &world,
        &["alice: server off, server 7 is off"],
        &["power-on", "reach", "trust", "install", "serve"],
    );
    world.alices().id = 8;
    world.alices().off = false;
    expect(&world, &["alice: missing server, server 7 is gone"], &ADOPT);
}

#[test]
fn firewalls_are_made_set_applied_and_one() {
    let mut world = World::new();
    world.alices().firewalls = [4].into();
    world.seen.firewalls.push(CloudFirewall { id: 4, rules: Vec::new() });
    expect(
        &world,
        &["fleet: second firewall, firewall 4", "alice: no firewall applied, server 7 is open"],
        &["guard", "drop-firewall"],
    );
    assert_eq!(world.reconcile().plan.after, [FleetStep::DropFirewall(4, vec![7])]);

    world.seen.firewalls.clear();
    expect(
        &world,
        &["fleet: missing firewall, none", "alice: no firewall applied, server 7 is open"],
        &["create-firewall", "guard"],
    );
    let mut world = World::new();
    world.seen.firewalls[0].rules.pop();
    expect(&world, &["fleet: changed firewall, firewall 3 has other rules"], &["set-firewall-rules"]);
}

#[test]
fn changed_admin_networks_are_closed_only_when_every_host_knows() {
    let mut world = World::new();
    world.seen.firewalls[0].rules = firewall_rules(&AdminNetworks::parse(["198.51.100.0/24"]).unwrap());
    let found = ["fleet: changed firewall, firewall 3 has other rules"];
    expect(&world, &found, &["set-firewall-rules", "admit", "set-firewall-rules"]);
    world.busy.insert(name("bob"));
    expect(&world, &found, &["set-firewall-rules", "admit"]);
    world.busy.clear();
    world.host(HostState::Unreachable("no".into()));
    let found = [found[0], "alice: unreachable, no"];
    expect(&world, &found, &["set-firewall-rules"]);
}

#[test]
fn a_server_that_shows_its_injected_key_makes_its_own_where_it_can_be_trusted() {
    let mut world = World::new();
    let injected = Server { own_host_key: false, ..recorded(7) };
    world.instances[0].stage = Stage::Serving(injected);
    let steps = ["make-host-key", "switch-host-key"];
    expect(&world, &["alice: injected host key, server 7 has none of its own"], &steps);
    world.host(HostState::OtherKey("it shows SHA256:x".into()));
    expect(&world, &["alice: other host key, it shows SHA256:x"], &[]);
}

#[test]
fn keys_are_made_known_and_others_deleted() {
    let mut world = World::new();
    world.seen.ssh_keys[0].public_key = "ssh-ed25519 BBBB".into();
    expect(
        &world,
        &["fleet: orphan SSH key, key 1", "fleet: missing SSH key, none"],
        &["delete-ssh-key", "create-ssh-key"],
    );
}

#[test]
fn names_point_at_their_servers_and_others_are_removed() {
    let mut world = World::new();
    world.instances[0].spec.domain = Some("example.org".into());
    let labels = world.fleet.server_labels(&name("alice"), &world.instances[0].spec, &[KEY]);
    world.alices().labels = labels;
    let mut zone = CloudZone::default();
    zone.records.insert(("alice".into(), "A".into()), vec!["192.0.2.1".into()]);
    zone.records.insert(("dave".into(), "AAAA".into()), Vec::new());
    let mut other = CloudZone::default();
    other.records.insert(("alice".into(), "A".into()), Vec::new());
    world.seen.zones = [("example.org".into(), zone), ("example.com".into(), other)].into();
    expect(
        &world,
        &[
            "fleet: orphan DNS name, alice.example.com",
            "fleet: orphan DNS name, dave.example.org",
            "alice: wrong DNS name, in example.org",
        ],
        &["delete-names", "name"],
    );
}

#[test]
fn addresses_and_snapshots_of_nobody_are_deleted() {
    let mut world = World::new();
    for (id, ip) in [(5, "198.51.100.9"), (6, "2001:db8::/64")] {
        world.seen.addresses.push(CloudAddress { id, ip: ip.into(), location: "fsn1".into() });
    }
    world.seen.snapshots.push(CloudSnapshot { id: 8, description: "old".into(), size: Some(50.0) });
    expect(
        &world,
        &[
            "fleet: orphan address, address 5 (198.51.100.9), 0.50",
            "fleet: orphan address, address 6 (2001:db8::/64)",
            "fleet: orphan snapshot, snapshot 8 (old), 0.50",
        ],
        &["delete-addresses", "delete-snapshots"],
    );
}

#[test]
fn hosts_are_mended_where_they_can_be_trusted() {
    let mut world = World::new();
    let cases = [
        (HostState::OtherKey("k".into()), "other host key, k", vec![]),
        (HostState::Unreachable("u".into()), "unreachable, u", vec![]),
        (HostState::SetUpFor("s".into()), "other release, s", vec!["settle", "serve"]),
        (HostState::Runs("r".into()), "other release, r", vec!["set-up", "serve"]),
        (HostState::Certificate("c".into()), "certificate, c", vec!["set-up", "serve"]),
        (HostState::Fails("f".into()), "not serving, f", vec!["set-up", "serve"]),
    ];
    for (state, found, steps) in cases {
        world.host(state);
        expect(&world, &[&format!("alice: {found}")], &steps);
        assert_eq!(world.reconcile().findings[0].stays(), steps.is_empty());
    }
}

#[test]
fn what_another_process_works_on_is_left_alone() {
    let mut world = World::new();
    world.busy = [name("alice"), name("bob")].into();
    world.stage(Stage::Trusted(recorded(7)));
    // bob is being created: his record was not there yet when this one was read
    let bob = world.server(9, "bob");
    world.see("bob", bob);
    expect(&world, &[], &[]);
    assert_eq!(world.reconcile().left_alone, [name("alice")]);
}

#[test]
fn without_an_instance_nothing_is_to_be_left() {
    let mut world = World::new();
    world.instances.clear();
    world.seen.servers.clear();
    expect(
        &world,
        &["fleet: orphan firewall, firewall 3", "fleet: orphan SSH key, key 1"],
        &["delete-firewall", "delete-ssh-key", "prove-absence"],
    );
    world.seen.firewalls.clear();
    world.seen.ssh_keys.clear();
    expect(&world, &[], &[]);
}

#[test]
fn a_server_that_is_to_become_an_image_is_left_alone_while_somebody_makes_it() {
    let mut world = World::new();
    let mut builder = world.server(8, "x");
    builder.labels = world.fleet.labels();
    builder.labels.insert(crate::model::image::BUILDER.into(), "2026.9.6".into());
    world.seen.strays.push(builder);
    let left = ["fleet: orphan server, server 8 (cx23, fsn1), 5.99"];
    expect(&world, &left, &["delete-strays"]);
    world.makes_an_image = true;
    expect(&world, &[], &[]);
    // nor are firewall and key taken from it
    world.instances.clear();
    world.seen.servers.clear();
    world.seen.hosts.clear();
    expect(&world, &[], &[]);
}
