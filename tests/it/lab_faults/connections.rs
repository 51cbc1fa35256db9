//! Connections that end without an answer.

use serde_json::{Value, json};

use super::lab::{Lab, line};

#[test]
fn a_lost_reply_has_done_its_work() {
    let lab = Lab::with(json!({"kind": "reply_lost", "route": "POST /servers", "count": 1}));
    lab.create("web").says("EOF");
    assert_eq!(lab.servers(), ["web"]);
    lab.create("web").says("server name is already used (uniqueness_error)");
    assert_eq!(lab.logged("POST", "/servers"), [line(Value::Null, &["reply_lost"]), line(409, &[])]);
}

#[test]
fn a_reset_connection_has_done_nothing() {
    let lab = Lab::with(json!({"kind": "connection_reset", "route": "POST /servers", "count": 1}));
    lab.create("web").says("connection reset by peer");
    assert!(lab.servers().is_empty());
    lab.create("web").ok();
    assert_eq!(lab.logged("POST", "/servers"), [line(Value::Null, &["connection_reset"]), line(201, &[])]);
}

#[test]
fn answers_are_compressed_for_whoever_wants_that() {
    let lab = Lab::start(&[]);
    let size = |words: &[&str]| -> u64 {
        let mut all = vec!["-o", "/dev/null", "-w", "%{size_download}"];
        all.extend(words);
        lab.curl(&all, "/server_types").stdout.parse().unwrap()
    };
    let (plain, packed) = (size(&[]), size(&["-H", "Accept-Encoding: gzip"]));
    assert!(plain > 4 * packed, "{plain} and {packed} bytes");
    let unpacked = lab.curl(&["--compressed"], "/server_types");
    let unpacked: Value = serde_json::from_str(&unpacked.stdout).unwrap();
    assert_eq!(unpacked, lab.ask("GET", "/server_types", None).1);
}
