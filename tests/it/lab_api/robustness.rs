//! Requests that are wrong in every way, and requests at the same time.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::raw::{send, send_as};
use super::{KEY, lab, token, wish};

#[tokio::test]
async fn bodies_that_are_no_objects_are_refused() {
    let (_dir, lab) = lab().await;
    let deep = [b"{\"name\":".as_slice(), &b"[".repeat(100_000)].concat();
    let long = format!("{{\"name\": \"{}\"}}", "x".repeat(10 * 1024 * 1024)).into_bytes();
    let no_json = (400, "json_error".to_owned());
    let no_input = (422, "invalid_input".to_owned());
    for (body, refusal) in [
        (b"".as_slice(), &no_json),
        (b"{", &no_json),
        (b"[]", &no_json),
        (b"null", &no_json),
        (b"7", &no_json),
        (b"{} {}", &no_json),
        (b"\0", &no_json),
        (b"{\"name\": \"\xff\"}", &no_json),
        (b"{\"name\": \"a\0b\"}", &no_json),
        (b"{\"name\": 1e999}", &no_json),
        (&deep, &no_json),
        (&long, &(413, "json_error".to_owned())),
        (b"{}", &no_input),
        (b"{\"name\": 1e300}", &no_input),
        (b"{\"name\": 99999999999999999999999999}", &no_input),
        (b"{\"name\": {}}", &no_input),
        (b"{\"name\": \"a\\u0000b\"}", &no_input),
        (b"{\"name\": \"\"}", &no_input),
        (b"{\"name\": \"k\", \"public_key\": [\"k\"]}", &no_input),
        (b"{\"name\": \"k\", \"public_key\": \"k\", \"labels\": []}", &no_input),
        (b"{\"name\": \"k\", \"public_key\": \"k\", \"labels\": {\"a\": 1}}", &no_input),
    ] {
        let shown = body.get(..60).unwrap_or(body).escape_ascii().to_string();
        assert_eq!(&send(&lab, "POST", b"/v1/ssh_keys", body).await.refusal(), refusal, "{shown}");
    }
    let twice = format!("{{\"name\": \"first\", \"public_key\": \"{KEY}\", \"name\": \"last\"}}");
    assert_eq!(send(&lab, "POST", b"/v1/ssh_keys", twice.as_bytes()).await.code(), None);
    assert_eq!(lab.get("/ssh_keys").await["ssh_keys"][0]["name"], "last");
}

#[tokio::test]
async fn paths_that_name_nothing_are_not_found() {
    let (_dir, lab) = lab().await;
    lab.post("/zones", json!({"name": "example.org", "mode": "primary"})).await;
    let digits = "9".repeat(5000);
    let ids = [
        "0",
        "-1",
        "%00",
        "%2F",
        "%FF%FE",
        "..%2f..",
        "abc",
        "1e3",
        "0x10",
        "18446744073709551615",
        &digits,
        "%",
    ];
    let plurals = [
        "servers",
        "ssh_keys",
        "firewalls",
        "images",
        "primary_ips",
        "actions",
        "locations",
        "server_types",
        "zones",
    ];
    let verbs = [
        "servers/ID/actions/poweron",
        "zones/ID/actions/change_ttl",
        "zones/ID/zonefile",
        "servers/ID/actions",
        "zones/example.org/rrsets/ID/A",
        "zones/example.org/rrsets/@/ID",
        "zones/example.org/rrsets/ID/ID/actions/set_records",
    ];
    let paths = plurals.iter().map(|plural| format!("{plural}/ID")).chain(verbs.map(str::to_owned));
    for path in paths {
        for id in ids {
            let method = if path.contains("/actions/") { "POST" } else { "GET" };
            let target = format!("/v1/{}", path.replace("ID", id));
            let body = br#"{"ttl": 60, "records": [{"value": "192.0.2.1"}]}"#;
            let reply = send(&lab, method, target.as_bytes(), body).await;
            assert_eq!(reply.refusal(), (404, "not_found".into()), "{method} {target}");
        }
    }
    let odd = [
        "/",
        "/v1",
        "/v1/",
        "//v1/servers",
        "/v1/servers/",
        "/v1/servers//actions",
        "/v2/servers",
        "/v1/%73ervers%20",
    ];
    for target in odd {
        assert_eq!(
            send(&lab, "GET", target.as_bytes(), b"").await.refusal(),
            (404, "not_found".into()),
            "{target}"
        );
    }
    // more than a request line may have: refused before it is a request
    let endless = [b"/v1/servers/".as_slice(), &b"9".repeat(70_000)].concat();
    assert_eq!(send(&lab, "GET", &endless, b"").await.status, 414);
    assert_eq!(lab.get("/servers").await["servers"], json!([]));
}

