//! One instance of which all holds, and what happens to a promise when exactly that is changed.

mod egress;
mod sandbox;

use std::net::Ipv4Addr;

use super::*;
use crate::model::flaw::Flaw;
use crate::model::fleet::OpId;
use crate::model::instance::{InstanceSpec, Server, Stage};
use crate::model::observed::{CloudFirewall, CloudServer, firewall_rules};
use crate::model::operator_key::{KeyStatus, OperatorKey};
use crate::model::policy::{Enacted, Policy};
use crate::plan::policy::settings;

/// As a server told it.
const HEALTHY: &str = include_str!("healthy.txt");
const HOST_KEY: &str = "ssh-ed25519 AAAAhost";

struct World {
    fleet: FleetId,
    alice: Instance,
    admin: AdminNetworks,
    seen: Observed,
    named: Vec<String>,
    protect_before: Option<Timestamp>,
    laid: BTreeMap<&'static str, String>,
    keys: Keys,
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

impl World {
    fn new() -> Self {
        let fleet = FleetId::from_bytes([0; 8]);
        let admin = AdminNetworks::parse(["203.0.113.7"]).unwrap();
        let ipv4 = Ipv4Addr::new(198, 51, 100, 7);
        let server = Server {
            id: 7,
            ipv4,
            ipv6: None,
            location: "fsn1".into(),
            host_key: HOST_KEY.into(),
            next_host_key: None,
            own_host_key: true,
            birth_key: None,
            admitted: None,
            standby: None,
        };
        let alice = Instance {
            name: name("alice"),
            spec: spec(),
            stage: Stage::Serving(server),
            created: "2026-11-22T00:00:00Z".into(),
        };
        let found = CloudServer {
            id: 7,
            name: fleet.server_name(&alice.name),
            ipv4: Some(ipv4),
            ipv6: None,
            location: "fsn1".into(),
            server_type: "cx23".into(),
            off: false,
            op: None,
            labels: fleet.server_labels(&alice.name, &alice.spec, &[HOST_KEY]),
            firewalls: [3].into(),
            protected: true,
        };
        let mut seen = Observed {
            firewalls: vec![CloudFirewall { id: 3, rules: firewall_rules(&admin) }],
            ..Observed::default()
        };
        seen.servers.insert(alice.name.clone(), vec![found]);
        let protect_before = Some(Timestamp::MAX);
        let keys = Keys { fleet: "ssh-ed25519 AAAAfleet".to_owned(), others: Vec::new() };
        Self { fleet, alice, admin, seen, named: Vec::new(), protect_before, laid: BTreeMap::new(), keys }
    }

    fn server(&mut self) -> &mut CloudServer {
        &mut self.seen.servers.get_mut(&name("alice")).unwrap()[0]
    }

