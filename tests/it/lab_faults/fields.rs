//! Answers with more or fewer fields than documented.

use serde_json::{Value, json};

use super::lab::{Lab, line};

#[test]
fn hcloud_ignores_what_it_does_not_know() {
    let lab = Lab::with(json!({"kind": "extra_fields"}));
    lab.create("web").ok();
    assert_eq!(lab.servers(), ["web"]);
    let (_, answer) = lab.ask("GET", "/servers/101", None);
    for place in ["", "/server", "/server/public_net/ipv4", "/server/server_type/prices/0"] {
        assert!(answer.pointer(&format!("{place}/lab_extra")).is_some(), "{place}: {answer}");
    }
    assert_eq!(answer["server"]["labels"], json!({}));
    assert_eq!(
        lab.logged("GET", "/servers/101"),
        [line(200, &["extra_fields"]), line(200, &["extra_fields"])]
    );
}

#[test]
fn fields_are_missing_wherever_they_occur() {
    let lab = Lab::start(&[]);
    lab.create("web").ok();
    lab.add(json!({"kind": "missing_fields", "fields": ["labels", "ipv4"], "route": "GET /servers/**"}));
    let (_, answer) = lab.ask("GET", "/servers/101", None);
    let server = &answer["server"];
    assert_eq!((&server["name"], server.get("labels")), (&json!("web"), None::<&Value>));
    assert!(
        server["public_net"].get("ipv4").is_none() && server["image"].get("labels").is_none(),
        "{answer}"
    );
    lab.hcloud(&["server", "describe", "101"]).ok();
    // an action has none of them
    lab.ask("GET", "/servers/101/actions", None);
    assert_eq!(lab.logged("GET", "/servers/101/actions"), [line(200, &[])]);
    assert_eq!(lab.met(), [2]);
}
