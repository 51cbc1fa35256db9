//! The API before and after the removals of 2026.

use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{ApiDate, Client, Settings, lab, open_with, settings};

async fn old() -> (TempDir, Client) {
    let dir = tempfile::tempdir().unwrap();
    let client = open_with(Settings { api_date: ApiDate::June2026, ..settings(dir.path()) }).await;
    (dir, client)
}

#[tokio::test]
async fn the_old_api_has_data_centers() {
    let (_dir, lab) = old().await;
    let list = lab.get("/datacenters").await;
    assert_eq!((&list["recommendation"], list["datacenters"].as_array().unwrap().len()), (&json!(4), 6));
    assert_eq!(list["meta"]["pagination"]["total_entries"], 6);
    let there = lab.get("/datacenters?name=nbg1-dc3").await["datacenters"][0].clone();
    assert_eq!((&there["id"], &there["location"]["name"]), (&json!(2), &json!("nbg1")));
    let types = |key: &str| there["server_types"][key].as_array().unwrap().clone();
    assert!(types("supported").contains(&json!(114)) && types("available").contains(&json!(114)));
    // no longer sold
    assert!(types("supported").contains(&json!(104)) && !types("available").contains(&json!(104)));
    assert_eq!(types("available"), types("available_for_migration"));
    assert_eq!(lab.get("/datacenters/2").await["datacenter"], there);
    assert_eq!(lab.refused(Method::GET, "/datacenters/9", None).await, (404, "not_found".into()));

    let id = lab.server("web", json!({"datacenter": "nbg1-dc3"})).await;
    let server = lab.get(&format!("/servers/{id}")).await["server"].clone();
    assert_eq!((&server["datacenter"], &server["location"]["name"]), (&there, &json!("nbg1")));
    assert_eq!(
        (&server["server_type"]["deprecated"], &server["image"]["deprecated"]),
        (&json!(false), &Value::Null)
    );
    let wish = json!({"name": "p", "type": "ipv6", "assignee_type": "server", "datacenter": "2"});
    assert_eq!(lab.post("/primary_ips", wish).await["primary_ip"]["datacenter"], there);
    let both = json!({"datacenter": "nbg1-dc3", "location": "nbg1"});
    let both = lab.refused(Method::POST, "/servers", Some(super::wish("b", both))).await;
    assert_eq!(both, (422, "invalid_input".into()));
    let unknown = super::wish("b", json!({"datacenter": "nbg1"}));
    assert_eq!(lab.refused(Method::POST, "/servers", Some(unknown)).await, (422, "invalid_input".into()));
}

#[tokio::test]
async fn the_old_api_says_deprecated_twice() {
    let (_dir, lab) = old().await;
    let image = lab.get("/images?name=ubuntu-20.04&include_deprecated=true").await["images"][0].clone();
    assert_eq!(image["deprecated"], image["deprecation"]["announced"]);
    assert!(image["deprecated"].is_string());
    assert_eq!(lab.get("/server_types?name=cx22").await["server_types"][0]["deprecated"], true);
}

#[tokio::test]
async fn the_new_api_has_neither() {
    let (_dir, lab) = lab().await;
    assert_eq!(
        lab.refused(Method::GET, "/datacenters/2", None).await,
        (410, "deprecated_api_endpoint".into())
    );
    // an unknown field is no error
    let id = lab.server("web", json!({"datacenter": "nbg1-dc3"})).await;
    let server = lab.get(&format!("/servers/{id}")).await["server"].clone();
    assert_eq!((server.get("datacenter"), &server["location"]["name"]), (None, &json!("fsn1")));
    assert_eq!((server["server_type"].get("deprecated"), server["image"].get("deprecated")), (None, None));
    let ip = lab.get("/primary_ips").await["primary_ips"][0].clone();
    assert_eq!(ip.get("datacenter"), None);
}

#[tokio::test]
async fn what_is_no_longer_sold_is_said_for_each_location() {
    let (_dir, lab) = lab().await;
    let old = lab.get("/server_types?name=cx22").await["server_types"][0].clone();
    let location = &old["locations"][0];
    assert_eq!((&location["deprecation"], &location["available"]), (&old["deprecation"], &json!(false)));
    assert!(old["deprecation"]["unavailable_after"].is_string());
    let refusal =
        lab.refused(Method::POST, "/servers", Some(super::wish("b", json!({"server_type": "cx22"})))).await;
    assert_eq!(refusal, (422, "invalid_input".into()));
    let sold = lab.get("/server_types?name=ccx13").await["server_types"][0].clone();
    assert_eq!((&sold["cpu_type"], &sold["deprecation"]), (&json!("dedicated"), &Value::Null));
    let here = json!({"id": 1, "name": "fsn1", "deprecation": null, "recommended": true, "available": true});
    assert_eq!(sold["locations"][0], here);
}

#[tokio::test]
async fn kinds_that_are_not_played_are_empty() {
    let (_dir, lab) = lab().await;
    for kind in ["isos", "load_balancer_types", "load_balancers", "floating_ips", "certificates"] {
        let list = lab.get(&format!("/{kind}?name=a")).await;
        assert_eq!((&list[kind], &list["meta"]["pagination"]["total_entries"]), (&json!([]), &json!(0)));
        let one = lab.refused(Method::GET, &format!("/{kind}/7"), None).await;
        assert_eq!(one, (404, "not_found".into()));
    }
    for kind in ["load_balancers", "floating_ips", "certificates"] {
        assert_eq!(lab.get(&format!("/{kind}/actions")).await["actions"], json!([]));
        let make = lab.refused(Method::POST, &format!("/{kind}"), Some(json!({"name": "a"}))).await;
        assert_eq!(make, (422, "unsupported_error".into()));
    }
    let iso = lab.refused(Method::POST, "/isos", Some(json!({}))).await;
    assert_eq!(iso, (405, "method_not_allowed".into()));
}
