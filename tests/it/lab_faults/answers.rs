//! Answers that come in place of those that are due.

use serde_json::{Value, json};

use super::lab::{Lab, line};

fn answer(status: u16, when: &str, route: &str) -> Value {
    json!({"kind": "answer", "status": status, "when": when, "route": route, "count": 1})
}

#[test]
fn hcloud_tries_a_conflict_again() {
    let lab = Lab::with(answer(409, "before", "GET /servers"));
    assert!(lab.servers().is_empty());
    assert_eq!(lab.logged("GET", "/servers"), [line(409, &["answer"]), line(200, &[])]);
    // its second create meets what its first one has made
    lab.add(answer(409, "after", "POST /servers"));
    lab.create("web").says("server name is already used (uniqueness_error)");
    assert_eq!(lab.logged("POST", "/servers"), [line(409, &["answer"]), line(409, &[])]);
    assert_eq!(lab.servers(), ["web"]);
}

#[test]
fn hcloud_takes_the_others_for_final() {
    let lab = Lab::start(&[]);
    for (status, words) in [
        (403, "(forbidden)"),
        (412, "(resource_unavailable)"),
        (423, "the resource is locked (locked)"),
        (429, "rate limit exceeded (rate_limit_exceeded)"),
        (500, "(server_error)"),
        (502, "bad gateway (bad_gateway)"),
        (503, "(unavailable)"),
        (504, "(timeout)"),
    ] {
        let before = lab.logged("POST", "/servers").len();
        lab.add(answer(status, "before", "POST /servers"));
        lab.create("web").says(words);
        assert_eq!(lab.logged("POST", "/servers")[before..], [line(status, &["answer"])]);
    }
    assert!(lab.servers().is_empty());
    lab.add(answer(502, "after", "POST /servers"));
    lab.create("web").says("bad gateway (bad_gateway)");
    assert_eq!(lab.servers(), ["web"]);
}

#[test]
fn a_client_that_tries_a_502_again_finds_what_the_first_try_has_made() {
    let lab = Lab::with(answer(502, "after", "POST /ssh_keys"));
    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBtKY2eAq6tIFoWejsAXVmj5I3B/HrQzmCoF/WVmojFO a";
    let body = json!({"name": "a", "public_key": key}).to_string();
    let retried = lab.curl(&["--retry", "1", "--retry-delay", "1", "-d", &body], "/ssh_keys");
    assert!(retried.stdout.contains("uniqueness_error"), "{retried:?}");
    assert_eq!(lab.logged("POST", "/ssh_keys"), [line(502, &["answer"]), line(409, &[])]);
}

#[test]
fn a_gateway_s_page_is_not_json() {
    let lab = Lab::with(
        json!({"kind": "answer", "status": 502, "bare": true, "route": "GET /servers", "count": 2}),
    );
    lab.hcloud(&["server", "list"]).says("server responded with status code 502");
    let page = lab.curl(&["-i"], "/servers").stdout.to_lowercase();
    assert!(page.contains("text/html") && page.contains("<h1>502 bad gateway</h1>"), "{page}");
    assert!(!page.contains("x-correlation-id") && !page.contains("ratelimit"), "{page}");
}

#[test]
fn words_can_be_chosen_and_429_says_that_nothing_is_left() {
    let lab = Lab::with(json!({
        "kind": "answer", "status": 409, "code": "uniqueness_error", "message": "no second one",
        "route": "POST /servers",
    }));
    lab.create("web").says("no second one (uniqueness_error)");
    lab.add(answer(429, "before", "GET /servers"));
    let page = lab.curl(&["-i"], "/servers").stdout;
    assert!(page.contains("429 Too Many Requests") && page.contains("ratelimit-remaining: 0"), "{page}");
}
