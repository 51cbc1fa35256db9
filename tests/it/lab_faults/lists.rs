//! Lists that lag behind.

use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::json;

use super::lab::Lab;

const DELAY: Duration = Duration::from_secs(2);

#[test]
fn a_stale_list_misses_the_new_and_shows_the_gone() {
    let lab = Lab::start(&[]);
    lab.create("old").ok();
    sleep(DELAY);
    let (_, old) = lab.ask("GET", "/servers?name=old", None);
    let old = old["servers"][0]["id"].to_string();
    lab.add(json!({"kind": "stale_lists", "route": "GET /servers", "delay": "2s"}));
    let begin = Instant::now();
    assert_eq!(
        lab.ask(
            "POST",
            "/servers",
            Some(json!({
                "name": "new", "server_type": "cx23", "image": "debian-13", "start_after_create": false,
            }))
        )
        .0,
        201
    );
    lab.hcloud(&["server", "delete", &old]).ok();

    assert_eq!(lab.servers(), ["old"]);
    lab.hcloud(&["server", "describe", "new"]).says("server not found: new");
    lab.hcloud(&["server", "describe", "102"]).ok();
    lab.hcloud(&["server", "describe", &old]).says(&format!("server not found: {old}"));
    // a name that a list does not show is taken all the same
    lab.create("new").says("uniqueness_error");
    assert!(begin.elapsed() < DELAY, "this computer is too slow for this test: {:?}", begin.elapsed());

    sleep(DELAY);
    assert_eq!(lab.servers(), ["new"]);
    assert!(lab.log().iter().any(|line| line["fault"] == json!(["stale_lists"])));
}
