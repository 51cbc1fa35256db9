//! Primary IPs: reverse names, protection, who has them.

use reqwest::Method;
use serde_json::{Value, json};

use super::{Client, lab};

async fn ip(lab: &Client, name: &str, extra: Value) -> Value {
    let mut wish = json!({"name": name, "type": "ipv4", "assignee_type": "server", "location": "fsn1"});
    for (key, value) in extra.as_object().unwrap() {
        wish[key] = value.clone();
    }
    lab.post("/primary_ips", wish).await["primary_ip"].clone()
}

async fn act(lab: &Client, id: &Value, verb: &str, body: Value) {
    let answer = lab.post(&format!("/primary_ips/{id}/actions/{verb}"), body).await;
    assert_eq!(lab.settle(&answer).await, ["success"], "{verb}");
}

async fn refused(lab: &Client, id: &Value, verb: &str, body: Value) -> (u16, String) {
    lab.refused(Method::POST, &format!("/primary_ips/{id}/actions/{verb}"), Some(body)).await
}

#[tokio::test]
async fn addresses_have_reverse_names() {
    let (_dir, lab) = lab().await;
    let web = lab.server("web", json!({})).await;
    let path = format!("/servers/{web}");
    let net = lab.get(&path).await["server"]["public_net"].clone();
    assert_eq!(net["ipv4"]["dns_ptr"], "static.2.5.18.198.clients.your-server.de");
    assert_eq!(net["ipv6"]["dns_ptr"], json!([]));

    let by_server = format!("{path}/actions/change_dns_ptr");
    for (ip, name) in [("198.18.5.2", "web.example.com"), ("2001:db8:5:2::1", "six.example.com")] {
        let answer = lab.post(&by_server, json!({"ip": ip, "dns_ptr": name})).await;
        assert_eq!(lab.settle(&answer).await, ["success"]);
    }
    let net = lab.get(&path).await["server"]["public_net"].clone();
    assert_eq!(net["ipv4"]["dns_ptr"], "web.example.com");
    let six = json!([{"ip": "2001:db8:5:2::1", "dns_ptr": "six.example.com"}]);
    assert_eq!(net["ipv6"]["dns_ptr"], six);
    let ipv6 = lab.get(&format!("/primary_ips/{}", net["ipv6"]["id"])).await["primary_ip"].clone();
    assert_eq!(ipv6["dns_ptr"], six);

    act(&lab, &net["ipv6"]["id"], "change_dns_ptr", json!({"ip": "2001:db8:5:2::1", "dns_ptr": null})).await;
    act(&lab, &net["ipv4"]["id"], "change_dns_ptr", json!({"ip": "198.18.5.2", "dns_ptr": null})).await;
    let net = lab.get(&path).await["server"]["public_net"].clone();
    assert_eq!(net["ipv4"]["dns_ptr"], "static.2.5.18.198.clients.your-server.de");
    assert_eq!(net["ipv6"]["dns_ptr"], json!([]));

    for body in [
        json!({"ip": "198.18.5.3", "dns_ptr": "a.example.com"}),
        json!({"ip": "2001:db8:5:3::1", "dns_ptr": "a.example.com"}),
        json!({"ip": "here", "dns_ptr": "a.example.com"}),
        json!({"ip": "198.18.5.2", "dns_ptr": "a b"}),
        json!({"dns_ptr": "a.example.com"}),
    ] {
        let refusal = lab.refused(Method::POST, &by_server, Some(body.clone())).await;
        assert_eq!(refusal, (422, "invalid_input".into()), "{body}");
        assert_eq!(refused(&lab, &net["ipv4"]["id"], "change_dns_ptr", body).await.0, 422);
    }
}

