//! Actions that fail late, or take long.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::lab::{Lab, line};

#[test]
fn a_create_that_fails_late_leaves_a_server() {
    let lab = Lab::with(json!({
        "kind": "action_error", "command": "create_server", "code": "placement_error",
        "message": "no room on that host", "count": 1,
    }));
    lab.create("web").says("failed: no room on that host (placement_error)");
    let (_, servers) = lab.ask("GET", "/servers", None);
    assert_eq!(servers["servers"][0]["status"], "off");
    assert_eq!(lab.logged("POST", "/servers"), [line(201, &["action_error"])]);
    lab.hcloud(&["server", "poweron", "web"]).ok();
    lab.create("other").ok();
}

#[test]
fn a_delete_that_fails_late_can_be_repeated() {
    let lab = Lab::with(json!({"kind": "action_error", "command": "delete_server", "count": 1}));
    lab.create("web").ok();
    lab.hcloud(&["server", "delete", "web"]).says("Action failed (action_failed)");
    assert_eq!(lab.servers(), ["web"]);
    lab.hcloud(&["server", "delete", "web"]).ok();
    assert!(lab.servers().is_empty());
    assert_eq!(lab.met(), [1]);
}

#[test]
fn a_shutdown_that_fails_leaves_the_server_running() {
    let lab = Lab::with(json!({"kind": "action_error", "command": "shutdown_server", "count": 1}));
    lab.create("web").ok();
    lab.hcloud(&["server", "shutdown", "web"]).says("(action_failed)");
    let status = || lab.ask("GET", "/servers/101", None).1["server"]["status"].clone();
    assert_eq!(status(), "running");
    lab.hcloud(&["server", "shutdown", "web"]).ok();
}

#[test]
fn a_slow_action_locks_its_server_as_long() {
    let lab = Lab::with(json!({"kind": "action_slow", "command": "stop_server", "delay": "1500ms"}));
    lab.create("web").ok();
    let begin = Instant::now();
    let (_, answer) = lab.ask("POST", "/servers/101/actions/poweroff", None);
    let action = format!("/actions/{}", answer["action"]["id"]);
    lab.hcloud(&["server", "reboot", "web"]).says("server is locked (locked)");
    let look = || lab.ask("GET", &action, None).1["action"].clone();
    let seen: Vec<Value> = std::iter::repeat_with(look)
        .take_while(|action| action["status"] == "running" && begin.elapsed() < Duration::from_secs(10))
        .map(|action| action["progress"].clone())
        .collect();
    assert!(begin.elapsed() >= Duration::from_millis(1500) && look()["status"] == "success", "{}", look());
    assert!(seen.iter().any(|progress| (1..100).contains(&progress.as_u64().unwrap())), "{seen:?}");
    let logged = lab.logged("POST", "/servers/101/actions/poweroff");
    assert_eq!(logged, [line(201, &["action_slow"])]);
}
