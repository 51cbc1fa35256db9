//! What is out of stock, too much, or not allowed.

use std::thread::sleep;
use std::time::Duration;

use serde_json::{Value, json};

use super::lab::{Lab, line};

fn create_in(lab: &Lab, location: &str) -> super::lab::Ended {
    let words = ["server", "create", "--name", "web", "--type", "cx23", "--image", "debian-13", "--location"];
    lab.hcloud(&[&words[..], &[location]].concat())
}

/// What the list of server types says of cx23, location by location.
fn available(lab: &Lab) -> Vec<(String, bool)> {
    let (_, answer) = lab.ask("GET", "/server_types?name=cx23", None);
    let locations = answer["server_types"][0]["locations"].as_array().unwrap().clone();
    let one =
        |place: Value| (place["name"].as_str().unwrap().to_owned(), place["available"].as_bool().unwrap());
    locations.into_iter().map(one).collect()
}

#[test]
fn stock_is_out_under_either_code_and_the_list_may_lie() {
    for (code, available_says, words) in [
        ("resource_unavailable", false, "(resource_unavailable)"),
        ("invalid_input", true, "unsupported location for server type (invalid_input)"),
    ] {
        let lab = Lab::with(json!({
            "kind": "stock_out", "server_type": "cx23", "location": "fsn1", "code": code,
            "available": available_says, "count": 1,
        }));
        let all = |fsn1| [("fsn1", fsn1), ("nbg1", true), ("hel1", true)].map(|(n, a)| (n.to_owned(), a));
        assert_eq!(available(&lab), all(available_says));
        assert_eq!(lab.met(), [0]);
        create_in(&lab, "fsn1").says(words);
        let refused = if code == "invalid_input" { 422 } else { 412 };
        assert_eq!(lab.logged("POST", "/servers"), [line(refused, &["stock_out"])]);
        create_in(&lab, "fsn1").ok();
        assert_eq!((available(&lab), lab.met()), (all(true).to_vec(), vec![1]));
    }
}

#[test]
fn another_location_may_have_it() {
    let lab = Lab::with(json!({"kind": "stock_out", "location": "fsn1"}));
    create_in(&lab, "fsn1").says("(resource_unavailable)");
    create_in(&lab, "nbg1").ok();
}

#[test]
fn a_quota_counts_addresses_for_a_while_after_they_are_gone() {
    let lab = Lab::start(&[]);
    lab.create("web").ok();
    lab.add(json!({"kind": "quota", "limit": "server_limit", "value": 1}));
    lab.create("two").says("server limit exceeded (resource_limit_exceeded)");
    let addresses = |released_after: &str| {
        let limit = "primary_ip_limit";
        json!({"kind": "quota", "limit": limit, "value": 2, "released_after": released_after})
    };
    lab.only(addresses("60s"));
    lab.hcloud(&["server", "delete", "web"]).ok();
    let (status, answer) = lab.ask(
        "POST",
        "/servers",
        Some(json!({
            "name": "two", "server_type": "cx23", "image": "debian-13",
        })),
    );
    assert_eq!(
        (status, &answer["error"]["details"]),
        (403, &json!({"limits": [{"name": "primary_ip_limit"}]}))
    );
    lab.only(addresses("1s"));
    sleep(Duration::from_secs(1));
    lab.create("two").ok();
    let address = json!({"name": "a", "type": "ipv4", "location": "fsn1"});
    assert_eq!(lab.ask("POST", "/primary_ips", Some(address)).0, 403);
    assert_eq!(lab.logged("POST", "/primary_ips"), [line(403, &["quota"])]);
    assert!(lab.logged("POST", "/servers").contains(&line(403, &["quota"])));
}

#[test]
fn a_token_that_may_only_read_reads() {
    let lab = Lab::start(&[]);
    lab.create("web").ok();
    lab.add(json!({"kind": "read_only"}));
    lab.hcloud(&["server", "delete", "web"]).says("(forbidden)");
    assert_eq!(lab.servers(), ["web"]);
    assert_eq!(lab.logged("DELETE", "/servers/101"), [line(403, &["read_only"])]);
}
