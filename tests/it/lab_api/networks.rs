//! Private networks.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{Client, lab, wish};

impl Client {
    async fn network(&self, name: &str, ip_range: &str, subnets: &[&str]) -> u64 {
        let subnet = |range: &&str| json!({"type": "cloud", "network_zone": "eu-central", "ip_range": range});
        let subnets: Vec<Value> = subnets.iter().map(subnet).collect();
        let wish = json!({"name": name, "ip_range": ip_range, "subnets": subnets});
        self.post("/networks", wish).await["network"]["id"].as_u64().unwrap()
    }

    /// Runs an action and waits until it has succeeded.
    async fn act(&self, path: &str, body: Value) {
        let answer = self.post(path, body).await;
        assert_eq!(self.settle(&answer).await, ["success"], "{path}");
    }

    async fn private_net(&self, server: u64) -> Value {
        self.get(&format!("/servers/{server}")).await["server"]["private_net"].clone()
    }

    /// Creates a server that stays off, in these networks.
    async fn member(&self, name: &str, networks: &[u64]) -> u64 {
        let extra = json!({"location": "fsn1", "networks": networks, "start_after_create": false});
        let answer = self.post("/servers", wish(name, extra)).await;
        assert!(self.settle(&answer).await.iter().all(|status| status == "success"));
        answer["server"]["id"].as_u64().unwrap()
    }
}

#[tokio::test]
async fn a_network_gets_subnets_and_routes() {
    let (_dir, lab) = lab().await;
    let id = lab.network("net", "10.0.0.0/16", &["10.0.1.0/24"]).await;
    let path = format!("/networks/{id}");
    let cloud =
        |range: Option<&str>| json!({"type": "cloud", "network_zone": "eu-central", "ip_range": range});
    lab.act(&format!("{path}/actions/add_subnet"), cloud(None)).await;
    lab.act(&format!("{path}/actions/add_subnet"), cloud(Some(""))).await;
    let coupled = json!({
        "type": "vswitch", "network_zone": "eu-central", "ip_range": "10.0.9.0/24", "vswitch_id": 7,
    });
    lab.act(&format!("{path}/actions/add_subnet"), coupled.clone()).await;
    let network = lab.get(&path).await["network"].clone();
    let subnets: Vec<(&str, &str)> = network["subnets"]
        .as_array()
        .unwrap()
        .iter()
        .map(|subnet| (subnet["ip_range"].as_str().unwrap(), subnet["gateway"].as_str().unwrap()))
        .collect();
    assert_eq!(
        subnets,
        [
            ("10.0.1.0/24", "10.0.0.1"),
            ("10.0.0.0/24", "10.0.0.1"),
            ("10.0.2.0/24", "10.0.0.1"),
            ("10.0.9.0/24", "10.0.9.1"),
        ]
    );
    for bad in [
        cloud(Some("10.0.1.128/25")),
        cloud(Some("10.1.0.0/24")),
        cloud(Some("10.0.3.1/24")),
        cloud(Some("10.0.3.0/31")),
        cloud(Some("everywhere")),
        json!({"type": "cloud", "network_zone": "us-east"}),
        json!({"type": "cloud", "network_zone": "mars"}),
        json!({"type": "cloud"}),
        json!({"type": "island", "network_zone": "eu-central"}),
        json!({"type": "cloud", "network_zone": "eu-central", "vswitch_id": 1}),
        json!({"type": "vswitch", "network_zone": "eu-central"}),
    ] {
        let refused =
            lab.refused(Method::POST, &format!("{path}/actions/add_subnet"), Some(bad.clone())).await;
        assert_eq!(refused, (422, "invalid_input".into()), "{bad}");
    }
    let again = json!({"type": "vswitch", "network_zone": "eu-central", "vswitch_id": 7});
    let refused = lab.refused(Method::POST, &format!("{path}/actions/add_subnet"), Some(again)).await;
    assert_eq!(refused, (422, "vswitch_id_already_used".into()));

    let route = json!({"destination": "10.100.0.0/16", "gateway": "10.0.1.2"});
    lab.act(&format!("{path}/actions/add_route"), route.clone()).await;
    lab.act(&format!("{path}/actions/add_route"), json!({"destination": "0.0.0.0/0", "gateway": "10.0.1.2"}))
        .await;
    for (destination, gateway) in [
        ("10.100.1.0/24", "10.0.1.2"),
        ("10.0.1.0/25", "10.0.1.2"),
        ("0.0.0.0/0", "10.0.1.3"),
        ("8.8.8.0/24", "10.0.1.2"),
        ("172.16.0.0/12", "10.0.1.2"),
        ("10.200.0.0/16", "10.0.0.1"),
        ("10.200.0.0/16", "10.9.0.2"),
        ("10.200.0.0/16", "10.0.9.2"),
        ("10.200.0.0/16", "172.31.1.1"),
        ("10.200.0.0/16", "home"),
    ] {
        let bad = json!({"destination": destination, "gateway": gateway});
        let refused =
            lab.refused(Method::POST, &format!("{path}/actions/add_route"), Some(bad.clone())).await;
        assert_eq!(refused, (422, "invalid_input".into()), "{bad}");
    }
    lab.act(&format!("{path}/actions/delete_route"), route.clone()).await;
    let gone = lab.refused(Method::POST, &format!("{path}/actions/delete_route"), Some(route)).await;
    assert_eq!(gone, (404, "not_found".into()));
    let routes = lab.get(&path).await["network"]["routes"].clone();
    assert_eq!(routes, json!([{"destination": "0.0.0.0/0", "gateway": "10.0.1.2"}]));
    let subnet = json!({"ip_range": "10.0.2.0/24"});
    lab.act(&format!("{path}/actions/delete_subnet"), subnet.clone()).await;
    let gone = lab.refused(Method::POST, &format!("{path}/actions/delete_subnet"), Some(subnet)).await;
    assert_eq!(gone, (404, "not_found".into()));
}

