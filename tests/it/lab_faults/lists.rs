//! Lists that lag behind.

use std::thread::sleep;
use std::time::Duration;

use serde_json::json;

use super::lab::Lab;

fn stale(delay: &str) -> serde_json::Value {
    json!({"kind": "stale_lists", "route": "GET /servers", "delay": delay})
}

#[test]
fn a_stale_list_misses_the_new_and_shows_the_gone() {
    let mut lab = Lab::start(&[]);
    lab.create("old").ok();
    // what a lab finds at its start is not new
    lab.again();
    lab.add(stale("60s"));
    lab.ask("POST", "/servers", Some(json!({"name": "new", "server_type": "cx23", "image": "debian-13"})));
    lab.hcloud(&["server", "delete", "101"]).ok();

    assert_eq!(lab.servers(), ["old"]);
    lab.hcloud(&["server", "describe", "new"]).says("server not found: new");
    lab.hcloud(&["server", "describe", "102"]).ok();
    lab.hcloud(&["server", "describe", "101"]).says("server not found: 101");
    // a name that a list does not show is taken all the same
    lab.create("new").says("uniqueness_error");
    let last = lab.log().into_iter().rfind(|line| line["route"] == "/servers" && line["method"] == "GET");
    assert_eq!(last.unwrap()["fault"], json!(["stale_lists"]));

    lab.only(stale("1s"));
    sleep(Duration::from_secs(1));
    assert_eq!(lab.servers(), ["new"]);
}
