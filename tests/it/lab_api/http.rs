//! What holds for every route, and for every list.

use reqwest::Method;
use serde_json::{Value, json};

use super::{KEY, lab, token, wish};

#[tokio::test]
async fn http_is_as_clients_expect_it() {
    let (dir, lab) = lab().await;
    let plain = |path: &str| lab.http.get(format!("{}{path}", lab.base)).header("user-agent", "test/1");
    let response = plain("/servers").send().await.unwrap();
    assert_eq!(response.status(), 401);
    assert_eq!(response.headers()["ratelimit-limit"], "3600");
    let correlation = response.headers()["x-correlation-id"].to_str().unwrap().to_owned();
    let body: Value = response.json().await.unwrap();
    assert_eq!(
        body,
        json!({"error": {"code": "unauthorized", "details": null, "message": "token is required"}})
    );
    assert_eq!(plain("/servers").bearer_auth("wrong").send().await.unwrap().status(), 401);
    assert_eq!(plain("/nope").send().await.unwrap().status(), 404);
    for path in ["/datacenters", "/datacenters/1", "/actions"] {
        assert_eq!(
            lab.refused(Method::GET, path, None).await,
            (410, "deprecated_api_endpoint".into()),
            "{path}"
        );
    }
    assert_eq!(lab.refused(Method::PATCH, "/servers", None).await, (405, "method_not_allowed".into()));
    assert_eq!(lab.refused(Method::GET, "/servers/abc", None).await, (404, "not_found".into()));
    let no_json =
        lab.http.post(format!("{}/servers", lab.base)).bearer_auth(token()).body("{").send().await.unwrap();
    assert_eq!(no_json.status(), 400);

    let key = lab.post("/ssh_keys", json!({"name": "k", "public_key": KEY})).await["ssh_key"]["id"].clone();
    let deleted =
        lab.http.delete(format!("{}/ssh_keys/{key}", lab.base)).bearer_auth(token()).send().await.unwrap();
    assert_eq!(deleted.status(), 204);
    assert!(!deleted.headers().contains_key("content-type"), "{:?}", deleted.headers());

    let log = std::fs::read_to_string(dir.path().join("requests.jsonl")).unwrap();
    let first: Value = serde_json::from_str(log.lines().next().unwrap()).unwrap();
    assert_eq!(
        (&first["method"], &first["path"], &first["status"]),
        (&json!("GET"), &json!("/v1/servers"), &json!(401))
    );
    assert_eq!((&first["correlation_id"], &first["client"]), (&json!(correlation), &json!("test/1")));
    assert!(first["time"].as_str().unwrap().len() == "2026-11-22T18:14:29.713Z".len(), "{first}");
}

#[tokio::test]
async fn lists_are_filtered_ordered_and_paged() {
    let (_dir, lab) = lab().await;
    for (name, env) in [("a", "prod"), ("b", "test"), ("c", "prod")] {
        let extra = json!({"labels": {"env": env}, "start_after_create": false});
        lab.post("/servers", wish(name, extra)).await;
    }
    let names = async |query: &str| {
        let body = lab.get(&format!("/servers?{query}")).await;
        body["servers"]
            .as_array()
            .unwrap()
            .iter()
            .map(|s| s["name"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(names("label_selector=env%3Dprod&sort=name:desc").await, ["c", "a"]);
    assert_eq!(names("label_selector=env+in+(test,dev)").await, ["b"]);
    assert_eq!(names("per_page=2&page=2&unknown=1").await, ["c"]);
    assert_eq!(names("name=b").await, ["b"]);
    assert_eq!(names("status=running").await, Vec::<String>::new());
    assert_eq!(lab.refused(Method::GET, "/servers?label_selector=a%3D%3D%3Db", None).await.0, 422);
    assert_eq!(lab.refused(Method::GET, "/servers?sort=colour", None).await.0, 422);
}
