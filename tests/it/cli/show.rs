//! `clawberth show`

use serde_json::{Value, json};

use super::environment::Environment;
use super::front::Trick;

#[test]
fn what_is_known_and_what_is_seen() {
    let environment = Environment::with_cloud();
    environment.create_alice();
    let connect = "client error (Connect): tcp connect error: Network is unreachable (os error 101)";
    environment.run(&["show", "alice"]).expect(
        0,
        &format!(
            "\
name                  alice
stage                 created
url                   https://224.18.64.2
openclaw              2026.9.6
type                  cx23
location              fsn1
created               2026-11-22T12:00:00Z
node                  24.21.0
server                101
ipv4                  224.18.64.2
ipv6                  2001:db8:ff:2::1
host key              ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDow/cFfRSW9cKdsYyVgdul2zS8NViIusMApXdQMnfE5
certificate           failed: error sending request for url (https://224.18.64.2/): {connect}
readiness             failed: error sending request for url (https://224.18.64.2/readyz): {connect}
version               failed: error sending request for url (https://224.18.64.2/): {connect}
refusal of strangers  failed: error sending request for url (https://224.18.64.2/): {connect}
gateway port          failed: port 18789 could not be tried: Network is unreachable (os error 101)
"
        ),
        "",
    );
}

#[test]
fn the_same_for_machines() {
    let environment = Environment::with_cloud();
    environment.create_alice();
    let outcome = environment.run(&["show", "alice", "--json", "--quiet"]);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""));
    let show: Value = serde_json::from_str(&outcome.stdout).unwrap();
    let list: Value = serde_json::from_str(&environment.run(&["list", "--json"]).stdout).unwrap();
    let mut known = show.clone();
    let checks = known.as_object_mut().unwrap().remove("checks").unwrap();
    assert_eq!(json!([known]), list);
    let checks = checks.as_array().unwrap();
    assert!(checks.iter().all(|check| check["ok"] == json!(false)), "{checks:?}");
    let names: Vec<&Value> = checks.iter().map(|check| &check["check"]).collect();
    assert_eq!(names, ["certificate", "readiness", "version", "refusal of strangers", "gateway port"]);
    assert_eq!(
        checks[4]["why"],
        json!("port 18789 could not be tried: Network is unreachable (os error 101)")
    );
}

#[test]
fn one_without_a_server_has_nothing_to_look_at() {
    let environment = Environment::with_cloud();
    let none = r#"{"error":{"code":"forbidden","message":"no","details":null}}"#;
    environment.cloud().play("POST /servers", Trick::Answer(403, none.into()));
    environment.run(&["deploy", "alice", "--yes", "-q"]);
    environment.run(&["show", "alice"]).expect(
        0,
        "name      alice
stage     planned
url       -
openclaw  2026.9.6
type      cx23
location  -
created   2026-11-22T12:00:00Z
node      24.21.0
",
        "",
    );
}