#[tokio::test]
async fn queries_are_read_or_refused() {
    let (_dir, lab) = lab().await;
    lab.post("/ssh_keys", json!({"name": "k", "public_key": KEY})).await;
    let sorts = format!("/v1/ssh_keys?{}", "sort=name&".repeat(1000));
    for (target, refused) in [
        (b"/v1/ssh_keys?page=-1".as_slice(), true),
        (b"/v1/ssh_keys?page=0", true),
        (b"/v1/ssh_keys?page=99999999999999999999", true),
        (b"/v1/ssh_keys?page=1.5", true),
        (b"/v1/ssh_keys?page=%00", true),
        (b"/v1/ssh_keys?per_page=0", true),
        (b"/v1/ssh_keys?per_page=-5", true),
        (b"/v1/ssh_keys?per_page=x", true),
        (b"/v1/ssh_keys?sort=", true),
        (b"/v1/ssh_keys?sort=name:up", true),
        (b"/v1/ssh_keys?sort=name:asc:desc", true),
        (b"/v1/servers?sort=colour", true),
        (b"/v1/ssh_keys?label_selector=a%3D%3D%3Db", true),
        (b"/v1/ssh_keys?label_selector=a%20in%20(b", true),
        (b"/v1/ssh_keys?label_selector=%FF", true),
        (b"/v1/actions?id=x", true),
        (b"/v1/ssh_keys?page=18446744073709551615", false),
        (b"/v1/ssh_keys?per_page=18446744073709551615", false),
        (b"/v1/ssh_keys?%", false),
        (b"/v1/ssh_keys?%ZZ=%ZZ&=&&&", false),
        (b"/v1/ssh_keys?name=%FF%FE", false),
        (b"/v1/ssh_keys?name=\xc3\xa4|^{}", false),
        (b"/v1/ssh_keys?label_selector=", false),
        (sorts.as_bytes(), false),
    ] {
        let wanted = if refused { Some("invalid_input".to_owned()) } else { None };
        assert_eq!(send(&lab, "GET", target, b"").await.code(), wanted, "{}", target.escape_ascii());
    }
    let beyond = lab.get("/ssh_keys?page=18446744073709551615").await;
    assert_eq!((&beyond["ssh_keys"], &beyond["meta"]["pagination"]["last_page"]), (&json!([]), &json!(1)));
}

