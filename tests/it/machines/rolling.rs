//! Four users' gateways roll from a real release to the next one and back. What their users said, and what they set, goes with
//! them; and nobody outside waits for longer than a gateway takes to start.

use serde_json::Value;

use super::bed::Bed;
use super::parts::{NEW, OLD};

const NAMES: [&str; 4] = ["alice", "bob", "carol", "dave"];
const SESSION: &str = "agent:main:talk";

#[test]
#[ignore = "fifteen minutes: `make test-update`"]
fn four_gateways_take_their_sessions_along_and_get_them_back() {
    let Some(bed) = Bed::up() else { return };
    bed.ok(&[&["deploy"], &NAMES[..], &["--version", OLD, "--yes"]].concat());
    for name in NAMES {
        call(&bed, name, "sessions.create", &format!(r#"{{"key":"{SESSION}","label":"of {name}"}}"#));
        say(&bed, name, "said before");
        set(&bed, name, "before");
    }

    let report = bed.ok(&["update", "--all", "--version", NEW, "--bake", "10s", "--yes"]);
    was_made_everywhere(&report);
    for name in NAMES {
        runs(&bed, name, NEW);
        assert_eq!(said(&bed, name), ["said before"]);
        assert_eq!(setting(&bed, name), "before");
        say(&bed, name, "said after");
        set(&bed, name, "after");
        assert_eq!(said(&bed, name), ["said before", "said after"]);
    }

    let report = bed.ok(&["rollback", "--all", "--bake", "10s", "--yes"]);
    was_made_everywhere(&report);
    for name in NAMES {
        runs(&bed, name, OLD);
        assert_eq!(said(&bed, name), ["said before"]);
        assert_eq!(setting(&bed, name), "before");
    }
    // it exits with 1 where anything differs
    bed.ok(&["reconcile"]);
    bed.ok(&["destroy", "--all", "--yes"]);
}

/// The report has every host, and for how long it did not answer.
fn was_made_everywhere(report: &str) {
    eprintln!("{report}");
    for name in NAMES {
        let line = report.lines().find(|line| line.starts_with(name)).unwrap();
        let words: Vec<&str> = line.split_whitespace().collect();
        let [_, _, "updated", seconds, "s", "-"] = words[..] else { panic!("{line}") };
        assert!(seconds.parse::<f64>().unwrap() > 0.0, "{line}");
    }
}

fn runs(bed: &Bed, name: &str, release: &str) {
    assert_eq!(bed.json(&["show", name])["openclaw"], release, "in the state of the fleet");
    let stands = bed.on(name, "readlink /opt/openclaw/current");
    assert!(stands.trim_end().ends_with(release), "{name}: {stands}");
}

/// Asks the gateway, which has to answer.
fn call(bed: &Bed, name: &str, method: &str, params: &str) -> Value {
    let answer = bed.on(name, &format!("openclaw gateway call {method} --params '{params}' --json"));
    serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{name} {method}: {error}\n{answer}"))
}

/// A message in the user's conversation, which is in a database of the state.
fn say(bed: &Bed, name: &str, text: &str) {
    let said = call(
        bed,
        name,
        "chat.inject",
        &format!(r#"{{"sessionKey":"{SESSION}","message":"{text} by {name}"}}"#),
    );
    assert_eq!(said["ok"], true, "{said}");
}

/// What the gateway says was said, without the name of the one who said it.
fn said(bed: &Bed, name: &str) -> Vec<String> {
    let history = call(bed, name, "chat.history", &format!(r#"{{"sessionKey":"{SESSION}"}}"#));
    let messages = history["messages"].as_array().unwrap().iter();
    let texts = messages.map(|message| message["content"][0]["text"].as_str().unwrap());
    texts.map(|text| text.strip_suffix(&format!(" by {name}")).unwrap().to_owned()).collect()
}

fn set(bed: &Bed, name: &str, label: &str) {
    let patch = format!(
        r#"{{ gateway: {{ controlUi: {{ environment: {{ label: "{label}", color: "teal" }} }} }} }}"#
    );
    bed.on(name, &format!("echo '{patch}' | openclaw config patch --stdin"));
}

fn setting(bed: &Bed, name: &str) -> String {
    let read = "openclaw config get gateway.controlUi.environment.label --json";
    serde_json::from_str(&bed.on(name, read)).unwrap()
}
