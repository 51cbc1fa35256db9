//! What can be done to a server beside turning it on and off.

use reqwest::Method;
use serde_json::{Value, json};

use super::{Client, KEY, lab, wish};

/// Does something to a server and waits until it is done.
async fn act(lab: &Client, id: u64, verb: &str, body: Value) -> Value {
    let answer = lab.post(&format!("/servers/{id}/actions/{verb}"), body).await;
    assert_eq!(lab.settle(&answer).await, ["success"], "{verb}");
    answer
}

async fn refused(lab: &Client, id: u64, verb: &str, body: Value) -> (u16, String) {
    lab.refused(Method::POST, &format!("/servers/{id}/actions/{verb}"), Some(body)).await
}

async fn server(lab: &Client, id: u64) -> Value {
    lab.get(&format!("/servers/{id}")).await["server"].clone()
}

#[tokio::test]
async fn power_goes_where_it_is_already() {
    let (_dir, lab) = lab().await;
    let id = lab.server("web", json!({})).await;
    let answer = lab.post(&format!("/servers/{id}/actions/poweron"), json!({})).await;
    assert_eq!(server(&lab, id).await["status"], "running");
    assert_eq!(lab.settle(&answer).await, ["success"]);
    act(&lab, id, "poweroff", json!({})).await;
    let answer = lab.post(&format!("/servers/{id}/actions/poweroff"), json!({})).await;
    assert_eq!(server(&lab, id).await["status"], "off");
    assert_eq!(lab.settle(&answer).await, ["success"]);
}

#[tokio::test]
async fn a_rebuild_takes_an_image_and_user_data() {
    let (_dir, lab) = lab().await;
    let id = lab.server("web", json!({"user_data": "#cloud-config\n"})).await;
    let path = format!("/servers/{id}/actions/rebuild");
    let answer = lab.post(&path, json!({"image": "debian-12"})).await;
    assert_eq!(answer["action"]["command"], "rebuild_server");
    assert_eq!(answer["root_password"].as_str().unwrap().len(), 20);
    assert_eq!(server(&lab, id).await["status"], "rebuilding");
    assert_eq!(refused(&lab, id, "rebuild", json!({"image": "debian-12"})).await, (423, "locked".into()));
    assert_eq!(lab.settle(&answer).await, ["success"]);
    let rebuilt = server(&lab, id).await;
    assert_eq!((&rebuilt["status"], &rebuilt["image"]["name"]), (&json!("running"), &json!("debian-12")));
    for (body, code) in [
        (json!({"image": "debian-1"}), "invalid_input"),
        (json!({}), "invalid_input"),
        (json!({"image": "debian-12", "user_data": "x".repeat(32 * 1024 + 1)}), "invalid_input"),
    ] {
        assert_eq!(refused(&lab, id, "rebuild", body.clone()).await, (422, code.to_owned()), "{body}");
    }

    // a number is as good as a name, also as text
    let image = lab.get("/images?name=debian-13&architecture=x86").await["images"][0]["id"].clone();
    act(&lab, id, "rebuild", json!({"image": image, "user_data": "#!/bin/sh\n"})).await;
    act(&lab, id, "rebuild", json!({"image": image.to_string()})).await;

    let key = lab.post("/ssh_keys", json!({"name": "k", "public_key": KEY})).await["ssh_key"]["id"].clone();
    let keyed = lab.server("keyed", json!({"ssh_keys": [key]})).await;
    let answer = act(&lab, keyed, "rebuild", json!({"image": "debian-12"})).await;
    assert_eq!(answer["root_password"], Value::Null);
}

#[tokio::test]
async fn protection_is_from_both_or_from_neither() {
    let (_dir, lab) = lab().await;
    let id = lab.server("web", json!({})).await;
    let one = refused(&lab, id, "change_protection", json!({"delete": true})).await;
    assert_eq!(one, (422, "invalid_input".into()));
    act(&lab, id, "change_protection", json!({"delete": true, "rebuild": true})).await;
    assert_eq!(server(&lab, id).await["protection"], json!({"delete": true, "rebuild": true}));
    let delete = lab.refused(Method::DELETE, &format!("/servers/{id}"), None).await;
    assert_eq!(delete, (423, "protected".into()));
    let rebuild = refused(&lab, id, "rebuild", json!({"image": "debian-12"})).await;
    assert_eq!(rebuild, (423, "protected".into()));
    act(&lab, id, "change_protection", json!({"delete": false, "rebuild": false})).await;
    assert_eq!(lab.send(Method::DELETE, &format!("/servers/{id}"), None).await.0, 200);
}