#[tokio::test]
async fn a_network_only_grows_and_is_changed_by_one_at_a_time() {
    let (_dir, lab) = lab().await;
    let id = lab.network("net", "10.0.0.0/16", &[]).await;
    let path = format!("/networks/{id}");
    let grow = format!("{path}/actions/change_ip_range");
    for bad in ["10.0.0.0/16", "10.0.0.0/17", "10.1.0.0/15", "192.168.0.0/16", "10.0.0.0/7", "x"] {
        let refused = lab.refused(Method::POST, &grow, Some(json!({"ip_range": bad}))).await;
        assert_eq!(refused, (422, "invalid_input".into()), "{bad}");
    }
    let answer = lab.post(&grow, json!({"ip_range": "10.0.0.0/12"})).await;
    let subnet = json!({"type": "cloud", "network_zone": "eu-central"});
    for (method, path, body) in [
        (Method::POST, format!("{path}/actions/add_subnet"), subnet),
        (Method::PUT, path.clone(), json!({"name": "other"})),
        (Method::DELETE, path.clone(), json!({})),
    ] {
        assert_eq!(lab.refused(method, &path, Some(body)).await, (409, "conflict".into()));
    }
    assert_eq!(lab.settle(&answer).await, ["success"]);
    let changed = lab
        .send(Method::PUT, &path, Some(json!({"name": "other", "expose_routes_to_vswitch": true})))
        .await
        .1;
    let network = &changed["network"];
    assert_eq!((&network["name"], &network["ip_range"]), (&json!("other"), &json!("10.0.0.0/12")));
    assert_eq!(network["expose_routes_to_vswitch"], true);
    lab.act(&format!("{path}/actions/change_protection"), json!({"delete": true})).await;
    assert_eq!(lab.refused(Method::DELETE, &path, None).await, (423, "protected".into()));
    lab.act(&format!("{path}/actions/change_protection"), json!({"delete": false})).await;
    let actions = lab.get(&format!("{path}/actions")).await["actions"].clone();
    assert_eq!(actions.as_array().unwrap().len(), 3);
    assert_eq!(lab.send(Method::DELETE, &path, None).await, (StatusCode::NO_CONTENT, Value::Null));
}

#[tokio::test]
async fn bad_networks_are_refused_and_leave_nothing() {
    let (_dir, lab) = lab().await;
    let subnet = |range: &str| json!({"type": "cloud", "network_zone": "eu-central", "ip_range": range});
    for extra in [
        json!({"ip_range": "8.8.0.0/16"}),
        json!({"ip_range": "10.0.0.0/25"}),
        json!({"ip_range": "10.0.0.1/16"}),
        json!({"ip_range": "10.0.0.0"}),
        json!({"ip_range": "fd00::/64"}),
        json!({"ip_range": null}),
        json!({"subnets": [subnet("10.1.0.0/24")]}),
        json!({"subnets": [subnet("10.0.0.0/24"), subnet("10.0.0.0/25")]}),
        json!({"subnets": [7]}),
        json!({"routes": [{"destination": "10.9.0.0/16", "gateway": "10.0.0.1"}]}),
        json!({"routes": [{"destination": "10.9.0.0/16"}]}),
    ] {
        let mut wish = json!({"name": "net", "ip_range": "10.0.0.0/16"});
        extra.as_object().unwrap().iter().for_each(|(key, value)| wish[key] = value.clone());
        let refused = lab.refused(Method::POST, "/networks", Some(wish)).await;
        assert_eq!(refused, (422, "invalid_input".into()), "{extra}");
    }
    assert_eq!(lab.get("/networks").await["networks"], json!([]));
    lab.network("net", "10.0.0.0/16", &[]).await;
    let again = json!({"name": "net", "ip_range": "10.0.0.0/16"});
    assert_eq!(lab.refused(Method::POST, "/networks", Some(again)).await, (409, "uniqueness_error".into()));
}

