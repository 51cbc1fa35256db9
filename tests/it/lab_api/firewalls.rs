//! Firewalls.

use reqwest::Method;
use serde_json::json;

use super::lab;

#[tokio::test]
async fn firewalls_follow_labels() {
    let (_dir, lab) = lab().await;
    let id = lab.server("web", json!({"labels": {"role": "web"}})).await;
    let place = json!({"type": "label_selector", "label_selector": {"selector": "role=web"}});
    let answer = lab.post("/firewalls", json!({"name": "f", "apply_to": [place]})).await;
    lab.settle(&answer).await;
    let firewall = answer["firewall"]["id"].as_u64().unwrap();
    let on = async || lab.get(&format!("/servers/{id}")).await["server"]["public_net"]["firewalls"].clone();
    assert_eq!(on().await, json!([{"id": firewall, "status": "applied"}]));
    lab.send(Method::PUT, &format!("/servers/{id}"), Some(json!({"labels": {}}))).await;
    assert_eq!(on().await, json!([]));
    let path = format!("/firewalls/{firewall}");
    assert_eq!(lab.refused(Method::DELETE, &path, None).await, (422, "resource_in_use".into()));
    let bad = json!({"rules": [{"direction": "in", "protocol": "tcp", "source_ips": ["0.0.0.0/0"]}]});
    let refused = lab.refused(Method::POST, &format!("{path}/actions/set_rules"), Some(bad)).await;
    assert_eq!(refused, (422, "invalid_input".into()));
    let answer =
        lab.post(&format!("{path}/actions/remove_from_resources"), json!({"remove_from": [place]})).await;
    lab.settle(&answer).await;
    assert_eq!(lab.send(Method::DELETE, &path, None).await.0, 204);
}