#[tokio::test]
async fn a_type_is_changed_for_one_that_fits() {
    let (_dir, lab) = lab().await;
    let id = lab.server("web", json!({"server_type": "cx33"})).await;
    let to = |name: &str, upgrade: bool| json!({"server_type": name, "upgrade_disk": upgrade});
    let running = refused(&lab, id, "change_type", to("cx43", false)).await;
    assert_eq!(running, (422, "server_not_stopped".into()));
    act(&lab, id, "poweroff", json!({})).await;
    for (wanted, code) in [
        ("cx33", "invalid_server_type"),
        ("cx23", "invalid_server_type"),
        ("cax21", "invalid_server_type"),
        ("cx22", "invalid_server_type"),
        ("cx99", "invalid_input"),
    ] {
        let refusal = refused(&lab, id, "change_type", to(wanted, false)).await;
        assert_eq!(refusal, (422, code.to_owned()), "{wanted}");
    }
    let answer = lab.post(&format!("/servers/{id}/actions/change_type"), to("cx43", false)).await;
    assert_eq!(answer["action"]["command"], "change_server_type");
    assert_eq!(server(&lab, id).await["status"], "migrating");
    assert_eq!(lab.settle(&answer).await, ["success"]);
    let changed = server(&lab, id).await;
    assert_eq!(
        (&changed["status"], &changed["server_type"]["name"], &changed["primary_disk_size"]),
        (&json!("running"), &json!("cx43"), &json!(80))
    );
    // its disk is as small as before, so there is a way back; after an upgrade there is none
    act(&lab, id, "poweroff", json!({})).await;
    act(&lab, id, "change_type", to("cx33", false)).await;
    act(&lab, id, "poweroff", json!({})).await;
    act(&lab, id, "change_type", to("cpx32", true)).await;
    assert_eq!(server(&lab, id).await["primary_disk_size"], 160);
    act(&lab, id, "poweroff", json!({})).await;
    let back = refused(&lab, id, "change_type", to("cx33", false)).await;
    assert_eq!(back, (422, "invalid_server_type".into()));
}

#[tokio::test]
async fn rescue_lasts_until_the_next_boot() {
    let (_dir, lab) = lab().await;
    let id = lab.server("web", json!({})).await;
    for (body, refusal) in [
        (json!({"type": "freebsd64"}), (422, "invalid_input".to_owned())),
        (json!({"type": "linux64", "ssh_keys": [9]}), (404, "not_found".to_owned())),
    ] {
        assert_eq!(refused(&lab, id, "enable_rescue", body).await, refusal);
    }
    let answer = act(&lab, id, "enable_rescue", json!({"type": "linux64"})).await;
    assert!(answer["root_password"].is_string());
    assert_eq!(server(&lab, id).await["rescue_enabled"], true);
    act(&lab, id, "disable_rescue", json!({})).await;
    assert_eq!(server(&lab, id).await["rescue_enabled"], false);
    act(&lab, id, "enable_rescue", json!({})).await;
    act(&lab, id, "reset", json!({})).await;
    assert_eq!(server(&lab, id).await["rescue_enabled"], false);
}

#[tokio::test]
async fn passwords_consoles_and_isos() {
    let (_dir, lab) = lab().await;
    let id = lab.server("web", json!({})).await;
    assert!(act(&lab, id, "reset_password", json!({})).await["root_password"].is_string());
    let console = act(&lab, id, "request_console", json!({})).await;
    assert!(console["wss_url"].as_str().unwrap().starts_with("wss://") && console["password"].is_string());
    let iso = refused(&lab, id, "attach_iso", json!({"iso": "debian-13.iso"})).await;
    assert_eq!(iso, (404, "not_found".into()));
    let detached = lab.post(&format!("/servers/{id}/actions/detach_iso"), json!({})).await;
    assert_eq!(detached["action"]["status"], "success");
    act(&lab, id, "poweroff", json!({})).await;
    let off = refused(&lab, id, "reset_password", json!({})).await;
    assert_eq!(off, (422, "invalid_input".into()));
}