#[tokio::test]
async fn servers_get_addresses_in_networks() {
    let (_dir, lab) = lab().await;
    let id = lab.network("net", "10.0.0.0/16", &["10.0.0.0/29", "10.0.1.0/24"]).await;
    let (a, b) = (lab.server("a", json!({"location": "fsn1"})).await, lab.member("b", &[id]).await);
    let first = lab.private_net(b).await;
    assert_eq!(
        first,
        json!([{"network": id, "ip": "10.0.0.2", "alias_ips": [], "mac_address": "86:00:0a:00:00:02"}])
    );
    let attach = format!("/servers/{a}/actions/attach_to_network");
    for (extra, code) in [
        (json!({"ip": "10.0.0.2"}), "ip_not_available"),
        (json!({"ip": "10.0.0.1"}), "ip_not_available"),
        (json!({"ip": "10.0.0.0"}), "ip_not_available"),
        (json!({"ip": "10.0.1.255"}), "ip_not_available"),
        (json!({"ip": "10.0.7.7"}), "ip_not_available"),
        (json!({"ip": "10.0.0.3", "ip_range": "10.0.1.0/24"}), "invalid_input"),
        (json!({"ip_range": "10.0.2.0/24"}), "no_subnet_available"),
        (json!({"alias_ips": ["10.0.0.2"]}), "ip_not_available"),
        (json!({"alias_ips": ["10.0.1.5", "10.0.1.5"]}), "ip_not_available"),
        (json!({"ip": "10.0.1.5", "alias_ips": ["10.0.1.5"]}), "ip_not_available"),
        (json!({"ip": "nowhere"}), "invalid_input"),
        (json!({"alias_ips": (1..7).map(|i| format!("10.0.1.{i}")).collect::<Vec<_>>()}), "invalid_input"),
    ] {
        let mut body = json!({"network": id});
        extra.as_object().unwrap().iter().for_each(|(key, value)| body[key] = value.clone());
        let refused = lab.refused(Method::POST, &attach, Some(body)).await;
        assert_eq!(refused, (422, code.to_owned()), "{extra}");
    }
    let body = json!({"network": id, "ip_range": "10.0.1.0/24", "alias_ips": ["10.0.0.3"]});
    let answer = lab.post(&attach, body.clone()).await;
    let targets = json!([{"id": a, "type": "server"}, {"id": id, "type": "network"}]);
    assert_eq!(answer["action"]["resources"], targets);
    assert_eq!(lab.settle(&answer).await, ["success"]);
    assert_eq!(lab.private_net(a).await[0]["ip"], "10.0.1.1");
    assert_eq!(lab.get(&format!("/networks/{id}")).await["network"]["servers"], json!([a, b]));
    let again = lab.refused(Method::POST, &attach, Some(body)).await;
    assert_eq!(again, (422, "server_already_attached".into()));

    let aliases = format!("/servers/{a}/actions/change_alias_ips");
    lab.act(&aliases, json!({"network": id, "alias_ips": ["10.0.0.3", "10.0.0.4"]})).await;
    assert_eq!(lab.private_net(a).await[0]["alias_ips"], json!(["10.0.0.3", "10.0.0.4"]));
    let own = json!({"network": id, "alias_ips": ["10.0.1.1"]});
    let refused = lab.refused(Method::POST, &aliases, Some(own)).await;
    assert_eq!(refused, (422, "ip_not_available".into()));
    let subnet = Some(json!({"ip_range": "10.0.0.0/29"}));
    let delete_subnet = format!("/networks/{id}/actions/delete_subnet");
    assert_eq!(lab.refused(Method::POST, &delete_subnet, subnet).await, (422, "service_error".into()));

    let detach = format!("/servers/{a}/actions/detach_from_network");
    lab.act(&detach, json!({"network": id})).await;
    assert_eq!(lab.private_net(a).await, json!([]));
    let gone = lab.refused(Method::POST, &detach, Some(json!({"network": id}))).await;
    assert_eq!(gone, (422, "service_error".into()));
    assert_eq!(lab.send(Method::DELETE, &format!("/networks/{id}"), None).await.0, 204);
    assert_eq!(lab.private_net(b).await, json!([]));
    let gone = lab.refused(Method::POST, &detach, Some(json!({"network": id}))).await;
    assert_eq!(gone, (404, "not_found".into()));
}

