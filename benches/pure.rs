//! What deciding takes, and writing down what a server is told: no network, no files. `cargo bench --bench pure`.

#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a benchmark may fail loudly; criterion's macros document nothing"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::hint::black_box;

use clawberth::model::admin::AdminNetworks;
use clawberth::model::authority::Authority;
use clawberth::model::fleet::FleetId;
use clawberth::model::instance::{Instance, InstanceSpec, Stage};
use clawberth::model::observed::{CloudFirewall, CloudServer, CloudSshKey, Observed, firewall_rules};
use clawberth::model::operator_key::Keys;
use clawberth::model::policy::Policy;
use clawberth::plan::{Case, Wish, policy, provision, reconcile};
use clawberth::render::{Birth, HostKey, Kind, user_data};
use clawberth::secret::Secret;
use criterion::{Criterion, criterion_group, criterion_main};

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";
const FLEET: usize = 1_000;

/// A fleet that serves, and its project.
struct Bed {
    id: FleetId,
    admin: AdminNetworks,
    keys: Keys,
    instances: Vec<Instance>,
    seen: Observed,
}

impl Bed {
    fn new() -> Self {
        let id = FleetId::from_bytes([1; 8]);
        let admin = AdminNetworks::parse(["203.0.113.7"]).unwrap();
        let instances: Vec<Instance> = (0..FLEET).map(instance).collect();
        let servers = instances.iter().map(|one| (one.name.clone(), vec![server(one, &id)])).collect();
        let seen = Observed {
            servers,
            healthy: instances.iter().map(|one| one.name.clone()).collect(),
            firewalls: vec![CloudFirewall { id: 3, rules: firewall_rules(&admin) }],
            ssh_keys: vec![CloudSshKey { id: 1, public_key: KEY.into() }],
            ..Observed::default()
        };
        Self { id, admin, keys: Keys { fleet: KEY.into(), others: Vec::new() }, instances, seen }
    }
}

fn spec() -> InstanceSpec {
    let integrity = format!("sha512-{}==", "A".repeat(86));
    let spec = serde_json::json!({
        "server_type": "cx23", "locations": ["fsn1", "nbg1", "hel1"], "image": "debian-13", "domain": null,
        "release": { "openclaw": "2026.9.6", "engines": ">=24", "integrity": integrity, "node": "24.21.0" },
    });
    serde_json::from_value(spec).unwrap()
}

fn instance(number: usize) -> Instance {
    let stage = serde_json::json!({ "stage": "serving", "server": {
        "id": number + 101, "ipv4": "198.51.100.7", "ipv6": null, "location": "fsn1", "host_key": KEY,
        "own_host_key": true, "admitted": [KEY],
    }});
    let stage: Stage = serde_json::from_value(stage).unwrap();
    let name = format!("user-{number:04}").parse().unwrap();
    Instance { name, spec: spec(), stage, created: "2026-11-22T12:00:00Z".into() }
}

fn server(one: &Instance, fleet: &FleetId) -> CloudServer {
    let known = one.stage.server().unwrap();
    CloudServer {
        id: known.id,
        name: fleet.server_name(&one.name),
        ipv4: Some(known.ipv4),
        ipv6: None,
        location: known.location.clone(),
        server_type: one.spec.server_type.clone(),
        off: false,
        op: None,
        labels: fleet.server_labels(&one.name, &one.spec, &known.keys_for_labels()),
        firewalls: BTreeSet::from([3]),
        protected: true,
    }
}

fn plans(criterion: &mut Criterion) {
    let bed = Bed::new();
    criterion.bench_function("provision, 1,000 that serve", |bencher| {
        bencher.iter(|| {
            let wish = Wish {
                instances: bed.instances.clone(),
                claims: BTreeMap::new(),
                others: Vec::new(),
                admin: &bed.admin,
                keys: &bed.keys,
                named_locations: &[],
                authority: Authority::LetsEncrypt,
                budgets: None,
                protect_before: None,
            };
            let plan = provision(wish, black_box(&bed.seen)).unwrap();
            assert!(plan.is_empty());
        });
    });
    criterion.bench_function("reconcile, 1,000 without drift", |bencher| {
        bencher.iter(|| {
            let case = Case {
                fleet: &bed.id,
                instances: bed.instances.clone(),
                busy: &BTreeSet::new(),
                makes_an_image: false,
                admin: &bed.admin,
                keys: &bed.keys,
                named_locations: &[],
                authority: Authority::LetsEncrypt,
                blank: &spec(),
                now: "2026-11-22T12:00:00Z",
                protect_before: None,
            };
            let found = reconcile(case, black_box(&bed.seen));
            assert!(found.findings.is_empty());
        });
    });
}

fn words(criterion: &mut Criterion) {
    let birth = Birth {
        release: spec().release,
        domain: None,
        admin_networks: AdminNetworks::parse(["203.0.113.7"]).unwrap().all().to_vec(),
        acme_directory: "https://acme.example/directory".into(),
        node_mirror: "https://node.example".into(),
        host_key: HostKey { private: Secret::new("key"), public: KEY.into() },
        kind: Kind::Cold,
    };
    criterion.bench_function("user data of one server", |bencher| {
        bencher.iter(|| user_data(black_box(&birth)).unwrap());
    });
    let (old, new): (Policy, Policy) = (
        toml::from_str("tools = 'minimal'").unwrap(),
        toml::from_str("sandbox = true\ntools = 'coding'").unwrap(),
    );
    criterion.bench_function("patch from one policy to another", |bencher| {
        bencher.iter(|| policy::patch(black_box(&old), black_box(&new)));
    });
}

criterion_group!(pure, plans, words);
criterion_main!(pure);
