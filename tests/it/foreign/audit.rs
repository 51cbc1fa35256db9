//! What a server tells to an audit, `openclaw.json` and the gateway's own answers among it, and what is made of it.

use std::collections::BTreeMap;

use clawberth::model::admin::AdminNetworks;
use clawberth::model::audit::{Facts, Finding};
use clawberth::model::fleet::FleetId;
use clawberth::model::instance::Instance;
use clawberth::model::operator_key::Keys;
use clawberth::plan::audit::{self, Expected};
use clawberth::render::{self, AuditReport};
use proptest::prelude::*;
use serde_json::json;

use super::damage::{config, damaged};

/// As a server told it.
const TOLD: [&str; 1] = [include_str!("../../../src/plan/audit/healthy.txt")];

/// One instance, without a policy or with one.
fn alice(is_governed: bool) -> Instance {
    let integrity = format!("sha512-{}==", "A".repeat(86));
    let server = json!({
        "id": 7, "ipv4": "198.51.100.7", "ipv6": null, "location": "fsn1", "host_key": "ssh-ed25519 AAAAhost",
        "own_host_key": true,
    });
    let mut alice = json!({
        "name": "alice", "created": "2026-11-22T00:00:00Z", "stage": { "stage": "serving", "server": server },
        "spec": {
            "server_type": "cx23", "locations": ["fsn1"], "image": "debian-13", "domain": null,
            "release": { "openclaw": "2026.9.6", "engines": ">=24", "integrity": integrity, "node": "24.21.0" },
        },
    });
    if is_governed {
        let policy =
            json!({ "tools": "messaging", "model": "anthropic/claude-sonnet-4-5", "skills": ["weather"] });
        alice["spec"]["enacted"] = json!({ "id": "aaaaaaaa", "policy": policy, "secrets": {} });
    }
    serde_json::from_value(alice).unwrap()
}

fn judged(told: &str, is_governed: bool) -> Vec<Finding> {
    let (fleet, instance) = (FleetId::from_bytes([0; 8]), alice(is_governed));
    let admin = AdminNetworks::parse(["203.0.113.7"]).unwrap();
    let keys = Keys { fleet: "ssh-ed25519 AAAAfleet".to_owned(), others: Vec::new() };
    let expected = Expected {
        fleet: &fleet,
        instance: &instance,
        keys: &keys,
        admin: &admin,
        named_locations: &[],
        flaws: &[],
        protect_before: None,
        laid: &BTreeMap::new(),
    };
    audit::host(&expected, &Facts::parse(told))
}

fn page(findings: &[Finding]) -> String {
    let fleet = FleetId::from_bytes([0; 8]);
    let findings = BTreeMap::from([("alice".parse().unwrap(), findings.to_vec())]);
    let time = "2026-11-22T12:00:00Z";
    render::audit(&AuditReport { fleet: &fleet, instances: &[], findings: &findings, time }).unwrap()
}

/// Every promise is judged, in one line; what the lines are is never a part of the page that shows them.
#[test]
fn facts_of_an_audit() {
    let whole = judged(TOLD[0], false);
    assert!(whole.iter().all(|(_, verdict)| verdict.word() == "ok"), "the sample is no good: {whole:?}");
    let promises: Vec<_> = whole.iter().map(|(promise, _)| *promise).collect();
    // all others have more lines at the top
    let tags = page(&judged("", false)).matches('<').count();
    proptest!(config(), |(said in damaged(&TOLD), is_governed in any::<bool>())| {
        let told = String::from_utf8_lossy(&said);
        let findings = judged(&told, is_governed);
        prop_assert_eq!(findings.iter().map(|(promise, _)| *promise).collect::<Vec<_>>(), promises.clone());
        for (promise, verdict) in &findings {
            prop_assert!(!verdict.evidence().is_empty() && !verdict.evidence().contains('\n'), "{promise}: {verdict:?}");
        }
        // who does not come to the end does not look well
        let has_end = told.lines().any(|line| line.trim_end() == "end=yes");
        prop_assert!(has_end || findings.iter().any(|(_, verdict)| verdict.word() == "fail"));
        prop_assert_eq!(page(&findings).matches('<').count(), tags);
    });
}