#[tokio::test]
async fn a_server_joins_three_networks_that_do_not_overlap() {
    let (_dir, lab) = lab().await;
    let mut networks = Vec::new();
    for i in 0..4 {
        let range = format!("10.{i}.0.0/16");
        networks.push(lab.network(&format!("net-{i}"), &range, &[&range]).await);
    }
    let wide = lab.network("wide", "10.0.0.0/8", &["10.0.0.0/24"]).await;
    let bare = lab.network("bare", "192.168.0.0/16", &[]).await;
    for (wanted, status, code) in [
        (vec![networks[0], wide], 422, "networks_overlap"),
        (vec![bare], 422, "no_subnet_available"),
        (vec![networks[0], networks[0]], 422, "server_already_attached"),
        (networks.clone(), 403, "resource_limit_exceeded"),
    ] {
        let wish = wish("web", json!({"networks": wanted}));
        let refused = lab.refused(Method::POST, "/servers", Some(wish)).await;
        assert_eq!(refused, (status, code.to_owned()), "{wanted:?}");
    }
    let answer = lab.post("/servers", wish("web", json!({"networks": networks[..3]}))).await;
    let next = answer["next_actions"].as_array().unwrap();
    let commands: Vec<&str> = next.iter().map(|action| action["command"].as_str().unwrap()).collect();
    assert_eq!(commands, ["start_server", "attach_to_network", "attach_to_network", "attach_to_network"]);
    assert!(lab.settle(&answer).await.iter().all(|status| status == "success"));
    let attach = format!("/servers/{}/actions/attach_to_network", answer["server"]["id"]);
    let refused = lab.refused(Method::POST, &attach, Some(json!({"network": wide}))).await;
    assert_eq!(refused, (422, "networks_overlap".into()));
    let refused = lab.refused(Method::POST, &attach, Some(json!({"network": networks[3]}))).await;
    assert_eq!(refused, (403, "resource_limit_exceeded".into()));
}

#[tokio::test]
async fn a_subnet_serves_its_zone_until_it_is_full() {
    let (_dir, lab) = lab().await;
    let id = lab.network("net", "10.0.0.0/16", &["10.0.0.0/30"]).await;
    let wanted = |location: &str, server_type: &str| {
        let extra = json!({"location": location, "server_type": server_type, "networks": [id]});
        Some(wish("far", extra))
    };
    let far = lab.refused(Method::POST, "/servers", wanted("ash", "cpx22")).await;
    assert_eq!(far, (422, "no_subnet_available".into()));
    lab.member("a", &[id]).await;
    let full = lab.refused(Method::POST, "/servers", wanted("fsn1", "cx23")).await;
    assert_eq!(full, (422, "no_subnet_available".into()));
}

#[tokio::test]
async fn a_server_may_have_private_addresses_only_and_then_no_firewall() {
    let (_dir, lab) = lab().await;
    let id = lab.network("net", "10.0.0.0/16", &["10.0.0.0/24"]).await;
    let firewall = lab.post("/firewalls", json!({"name": "f"})).await["firewall"]["id"].clone();
    let none = json!({"enable_ipv4": false, "enable_ipv6": false});
    let mut extra = json!({"networks": [id], "public_net": none, "firewalls": [{"firewall": firewall}]});
    let refused = lab.refused(Method::POST, "/servers", Some(wish("web", extra.clone()))).await;
    assert_eq!(refused, (422, "incompatible_network_type".into()));
    extra["firewalls"] = json!([]);
    let answer = lab.post("/servers", wish("web", extra)).await;
    assert_eq!(lab.settle(&answer).await, ["success", "success", "success"]);
    let public_net = &answer["server"]["public_net"];
    assert_eq!((&public_net["ipv4"], &public_net["ipv6"]), (&Value::Null, &Value::Null));
    let places = json!([{"type": "server", "server": {"id": answer["server"]["id"]}}]);
    let apply = format!("/firewalls/{firewall}/actions/apply_to_resources");
    let refused = lab.refused(Method::POST, &apply, Some(json!({"apply_to": places}))).await;
    assert_eq!(refused, (422, "private_net_only_server".into()));
    let wish = json!({"name": "g", "apply_to": places});
    let refused = lab.refused(Method::POST, "/firewalls", Some(wish)).await;
    assert_eq!(refused, (422, "incompatible_network_type".into()));
}
