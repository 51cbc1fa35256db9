//! Addresses and primary IPs.

use reqwest::Method;
use serde_json::{Value, json};

use super::{lab, wish};

#[tokio::test]
async fn a_freed_address_is_not_given_to_the_next() {
    let (_dir, lab) = lab().await;
    let first = lab.server("a", json!({})).await;
    let deletion = lab.send(Method::DELETE, &format!("/servers/{first}"), None).await.1;
    lab.settle(&deletion).await;
    let second = lab.server("a", json!({})).await;
    assert_ne!(first, second);
    assert_eq!(
        lab.get(&format!("/servers/{second}")).await["server"]["public_net"]["ipv4"]["ip"],
        "198.18.5.3"
    );
}

#[tokio::test]
async fn primary_ips_outlive_servers_if_they_are_meant_to() {
    let (_dir, lab) = lab().await;
    let wish_ip = json!({"name": "p", "type": "ipv4", "assignee_type": "server", "location": "nbg1"});
    let ip = lab.post("/primary_ips", wish_ip).await["primary_ip"].clone();
    let extra = json!({"location": "nbg1", "public_net": {"ipv4": ip["id"], "enable_ipv6": false}});
    let id = lab.server("web", extra.clone()).await;
    assert_eq!(lab.get(&format!("/servers/{id}")).await["server"]["public_net"]["ipv4"]["ip"], ip["ip"]);
    let refused = lab.refused(Method::POST, "/servers", Some(wish("two", extra))).await;
    assert_eq!(refused, (422, "primary_ip_assigned".into()));
    let unassign = format!("/primary_ips/{}/actions/unassign", ip["id"]);
    assert_eq!(lab.refused(Method::POST, &unassign, None).await, (422, "server_not_stopped".into()));
    let deletion = lab.send(Method::DELETE, &format!("/servers/{id}"), None).await.1;
    lab.settle(&deletion).await;
    let left = lab.get("/primary_ips").await["primary_ips"].clone();
    assert_eq!((left.as_array().unwrap().len(), &left[0]["assignee_id"]), (1, &Value::Null));
    assert_eq!(lab.send(Method::DELETE, &format!("/primary_ips/{}", ip["id"]), None).await.0, 204);
}