    /// The promises that do not hold, with what shows it.
    fn broken(&self, told: &str) -> Vec<String> {
        let expected = Expected {
            fleet: &self.fleet,
            instance: &self.alice,
            keys: &self.keys,
            admin: &self.admin,
            named_locations: &self.named,
            flaws: &[Flaw {
                id: "CVE-1".into(),
                what: "it leaks".into(),
                fixed: "2026.4.15".parse().unwrap(),
            }],
            protect_before: self.protect_before,
            laid: &self.laid,
        };
        let findings = [cloud(&expected, &self.seen), host(&expected, &Facts::parse(told))].concat();
        let broken = findings.into_iter().filter(|(_, verdict)| verdict.word() != "ok");
        broken
            .map(|(promise, verdict)| format!("{} {promise}: {}", verdict.word(), verdict.evidence()))
            .collect()
    }
}

/// What is told after a change of the healthy one.
fn told(from: &str, to: &str) -> String {
    changed(HEALTHY, from, to)
}

/// The same of another one.
fn changed(healthy: &str, from: &str, to: &str) -> String {
    assert!(healthy.contains(from), "{from:?} is not told");
    healthy.replacen(from, to, 1)
}

#[test]
fn on_a_healthy_host_all_holds() {
    assert_eq!(World::new().broken(HEALTHY), [""; 0]);
}

#[test]
fn who_logs_in_is_held_against_what_is_written_down() {
    let mut world = World::new();
    let key = |status, is_fleets| OperatorKey {
        public: "ssh-ed25519 AAAAcarol".to_owned(),
        comment: "carol@desk".to_owned(),
        status,
        is_fleets,
    };
    let with =
        told("AAAAfleet cb-fleet", "AAAAfleet cb-fleet\nauthorized=root=ssh-ed25519 AAAAcarol carol@desk");
    assert_eq!(world.broken(&with), ["fail keys: root lets in ssh-ed25519 AAAAcarol"]);
    let gone = |how: &str| {
        format!(
            "fail keys: root still lets in ssh-ed25519 AAAAcarol carol@desk, which is to go; `clawberth keys {how}` goes on"
        )
    };
    for (status, is_fleets, without, also) in [
        (KeyStatus::Joining, false, vec![], vec![]),
        (
            KeyStatus::InForce,
            false,
            vec!["fail keys: ssh-ed25519 AAAAcarol carol@desk is not let in".to_owned()],
            vec![],
        ),
        (KeyStatus::Leaving, false, vec![], vec![gone("remove")]),
        (KeyStatus::Leaving, true, vec![], vec![gone("rotate")]),
    ] {
        world.keys.others = vec![key(status, is_fleets)];
        assert_eq!(world.broken(HEALTHY), without, "{status:?}");
        assert_eq!(world.broken(&with), also, "{status:?}");
    }
}

#[test]
fn each_change_of_a_host_breaks_its_own_promise_and_no_other() {
    for (from, to, broken) in [
        ("host_key=ssh", "host_key=ssh-rsa AAAA\nhost_key=ssh", "fail host-key: it has ssh-rsa AAAA"),
        (
            "AAAAhost",
            "AAAAother",
            "fail host-key: it has ssh-ed25519 AAAAother; it has not got the pinned one",
        ),
        (
            "sshd=hostkey /etc/ssh/clawberth_host_ed25519_key",
            "sshd=hostkey /etc/ssh/ssh_host_ed25519_key",
            "fail own-host-key: sshd takes /etc/ssh/ssh_host_ed25519_key",
        ),
        (
            "cloud_init=off",
            "cloud_init=on",
            "fail own-host-key: cloud-init would bring the injected one back",
        ),
        (
            "cloud_init=off",
            "cloud_init=off\ninjected=/var/lib/cloud/user-data.txt",
            "fail own-host-key: /var/lib/cloud/user-data.txt has the injected one",
        ),
        (
            "sshd=passwordauthentication no",
            "sshd=passwordauthentication yes",
            "fail sshd: passwordauthentication is yes",
        ),
        ("sshd=allowusers root\n", "", "fail sshd: allowusers is not set"),
        (
            ",sntrup761x25519-sha512@openssh.com",
            ",curve25519-sha256",
            "fail sshd: kexalgorithms is mlkem768x25519-sha256,sntrup761x25519-sha512,curve25519-sha256",
        ),
        (
            "AAAAfleet cb-fleet",
            "AAAAfleet\nauthorized=root=ssh-rsa B ssh-ed25519 AAAAfleet",
            "fail keys: root lets in ssh-rsa B",
        ),
        (
            "AAAAfleet cb-fleet",
            "AAAAfleet\nauthorized=root=ssh-rsa B eve",
            "fail keys: root lets in ssh-rsa B",
        ),
        (
            "AAAAfleet cb-fleet",
            "AAAAfleet\nauthorized=eve=ssh-ed25519 AAAAfleet x",
            "fail keys: eve lets in ssh-ed25519 AAAAfleet",
        ),
        ("nologin L", "nologin P", "fail passwords: the password of openclaw is not locked (P)"),
        ("account=root 0", "account=eve 0 /bin/sh L\naccount=root 0", "fail passwords: eve is root, too"),
        ("nftables=active", "nftables=inactive", "fail host-firewall: nftables.service is not active"),
        ("policy drop;", "policy accept;", "fail host-firewall: what is not allowed is not dropped"),
        (
            "input=tcp dport 443 accept",
            "input=tcp dport 443 accept\ninput=tcp dport 8080 accept",
            "fail host-firewall: it has \"tcp dport 8080 accept\"",
        ),
        (
            "input=tcp dport 443 add @open4 { ip saddr ct count over 256 } drop\n",
            "",
            "fail connections: the firewall has not got \"tcp dport 443 add @open4 { ip saddr ct count over 256 } drop\"",
        ),
        (
            "input=iif \"lo\" accept",
            "input=iif \"lo\" accept\ninput=tcp dport 443 accept",
            "fail connections: the firewall has not got \"tcp dport 443 update @new4 { ip saddr limit rate over 60/second burst 200 packets } drop\"; \
             the firewall has not got \"tcp dport 443 update @new6 { ip6 saddr & ffff:ffff:ffff:ffff:: limit rate over 60/second burst 200 packets } drop\"; \
             the firewall has not got \"tcp dport 443 add @open4 { ip saddr ct count over 256 } drop\"; \
             the firewall has not got \"tcp dport 443 add @open6 { ip6 saddr & ffff:ffff:ffff:ffff:: ct count over 256 } drop\"",
        ),
        ("admin4=203.0.113.7", "admin4=203.0.113.0/24", "fail host-firewall: 203.0.113.0/24 may log in"),
        (
            "listen=tcp *:443",
            "listen=tcp 0.0.0.0:8080 users:((\"nc\",pid=1,fd=3))\nlisten=tcp *:443",
            "fail listeners: tcp 0.0.0.0:8080 users:((\"nc\",pid=1,fd=3)) listens",
        ),
        ("metadata=nobody is not", "metadata=nobody is answered", "fail metadata: nobody is answered"),
        (
            "openclaw.exposure=1.5",
            "openclaw.exposure=8.6",
            "fail gateway-unit: exposed 8.6 of 10, and 1.5 is the limit",
        ),
        ("caddy.exposure=1.4\n", "", "fail caddy-unit: systemd does not say how it is shut in"),
        ("openclaw.runs=openclaw", "openclaw.runs=root", "fail gateway-user: openclaw is run by root"),
        (
            "groups=openclaw",
            "groups=openclaw docker",
            "fail gateway-user: openclaw is in the groups openclaw docker",
        ),
        (
            "secrets.json 600",
            "secrets.json 644",
            "fail state: /var/lib/openclaw/secrets.json is openclaw's, with mode 644",
        ),
        (
            "rotation=done",
            "rotation=half-way",
            "fail rotation: the token before may still be good; `clawberth rotate alice token` goes on",
        ),
        ("rotation=done\n", "", "fail rotation: whether one is cannot be seen"),
        (
            "programs=seen",
            "programs=seen\nwritable=/opt/node/x",
            "fail programs: /opt/node/x can be written by others",
        ),
        ("upgrades=active", "upgrades=inactive", "fail updates: unattended-upgrades.service is not active"),
        (
            "upgrades=active",
            "upgrades=active\npending=openssl",
            "warn updates: 1 pending: openssl; `clawberth update --os` installs them",
        ),
        ("now=1795551146", "now=1799551146", "warn updates: the lists of packages are 46 days old"),
        (
            "end=yes",
            "end=yes\nreboot=linux-image",
            "warn restart: linux-image wait for one; `clawberth update --os` restarts it",
        ),
        ("end=yes\n", "", "fail restart: it did not tell all"),
        ("caddy=LimitCORE=0", "caddy=LimitCORE=infinity", "fail core-dumps: caddy may dump its memory"),
        ("disk=53", "disk=97", "warn disk: 97 % are used"),
        ("journal=500M\n", "", "fail disk: the journal has no limit of ours"),
        ("\"mode\":\"token\"", "\"mode\":\"none\"", "fail auth: gateway.auth.mode is \"none\""),
        ("\"bind\":\"loopback\"", "\"bind\":\"lan\"", "fail auth: gateway.bind is \"lan\""),
        (
            "\"allowedOrigins\":[",
            "\"allowedOrigins\":[\"https://eve.example\",",
            "fail origins: gateway.controlUi.allowedOrigins is [\"https://eve.example\",\"https://198.51.100.7\"]",
        ),
        ("\"dmScope\":\"per-channel-peer\",", "", "fail sessions: session.dmScope is null"),
        (
            "\"terminal\":{\"enabled\":false}",
            "\"terminal\":{\"enabled\":true}",
            "fail shell: gateway.terminal.enabled is true",
        ),
        (
            "\"allowBundled\":[]",
            "\"allowBundled\":[\"github\"]",
            "fail skills: skills.allowBundled is [\"github\"]",
        ),
        (
            "\"telemetry\":{\"enabled\":false}",
            "\"telemetry\":{}",
            "fail telemetry: telemetry.enabled is null",
        ),
        ("devices=pending 0", "devices=pending 1", "fail devices: 1 wait for approval"),
        ("nodes=paired 0", "nodes=paired 2", "fail devices: 2 nodes are paired"),
        ("nodes=paired 0\n", "", "fail devices: the gateway does not tell of its devices"),
        ("\"critical\":0,", "\"critical\":1,", "fail own-audit: 1 critical: []"),
        (
            "version=2026.9.6",
            "version=2026.9.5",
            "fail release: it runs 2026.9.5, and its record has 2026.9.6",
        ),
    ] {
        assert_eq!(World::new().broken(&told(from, to)), [broken]);
    }
}

#[test]
fn a_release_with_a_known_hole_is_named() {
    let mut world = World::new();
    world.alice.spec.release.openclaw = "2026.4.5".parse().unwrap();
    world.server().labels.insert("openclaw".into(), "2026.4.5".into());
    let broken = world.broken(&told("version=2026.9.6", "version=2026.4.5"));
    assert_eq!(
        broken,
        [
            "fail release: 2026.4.5 has holes that are known and used: CVE-1 (it leaks); 2026.4.15 is the oldest release without them"
        ]
    );
}

#[test]
fn what_the_cloud_shows_breaks_its_own_promise() {
    type Break = fn(&mut World);
    let breaks: [(Break, &str); 7] = [
        (|world| world.server().location = "ash".into(), "fail location: it stands in ash"),
        (
            |world| world.server().firewalls = [3, 4].into(),
            "fail cloud-firewall: firewall 4 is before it, too",
        ),
        (
            |world| world.server().firewalls.clear(),
            "fail cloud-firewall: the fleet's firewall is not before it",
        ),
        (|world| world.seen.firewalls[0].rules.clear(), "fail cloud-firewall: its rules are others"),
        (
            |world| drop(world.server().labels.remove("instance")),
            "fail dedicated: its label instance is another one",
        ),
        (
            |world| world.server().protected = false,
            "warn protection: server 7 can be deleted; `clawberth reconcile --apply` protects it",
        ),
        (|world| world.server().ipv4 = None, "fail dedicated: it has another address than its record"),
    ];
    for (break_it, broken) in breaks {
        let mut world = World::new();
        break_it(&mut world);
        assert_eq!(world.broken(HEALTHY), [broken]);
    }
}

#[test]
fn who_is_new_or_whose_operator_wants_none_needs_no_protection() {
    let mut world = World::new();
    world.server().protected = false;
    for no_wish in [None, Some(Timestamp::UNIX_EPOCH)] {
        world.protect_before = no_wish;
        assert_eq!(world.broken(HEALTHY), [""; 0]);
    }
}

#[test]
fn outside_the_eu_only_where_the_operator_says_so() {
    let mut world = World::new();
    world.server().location = "ash".into();
    world.named = vec!["ash".into()];
    assert_eq!(world.broken(HEALTHY), [""; 0]);
}

#[test]
fn what_a_policy_lays_on_the_server_is_there_and_nothing_else() {
    let mut world = World::new();
    world.laid = [("a.nft", "a\n".to_owned()), ("b.nft", "b\n".to_owned())].into();
    let told = |lines: &str| world.broken(&format!("{HEALTHY}{lines}"));
    let a = "laid=a.nft 87428fc522803d31065e7bce3cf03fe475096631e5e07bbd7a0fde60c4cf25c7\n";
    let b = "laid=b.nft 0263829989b6fd954f72baaf2fc64bc2e2f01d692d4de72986ea808f6e99813f\n";
    assert_eq!(told(&format!("{a}{b}")), [""; 0]);
    assert_eq!(told(a), ["fail policy: b.nft is gone"]);
    assert_eq!(told(&format!("{a}laid=b.nft 00\n")), ["fail policy: b.nft was changed"]);
    assert_eq!(told(&format!("{a}{b}laid=c.site 00\n")), ["fail policy: c.site is none of it"]);
}

#[test]
fn what_a_policy_sets_is_wanted_so_and_nothing_else() {
    let mut world = World::new();
    let policy = toml::from_str("tools = 'minimal'\nskills = ['weather']").unwrap();
    let (id, secrets) = (OpId::from_bytes([0; 8]), BTreeMap::new());
    let enacted = Enacted { id, policy, secrets, stale: false, before: None };
    world.alice.spec.enacted = Some(Box::new(enacted));
    let broken = world.broken(HEALTHY);
    assert_eq!(broken.len(), 3, "{broken:?}");
    assert!(broken[0].starts_with("fail shell: tools.profile is"), "{broken:?}");
    let governed = HEALTHY
        .replace("\"profile\":\"messaging\"", "\"profile\":\"minimal\"")
        .replace("\"skills\":[]", "\"skills\":[\"weather\"]")
        .replace("\"allowBundled\":[]", "\"allowBundled\":[\"weather\"]");
    assert_eq!(world.broken(&governed), [""; 0]);
    if let Some(enacted) = &mut world.alice.spec.enacted {
        enacted.stale = true;
    }
    assert_eq!(
        world.broken(&governed),
        ["fail policy: the gateway went back to an earlier time since it was brought"]
    );
}

#[test]
fn who_says_nothing_proves_nothing() {
    let world = World::new();
    let broken = world.broken("").len();
    assert_eq!(broken, silent("no answer").len(), "all that is asked of a host");
}

#[test]
fn a_token_is_one_instance_s() {
    let facts = |token: &str| Facts::parse(&format!("token={token}"));
    let (one, same, other, none) = (facts("a"), facts("a"), facts("b"), Facts::default());
    let names = ["alice", "bob", "carol", "dave"].map(name);
    let all = names.iter().zip([&one, &same, &other, &none]).collect();
    let verdicts: Vec<String> =
        tokens(&all).into_values().map(|(_, verdict)| verdict.evidence().to_owned()).collect();
    assert_eq!(
        verdicts,
        ["it is the one of bob, too", "it is the one of alice, too", "of 4", "its token cannot be seen to"]
    );
}