#[tokio::test]
async fn metrics_are_series_of_samples() {
    let (_dir, lab) = lab().await;
    let id = lab.server("web", json!({})).await;
    let base = format!("/servers/{id}/metrics?start=2026-11-01T00:00:00Z");
    let end = "end=2026-11-01T01:00:00%2B00:00";
    let metrics = lab.get(&format!("{base}&{end}&type=cpu,network&step=60")).await["metrics"].clone();
    assert_eq!((&metrics["step"], &metrics["start"]), (&json!(60), &json!("2026-11-01T00:00:00Z")));
    let names: Vec<&String> = metrics["time_series"].as_object().unwrap().keys().collect();
    assert_eq!(
        names,
        ["cpu", "network.0.bandwidth.in", "network.0.bandwidth.out", "network.0.pps.in", "network.0.pps.out"]
    );
    let values = metrics["time_series"]["cpu"]["values"].as_array().unwrap();
    assert_eq!((values.len(), &values[0][0]), (60, &json!(1_793_491_200)));
    assert!(values.iter().all(|value| value[1].as_str().unwrap().parse::<f64>().is_ok()));
    assert!(values.iter().any(|value| value[1] != values[0][1]));
    let usual = lab.get(&format!("{base}&{end}&type=disk&type=cpu")).await["metrics"].clone();
    assert_eq!(usual["time_series"]["disk.0.iops.read"]["values"].as_array().unwrap().len(), 200);
    let dense = lab.get(&format!("{base}&{end}&type=cpu&step=1")).await["metrics"].clone();
    // 3600 seconds in at most 500 samples
    assert_eq!(
        (&dense["step"], dense["time_series"]["cpu"]["values"].as_array().unwrap().len()),
        (&json!(8), 450)
    );
    for wrong in ["type=cpu", "type=gpu&end=2026-11-02T00:00:00Z", "end=2026-11-02T00:00:00Z"] {
        let refusal = lab.refused(Method::GET, &format!("{base}&{wrong}"), None).await;
        assert_eq!(refusal, (422, "invalid_input".into()), "{wrong}");
    }
    for wrong in ["end=2026-10-01T00:00:00Z", "end=soon", "end=2026-11-02T00:00:00Z&step=-1"] {
        let refusal = lab.refused(Method::GET, &format!("{base}&type=cpu&{wrong}"), None).await;
        assert_eq!(refusal, (422, "invalid_input".into()), "{wrong}");
    }
}

#[tokio::test]
async fn an_action_needs_its_server() {
    let (_dir, lab) = lab().await;
    let bodies = [
        ("attach_iso", json!({"iso": "a"})),
        ("change_dns_ptr", json!({"ip": "192.0.2.1", "dns_ptr": null})),
        ("change_protection", json!({})),
        ("change_type", json!({"server_type": "cx23", "upgrade_disk": false})),
        ("create_image", json!({})),
        ("detach_iso", json!({})),
        ("disable_backup", json!({})),
        ("disable_rescue", json!({})),
        ("enable_backup", json!({})),
        ("enable_rescue", json!({})),
        ("rebuild", json!({"image": "debian-13"})),
        ("request_console", json!({})),
        ("reset_password", json!({})),
    ];
    for (verb, body) in &bodies {
        assert_eq!(refused(&lab, 7, verb, body.clone()).await, (404, "not_found".into()), "{verb}");
    }
    let answer = lab.post("/servers", wish("web", json!({}))).await;
    let id = answer["server"]["id"].as_u64().unwrap();
    for (verb, body) in &bodies {
        assert_eq!(refused(&lab, id, verb, body.clone()).await, (423, "locked".into()), "{verb}");
    }
}
