//! `clawberth list`

use clawberth::model::instance::{Outcome, Stage};
use serde_json::json;

use super::environment::Environment;

#[test]
fn nothing_is_nothing() {
    let environment = Environment::new();
    environment.changes_nothing(&["list"], 0, "no instances; `clawberth deploy NAME` makes one\n");
    environment.run(&["list", "--json"]).expect(0, "[]\n", "");
    environment.run(&["list", "--quiet"]).expect(0, "", "");
}

#[test]
fn every_instance_with_its_stage() {
    let environment = Environment::with_cloud();
    environment.create_alice();
    environment.serve();
    let table = "NAME   STAGE    URL                  OPENCLAW  TYPE  LOCATION  CREATED
alice  serving  https://224.18.64.2  2026.9.6  cx23  fsn1      2026-11-22T12:00:00Z
";
    environment.run(&["list"]).expect(0, table, "");
    let outcome = environment.run(&["list", "--json"]);
    let mut list: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
    let host_key = list[0]["server"]["host_key"].take();
    assert!(host_key.as_str().unwrap().starts_with("ssh-ed25519 AAAA"), "{host_key}");
    assert_eq!(
        list,
        json!([{
            "name": "alice",
            "stage": "serving",
            "url": "https://224.18.64.2",
            "openclaw": "2026.9.6",
            "node": "24.21.0",
            "server_type": "cx23",
            "image": "debian-13",
            "domain": null,
            "created": "2026-11-22T12:00:00Z",
            "server": {
                "id": 101,
                "ipv4": "224.18.64.2",
                "ipv6": "2001:db8:ff:2::1",
                "location": "fsn1",
                "host_key": null,
                "next_host_key": null,
                "own_host_key": false,
            },
        }])
    );
    environment.record(|alice| {
        alice.stage = std::mem::replace(&mut alice.stage, Stage::Gone).after(Outcome::Condemned).unwrap();
    });
    let list = environment.run(&["list"]).stdout;
    assert!(list.contains("alice  destroying  https://224.18.64.2"), "{list}");
}
