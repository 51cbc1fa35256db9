//! Every fault of the lab's API, and which requests it is for.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::bed::Api;

/// A fault.
#[derive(Clone)]
pub(super) struct Fault {
    pub(super) name: String,
    body: Value,
    /// Whether it can be met by such a request: method and route.
    pub(super) meets: fn(&str) -> bool,
    /// Whether it is also played as an outage, which takes long: one fault for each way in which a program can see it.
    pub(super) outage: bool,
    /// Whether it is played where a step only looks before it changes something: again one for each way to see it.
    pub(super) of_looks: bool,
    /// Whether it is played on PostgreSQL, too.
    pub(super) on_postgres: bool,
}

/// Those that are played where the state is in PostgreSQL: one for each way in which a step ends without the other place knowing. What
/// the API says otherwise is met before the state is asked, whichever it is.
const ON_POSTGRES: [&str; 5] = ["reply_lost", "connection_reset", "read_only", "503 before", "502 after"];

/// Those of looks.
const OF_LOOKS: [&str; 6] =
    ["reply_lost", "stale_lists", "extra_fields", "403 before", "429 before", "503 before"];

/// The faults that are also played as outages.
const OUTAGES: [&str; 9] = [
    "reply_lost",
    "connection_reset",
    "read_only",
    "stale_lists",
    "stock_out",
    "server_limit",
    "429 before",
    "503 before",
    "502 after",
];

/// The statuses that the lab can answer with.
const STATUSES: [u16; 9] = [403, 409, 412, 423, 429, 500, 502, 503, 504];

/// Whether a request begins an action.
type Begins = fn(&str) -> bool;

/// Actions that can fail or be slow, and the requests that begin them.
const ACTIONS: [(&str, Begins); 7] = [
    ("create_server", |what| what == "POST /servers"),
    ("start_server", |what| what == "POST /servers" || what.ends_with("/poweron")),
    ("delete_server", |what| what == "DELETE /servers/{id}"),
    ("change_protection", |what| what.ends_with("/change_protection")),
    ("set_firewall_rules", |what| what.ends_with("/set_rules")),
    ("create_rrset", |what| what.starts_with("POST /zones") && what.ends_with("/rrsets")),
    ("delete_rrset", |what| what.starts_with("DELETE /zones")),
];

/// All faults.
pub(super) fn all() -> Vec<Fault> {
    let mut all = vec![
        fault("reply_lost", json!({ "kind": "reply_lost" }), anything),
        fault("connection_reset", json!({ "kind": "connection_reset" }), anything),
        fault("read_only", json!({ "kind": "read_only" }), a_change),
        fault("stale_lists", json!({ "kind": "stale_lists", "delay": "2s" }), a_list),
        fault("extra_fields", json!({ "kind": "extra_fields" }), an_answer),
        fault("stock_out", json!({ "kind": "stock_out" }), a_create),
        fault(
            "stock_out invalid_input",
            json!({ "kind": "stock_out", "code": "invalid_input", "available": true }),
            a_create,
        ),
        fault("server_limit", json!({ "kind": "quota", "limit": "server_limit", "value": 0 }), a_create),
        fault(
            "primary_ip_limit",
            json!({ "kind": "quota", "limit": "primary_ip_limit", "value": 0 }),
            a_create,
        ),
    ];
    for field in ["id", "labels"] {
        let body = json!({ "kind": "missing_fields", "fields": [field] });
        all.push(fault(&format!("missing_fields {field}"), body, an_object));
    }
    for status in STATUSES {
        for when in ["before", "after"] {
            let body = json!({ "kind": "answer", "status": status, "when": when });
            // what is only looked at is not done, before or after
            all.push(fault(
                &format!("{status} {when}"),
                body,
                if when == "before" { anything } else { a_change },
            ));
        }
    }
    let bare = json!({ "kind": "answer", "status": 502, "when": "after", "bare": true });
    all.push(fault("502 bare", bare, a_change));
    for (command, begins) in ACTIONS {
        let failing = json!({ "kind": "action_error", "command": command });
        all.push(fault(&format!("action_error {command}"), failing, begins));
        let slow = json!({ "kind": "action_slow", "command": command, "delay": "1500ms" });
        all.push(fault(&format!("action_slow {command}"), slow, begins));
    }
    all
}

fn fault(name: &str, body: Value, meets: fn(&str) -> bool) -> Fault {
    let (outage, of_looks) = (OUTAGES.contains(&name), OF_LOOKS.contains(&name));
    let on_postgres = ON_POSTGRES.contains(&name);
    Fault { name: name.to_owned(), body, meets, outage, of_looks, on_postgres }
}

fn anything(_: &str) -> bool {
    true
}

fn a_change(what: &str) -> bool {
    !what.starts_with("GET ")
}

fn a_create(what: &str) -> bool {
    what == "POST /servers"
}

/// Not one object, nor the actions that are asked for by their ids.
fn a_list(what: &str) -> bool {
    what.starts_with("GET ") && !what.ends_with('}') && what != "GET /actions"
}

/// What has a body.
fn an_answer(what: &str) -> bool {
    what.starts_with("GET ") || what.starts_with("POST ")
}

/// The answer to a create.
fn an_object(what: &str) -> bool {
    ["POST /servers", "POST /firewalls", "POST /ssh_keys"].contains(&what)
}

impl Fault {
    /// As the lab is told: for requests of a route, once or until it is lifted.
    pub(super) fn at(&self, route: &str, lasts: bool) -> Value {
        let mut body = self.body.clone();
        if let Some(fields) = body.as_object_mut() {
            fields.insert("route".to_owned(), pattern(route).into());
            if !lasts {
                fields.insert("count".to_owned(), 1.into());
            }
        }
        body
    }
}

/// `GET /servers/{id}` as a fault's route has it.
fn pattern(route: &str) -> String {
    let segment = |part: &str| if part.starts_with('{') { "*".to_owned() } else { part.to_owned() };
    route.split('/').map(segment).collect::<Vec<_>>().join("/")
}

/// The list is whole: the lab itself names its kinds and statuses to whoever asks for one that it does not have.
pub(super) fn nothing_is_missing(api: &Api) -> Result<()> {
    let said = api.refusal_of(&json!({ "kind": "none" }))?;
    let kinds = said.split("expected one of").nth(1).unwrap_or_default();
    let kinds: BTreeSet<&str> = kinds.split('`').skip(1).step_by(2).collect();
    let faults = all();
    let known: BTreeSet<&str> = faults.iter().filter_map(|fault| fault.body.get("kind")?.as_str()).collect();
    ensure!(kinds == known, "the lab has the faults {kinds:?}, the matrix {known:?}");
    let said = api.refusal_of(&json!({ "kind": "answer", "status": 1 }))?;
    let statuses: Vec<String> = STATUSES.iter().map(u16::to_string).collect();
    ensure!(said.contains(&format!("one of {}", statuses.join(", "))), "{said}");
    Ok(())
}