#[tokio::test]
async fn a_protected_address_stays() {
    let (_dir, lab) = lab().await;
    let kept = ip(&lab, "kept", json!({})).await;
    let path = format!("/primary_ips/{}", kept["id"]);
    act(&lab, &kept["id"], "change_protection", json!({"delete": true})).await;
    assert_eq!(lab.get(&path).await["primary_ip"]["protection"], json!({"delete": true}));
    assert_eq!(lab.refused(Method::DELETE, &path, None).await, (423, "protected".into()));
    let both = lab.refused(Method::PUT, &path, Some(json!({"auto_delete": true}))).await;
    assert_eq!(both, (422, "invalid_input".into()));
    act(&lab, &kept["id"], "change_protection", json!({"delete": false})).await;
    let changed = lab.send(Method::PUT, &path, Some(json!({"auto_delete": true, "name": "new"}))).await.1;
    assert_eq!(
        (&changed["primary_ip"]["auto_delete"], &changed["primary_ip"]["name"]),
        (&json!(true), &json!("new"))
    );
    let both = refused(&lab, &kept["id"], "change_protection", json!({"delete": true})).await;
    assert_eq!(both, (422, "invalid_input".into()));
    assert_eq!(lab.send(Method::DELETE, &path, None).await.0, 204);
}

#[tokio::test]
async fn an_address_moves_between_servers_that_are_off() {
    let (_dir, lab) = lab().await;
    let kept = ip(&lab, "kept", json!({})).await;
    let far = ip(&lab, "far", json!({"location": "hel1"})).await;
    let six = json!({"public_net": {"enable_ipv4": false}});
    let (a, b) = (lab.server("a", six.clone()).await, lab.server("b", six).await);
    let to = |server: u64| json!({"assignee_type": "server", "assignee_id": server});
    let id = &kept["id"];
    assert_eq!(refused(&lab, id, "assign", to(a)).await, (422, "server_not_stopped".into()));
    for server in [a, b] {
        let answer = lab.post(&format!("/servers/{server}/actions/poweroff"), json!({})).await;
        lab.settle(&answer).await;
    }
    assert_eq!(refused(&lab, &far["id"], "assign", to(a)).await, (422, "invalid_input".into()));
    assert_eq!(refused(&lab, id, "assign", to(99)).await, (404, "not_found".into()));
    act(&lab, id, "assign", to(a)).await;
    assert_eq!(refused(&lab, id, "assign", to(b)).await, (422, "primary_ip_already_assigned".into()));
    let second = ip(&lab, "second", json!({})).await;
    assert_eq!(refused(&lab, &second["id"], "assign", to(a)).await, (422, "server_has_ipv4".into()));
    act(&lab, id, "unassign", json!({})).await;
    act(&lab, id, "assign", to(b)).await;
    let there = lab.get(&format!("/servers/{b}")).await["server"]["public_net"]["ipv4"]["ip"].clone();
    assert_eq!(there, kept["ip"]);

    // one that is made for a server that is off is assigned at once
    let wish = json!({"name": "own", "type": "ipv4", "assignee_type": "server", "assignee_id": a});
    let answer = lab.post("/primary_ips", wish).await;
    assert_eq!(lab.settle(&answer).await, ["success"]);
    assert_eq!(answer["primary_ip"]["assignee_id"], a);
    let path = format!("/servers/{a}/actions/poweron");
    for family in ["ipv4", "ipv6"] {
        assert_eq!(lab.settle(&lab.post(&path, json!({})).await).await, ["success"]);
        assert_eq!(
            lab.settle(&lab.post(&path.replace("poweron", "poweroff"), json!({})).await).await,
            ["success"]
        );
        let net = lab.get(&format!("/servers/{a}")).await["server"]["public_net"][family].clone();
        act(&lab, &net["id"], "unassign", json!({})).await;
    }
    let unreachable = lab.refused(Method::POST, &path, None).await;
    assert_eq!(unreachable, (422, "invalid_input".into()));
    let nowhere = lab.refused(Method::POST, "/primary_ips", Some(json!({"name": "x", "type": "ipv4"}))).await;
    assert_eq!(nowhere, (422, "invalid_input".into()));
}
