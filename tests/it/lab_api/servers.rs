//! Servers: their lives, their names, what a create may say.

use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{KEY, lab, wish};

#[tokio::test]
async fn a_server_lives_and_dies() {
    let (_dir, lab) = lab().await;
    let key = lab.post("/ssh_keys", json!({"name": "k", "public_key": KEY})).await["ssh_key"]["id"].clone();
    let rule =
        json!({"direction": "in", "protocol": "tcp", "port": "443", "source_ips": ["0.0.0.0/0", "::/0"]});
    let firewall =
        lab.post("/firewalls", json!({"name": "f", "rules": [rule]})).await["firewall"]["id"].clone();
    let extra = json!({
        "location": "nbg1", "ssh_keys": [key], "firewalls": [{"firewall": firewall}],
        "user_data": "#cloud-config\n", "labels": {"fleet": "f1"},
    });

    let answer = lab.post("/servers", wish("web", extra)).await;
    let server = &answer["server"];
    assert_eq!((&server["status"], &answer["root_password"]), (&json!("initializing"), &Value::Null));
    assert_eq!(server["public_net"]["ipv4"]["ip"], "198.18.5.2");
    assert_eq!(server["public_net"]["ipv6"]["ip"], "2001:db8:5:2::/64");
    assert_eq!(server["public_net"]["firewalls"], json!([{"id": firewall, "status": "applied"}]));
    assert_eq!(
        (&answer["action"]["command"], &answer["action"]["status"]),
        (&json!("create_server"), &json!("running"))
    );
    assert!(server.get("user_data").is_none() && server.get("datacenter").is_none());
    let id = server["id"].as_u64().unwrap();

    assert_eq!(lab.refused(Method::DELETE, &format!("/servers/{id}"), None).await, (423, "locked".into()));
    assert_eq!(lab.settle(&answer).await, ["success", "success"]);
    assert_eq!(lab.get(&format!("/servers/{id}")).await["server"]["status"], "running");
    let ips = lab.get("/primary_ips").await["primary_ips"].clone();
    assert_eq!(ips.as_array().unwrap().len(), 2);
    assert!(ips.as_array().unwrap().iter().all(|ip| ip["auto_delete"] == true && ip["assignee_id"] == id));
    let ip = format!("/primary_ips/{}", ips[0]["id"]);
    assert_eq!(lab.refused(Method::DELETE, &ip, None).await, (422, "must_be_unassigned".into()));

    let (status, deletion) = lab.send(Method::DELETE, &format!("/servers/{id}"), None).await;
    assert_eq!((status.as_u16(), &deletion["action"]["command"]), (200, &json!("delete_server")));
    let firewall = format!("/firewalls/{firewall}");
    assert_eq!(lab.refused(Method::DELETE, &firewall, None).await, (422, "resource_in_use".into()));
    assert_eq!(lab.get(&format!("/servers/{id}")).await["server"]["status"], "deleting");
    assert_eq!(lab.settle(&deletion).await, ["success"]);
    assert_eq!(lab.refused(Method::GET, &format!("/servers/{id}"), None).await, (404, "not_found".into()));
    assert_eq!(lab.get("/primary_ips").await["primary_ips"], json!([]));
    assert_eq!(lab.send(Method::DELETE, &firewall, None).await, (StatusCode::NO_CONTENT, Value::Null));
}

#[tokio::test]
async fn power_actions_change_the_status() {
    let (_dir, lab) = lab().await;
    let id = lab.server("web", json!({})).await;
    for (verb, status) in
        [("poweroff", "off"), ("poweron", "running"), ("reboot", "running"), ("reset", "running")]
    {
        let answer = lab.post(&format!("/servers/{id}/actions/{verb}"), json!({})).await;
        assert_eq!(lab.settle(&answer).await, ["success"], "{verb}");
        assert_eq!(lab.get(&format!("/servers/{id}")).await["server"]["status"], status, "{verb}");
    }
    let answer = lab.post(&format!("/servers/{id}/actions/shutdown"), json!({})).await;
    assert_eq!(lab.settle(&answer).await, ["success"]);
    let deadline = Instant::now() + Duration::from_secs(5);
    while lab.get(&format!("/servers/{id}")).await["server"]["status"] != "off" {
        assert!(Instant::now() < deadline, "the server did not shut down");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn of_two_creates_with_one_name_one_wins() {
    let (_dir, lab) = lab().await;
    let create = || lab.send(Method::POST, "/servers", Some(wish("web", json!({}))));
    let ((a, _), (b, _)) = tokio::join!(create(), create());
    let mut statuses = [a.as_u16(), b.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409]);
    assert_eq!(lab.get("/servers?name=web").await["servers"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn references_may_be_numbers_strings_or_names() {
    let (_dir, lab) = lab().await;
    let image = lab.get("/images?name=debian-13&architecture=x86").await["images"][0]["id"].clone();
    let extra = json!({"server_type": 114, "image": image, "location": "2", "start_after_create": false});
    let server = lab.post("/servers", wish("a", extra)).await["server"].clone();
    assert_eq!(
        (&server["server_type"]["name"], &server["location"]["name"]),
        (&json!("cx23"), &json!("nbg1"))
    );
    let extra = json!({"server_type": "45", "location": 3, "start_after_create": false});
    let server = lab.post("/servers", wish("b", extra)).await["server"].clone();
    assert_eq!(
        (&server["server_type"]["name"], &server["image"]["architecture"]),
        (&json!("cax11"), &json!("arm"))
    );
}

#[tokio::test]
async fn bad_creates_are_refused_and_leave_nothing() {
    let (_dir, lab) = lab().await;
    for (extra, status, code) in [
        (json!({"name": "a_b"}), 422, "invalid_input"),
        (json!({"name": 5}), 422, "invalid_input"),
        (json!({"server_type": "cx99"}), 422, "invalid_input"),
        (json!({"image": "debian-1"}), 422, "invalid_input"),
        (json!({"location": "ash"}), 422, "invalid_input"),
        (json!({"location": "mars"}), 422, "invalid_input"),
        (json!({"labels": {"a b": "c"}}), 422, "invalid_input"),
        (json!({"labels": {"hetzner.cloud/a": "c"}}), 422, "invalid_input"),
        (json!({"user_data": "x".repeat(32 * 1024 + 1)}), 422, "invalid_input"),
        (json!({"ssh_keys": ["nobody"]}), 404, "not_found"),
        (json!({"firewalls": [{"firewall": 9}]}), 404, "not_found"),
        (json!({"networks": [9]}), 404, "not_found"),
        (json!({"public_net": {"enable_ipv4": false, "enable_ipv6": false}}), 422, "invalid_input"),
    ] {
        let refusal = lab.refused(Method::POST, "/servers", Some(wish("web", extra.clone()))).await;
        assert_eq!(refusal, (status, code.to_owned()), "{extra}");
    }
    assert_eq!(lab.get("/servers").await["servers"], json!([]));
    assert_eq!(lab.get("/primary_ips").await["primary_ips"], json!([]));
}
