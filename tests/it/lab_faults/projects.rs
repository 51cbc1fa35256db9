//! Projects side by side: no token sees what another one has.

use serde_json::{Value, json};

use super::lab::Lab;

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBtKY2eAq6tIFoWejsAXVmj5I3B/HrQzmCoF/WVmojFO somebody";

/// One resource of each kind that a client can make.
fn wishes() -> [(&'static str, Value); 8] {
    [
        ("ssh_keys", json!({"name": "one", "public_key": KEY})),
        ("firewalls", json!({"name": "one"})),
        ("primary_ips", json!({"name": "one", "type": "ipv4", "location": "fsn1"})),
        ("volumes", json!({"name": "one", "size": 10, "location": "fsn1"})),
        ("networks", json!({"name": "one", "ip_range": "10.0.0.0/16"})),
        ("placement_groups", json!({"name": "one", "type": "spread"})),
        ("zones", json!({"name": "example.org", "mode": "primary"})),
        ("servers", json!({"name": "one", "server_type": "cx23", "image": "debian-13"})),
    ]
}

#[test]
fn no_project_sees_what_another_one_has() {
    let lab = Lab::start(&["--project", "other"]);
    let ask = |project, method, path: &str| lab.ask_as(project, method, &format!("/v1/{path}"), None);
    for (kind, wish) in wishes() {
        let ids: Vec<u64> = [0, 1]
            .map(|project| {
                // the same names are free in each
                let (status, answer) =
                    lab.ask_as(project, "POST", &format!("/v1/{kind}"), Some(wish.clone()));
                assert_eq!(status, 201, "{kind}: {answer}");
                answer[kind.strip_suffix('s').unwrap()]["id"].as_u64().unwrap()
            })
            .to_vec();
        for (own, foreign) in [(0, 1), (1, 0)] {
            let (_, list) = ask(own, "GET", kind);
            let listed: Vec<u64> =
                list[kind].as_array().unwrap().iter().map(|row| row["id"].as_u64().unwrap()).collect();
            assert!(listed.contains(&ids[own]) && !listed.contains(&ids[foreign]), "{kind}: {listed:?}");
            let path = format!("{kind}/{}", ids[foreign]);
            assert_eq!((ask(own, "GET", &path).0, ask(own, "DELETE", &path).0), (404, 404), "{path}");
            assert_eq!(ask(own, "GET", &format!("{path}/actions")).0, 404, "{path}");
        }
    }
    snapshots_are_apart(&lab);
    let (_, actions) = ask(1, "GET", "servers/actions");
    let action = actions["actions"][0]["id"].as_u64().unwrap();
    assert_eq!(ask(0, "GET", &format!("actions/{action}")).0, 404);
    assert_eq!(ask(0, "GET", &format!("actions?id={action}")).1["actions"], json!([]));
    let (_, own) = ask(0, "GET", "servers/actions");
    assert!(own["actions"].as_array().unwrap().iter().all(|a| a["id"] != action), "{own}");
}

/// Images are a kind of their own: those of Hetzner are everybody's.
#[track_caller]
fn snapshots_are_apart(lab: &Lab) {
    let (_, servers) = lab.ask("GET", "/servers", None);
    let path = format!("/servers/{}/actions/create_image", servers["servers"][0]["id"]);
    let (status, answer) = lab.ask("POST", &path, Some(json!({"type": "snapshot"})));
    assert_eq!(status, 201, "{answer}");
    let total = |project| {
        let (_, images) = lab.ask_as(project, "GET", "/v1/images", None);
        images["meta"]["pagination"]["total_entries"].as_u64().unwrap()
    };
    assert_eq!(total(0), total(1) + 1);
    let foreign = format!("/v1/images/{}", answer["image"]["id"]);
    assert_eq!((lab.ask("GET", &foreign[3..], None).0, lab.ask_as(1, "GET", &foreign, None).0), (200, 404));
}

#[test]
fn each_project_has_its_own_rate_limit() {
    let lab = Lab::start(&["--project", "other", "--rate-limit", "2"]);
    let status = |project| lab.ask_as(project, "GET", "/v1/locations", None).0;
    assert_eq!(
        [status(0), status(0), status(0), status(1), status(1), status(1)],
        [200, 200, 429, 200, 200, 429]
    );
    assert!(lab.stranger("/v1/locations").contains("unauthorized"));
}