#[tokio::test]
async fn methods_and_tokens_are_looked_at_in_order() {
    let (_dir, lab) = lab().await;
    let remaining = |head: &str| {
        let line = head.lines().find_map(|line| line.strip_prefix("ratelimit-remaining: "));
        line.unwrap().trim().parse::<u32>().unwrap()
    };
    let first = send(&lab, "GET", b"/v1/servers", b"").await;
    let head = send(&lab, "HEAD", b"/v1/servers", b"").await;
    assert_eq!(
        (head.status, head.body.len(), head.head.contains("content-type: application/json")),
        (200, 0, true)
    );
    assert!(remaining(&head.head) < remaining(&first.head), "HEAD counts, too");
    for method in ["OPTIONS", "PATCH", "TRACE", "PROPFIND"] {
        let reply = send(&lab, method, b"/v1/servers", b"").await;
        assert_eq!(reply.refusal(), (405, "method_not_allowed".into()), "{method}");
    }
    assert_eq!(send(&lab, "DELETE", b"/v1/servers", b"").await.status, 405);
    let bearer = |token: &str| format!("authorization: Bearer {token}\r\n");
    for (headers, target, refusal) in [
        (String::new(), "/v1/servers", (401, "unauthorized")),
        (String::new(), "/v1/servers/1", (401, "unauthorized")),
        (String::new(), "/v1/servers/abc", (401, "unauthorized")),
        (String::new(), "/v1/nope", (404, "not_found")),
        (bearer("wrong"), "/v1/servers", (401, "unauthorized")),
        (bearer(""), "/v1/servers", (401, "unauthorized")),
        (bearer("t\u{e4}"), "/v1/servers", (401, "unauthorized")),
        (bearer("wrong"), "/v1/nope", (404, "not_found")),
        (format!("authorization: Basic {}\r\n", token()), "/v1/servers", (401, "unauthorized")),
        (format!("authorization: {}\r\n", token()), "/v1/servers", (401, "unauthorized")),
    ] {
        let reply = send_as(&lab, &headers, "GET", target.as_bytes(), b"").await;
        assert_eq!(reply.refusal(), (refusal.0, refusal.1.to_owned()), "{target} {headers}");
    }
    let scheme = format!("authorization: bearer  {}\r\n", token());
    assert_eq!(send_as(&lab, &scheme, "GET", b"/v1/servers", b"").await.status, 200);
}

/// A body for each kind of resource that is made by its name.
fn kinds() -> Vec<(&'static str, Value)> {
    vec![
        ("/servers", wish("web", json!({"start_after_create": false}))),
        ("/ssh_keys", json!({"name": "web", "public_key": KEY})),
        ("/firewalls", json!({"name": "web"})),
        (
            "/primary_ips",
            json!({"name": "web", "type": "ipv4", "assignee_type": "server", "location": "nbg1"}),
        ),
        ("/zones", json!({"name": "web.example", "mode": "primary"})),
        (
            "/zones/base.example/rrsets",
            json!({"name": "web", "type": "A", "records": [{"value": "192.0.2.1"}]}),
        ),
    ]
}

#[tokio::test]
async fn of_creates_at_once_with_one_name_one_wins() {
    let (_dir, lab) = lab().await;
    lab.post("/zones", json!({"name": "base.example", "mode": "primary"})).await;
    for (path, body) in kinds() {
        let create = || lab.send(Method::POST, path, Some(body.clone()));
        let answers = futures_util::future::join_all((0..8).map(|_| create())).await;
        let won = answers.iter().filter(|(status, _)| *status == StatusCode::CREATED).count();
        let code = |answer: &Value| answer["error"]["code"].as_str().unwrap_or_default().to_owned();
        let lost = answers
            .iter()
            .filter(|(status, body)| *status == 409 && code(body) == "uniqueness_error")
            .count();
        assert_eq!((won, lost), (1, 7), "{path}");
    }
}

#[tokio::test]
async fn names_and_labels_that_cannot_be_are_refused_everywhere() {
    let (_dir, lab) = lab().await;
    lab.post("/zones", json!({"name": "base.example", "mode": "primary"})).await;
    for (path, body) in kinds() {
        for (field, value) in [
            ("name", json!("x".repeat(300))),
            ("name", json!("")),
            ("name", json!("a\u{0}b")),
            ("name", json!(null)),
            ("name", json!(7)),
            ("labels", json!({"hetzner.cloud/a": "b"})),
            ("labels", json!({"": "b"})),
            ("labels", json!({"a b": "b"})),
            ("labels", json!({"a": "b\n"})),
            ("labels", json!({"a": null})),
            ("labels", json!({"a": "x".repeat(64)})),
            ("labels", json!("a=b")),
        ] {
            let mut body = body.clone();
            body[field] = value;
            let refusal = lab.refused(Method::POST, path, Some(body.clone())).await;
            assert_eq!(refusal, (422, "invalid_input".into()), "{path} {body}");
        }
    }
}
