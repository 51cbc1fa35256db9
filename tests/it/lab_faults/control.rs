//! How faults come and go, and which requests they choose.

use serde_json::{Value, json};

use super::lab::{Lab, line};

#[test]
fn faults_come_and_go_while_the_lab_runs() {
    let lab = Lab::start(&["--rate-limit", "3"]);
    let first = lab.add(json!({"kind": "answer", "status": 502, "route": "GET /servers", "after": 1}));
    let second = lab.add(json!({"kind": "read_only", "project": "nobody"}));
    assert_eq!(lab.ask("GET", "/servers", None).0, 200);
    assert_eq!(lab.ask("GET", "/servers", None).0, 502);
    let (_, all) = lab.control("GET", "/faults", None);
    assert_eq!(
        all["faults"],
        json!([
            {"id": first, "met": 1, "kind": "answer", "status": 502, "route": "GET /servers", "after": 1},
            {"id": second, "met": 0, "kind": "read_only", "project": "nobody"},
        ])
    );
    assert_eq!(lab.control("DELETE", &format!("/faults/{first}"), None).0, 204);
    assert_eq!(lab.control("DELETE", &format!("/faults/{first}"), None).0, 404);
    assert_eq!(lab.ask("GET", "/servers", None).0, 200);
    assert_eq!(lab.control("DELETE", "/faults", None).0, 204);
    assert!(lab.met().is_empty());
    // none of these has counted, so it was the fourth that was too many
    assert_eq!(lab.ask("GET", "/servers", None).0, 429);
    assert_eq!(lab.log().len(), 4);
}

#[test]
fn control_wants_a_token_and_a_fault() {
    let lab = Lab::start(&["--project", "other"]);
    let why = |body: Value| {
        let (status, answer) = lab.control("POST", "/faults", Some(body));
        (status, answer["error"]["message"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(
        why(json!({"kind": "reply_lost", "status": 502})),
        (
            422,
            "`status` is unknown here, which takes kind, route, project, label, after, count, probability, seed"
                .to_owned()
        )
    );
    assert_eq!(why(json!({"kind": "answer"})), (422, "`status` is missing".to_owned()));
    assert_eq!(why(json!([])).0, 400);
    assert_eq!(lab.ask_as(1, "GET", "/control/faults", None), (200, json!({"faults": []})));
    assert!(lab.stranger("/control/faults").contains("unauthorized"));
}

#[test]
fn labels_choose_by_the_body_and_by_the_resource() {
    let lab = Lab::start(&["--project", "other"]);
    lab.hcloud(&[
        "server",
        "create",
        "--name",
        "a",
        "--type",
        "cx23",
        "--image",
        "debian-13",
        "--label",
        "env=test",
    ])
    .ok();
    lab.create("b").ok();
    lab.add(json!({"kind": "answer", "status": 423, "label": "env in (test)"}));
    let create = |labels: Value| {
        let body = json!({"name": "c", "server_type": "cx23", "image": "debian-13", "labels": labels});
        lab.ask("POST", "/servers", Some(body)).0
    };
    assert_eq!((create(json!({"env": "test"})), create(json!({"env": "prod"}))), (423, 201));
    lab.hcloud(&["server", "poweroff", "a"]).says("(locked)");
    lab.hcloud(&["server", "poweroff", "b"]).ok();
    assert_eq!(lab.logged("POST", "/servers/101/actions/poweroff"), [line(423, &["answer"])]);
    // a project meets only what is meant for it
    lab.add(json!({"kind": "answer", "status": 500, "project": "other"}));
    assert_eq!(lab.ask("GET", "/servers", None).0, 200);
    assert_eq!(lab.ask_as(1, "GET", "/v1/servers", None).0, 500);
}

#[test]
fn a_file_of_faults_is_in_force_from_the_beginning() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("faults.toml");
    let text = "[[fault]]\nkind = \"answer\"\nroute = \"GET /servers\"\nstatus = 503\n";
    std::fs::write(&file, text).unwrap();
    let lab = Lab::start(&["--faults", file.to_str().unwrap()]);
    lab.hcloud(&["server", "list"]).says("(unavailable)");
    assert_eq!(lab.met(), [1]);
}

#[test]
fn the_log_tells_route_project_and_time() {
    let lab = Lab::start(&[]);
    lab.create("web").ok();
    lab.hcloud(&["server", "describe", "101"]).ok();
    let log = lab.log();
    let line = log.iter().find(|line| line["path"] == "/v1/servers/101").unwrap();
    assert_eq!((&line["route"], &line["project"]), (&json!("/servers/{id}"), &json!("default")));
    assert!(line["duration"].as_f64().unwrap() > 0.0 && line.get("fault").is_none(), "{line}");
    assert!(line["client"].as_str().unwrap().starts_with("hcloud-cli/"), "{line}");
    lab.stranger("/v1/nowhere");
    let last = lab.log().pop().unwrap();
    assert_eq!(
        (&last["route"], &last["project"], &last["status"]),
        (&Value::Null, &Value::Null, &json!(404))
    );
}
