//! Where the time of a deploy went: what is written down here, and what the server has written down, on one axis.

use serde_json::Value;

use super::bed::Bed;

#[test]
fn a_deploy_is_told_step_by_step() {
    let bed = Bed::new(
        "packages = '2s'\n[[part]]\nname = 'node'\ntakes = '1s'\n[[part]]\nname = 'package'\ntakes = '2s'\n",
    );
    bed.ok(&["deploy", "alice", "--yes"]);
    let told: Value = serde_json::from_str(&bed.ok(&["show", "alice", "--timing", "--json"])).unwrap();
    let spans = told["spans"].as_array().unwrap();
    let find = |place: &str, what: &str| {
        let found = spans.iter().find(|span| span["where"] == place && span["what"] == what);
        let span = found.unwrap_or_else(|| panic!("no {what}, {place}: {told}"));
        (span["after"].as_u64().unwrap(), span["took"].as_u64().unwrap())
    };
    assert_eq!(find("here", "create").0, 0);
    // seconds are told whole
    let (packages, node, package) =
        (find("server", "packages"), find("server", "node"), find("server", "package"));
    assert!((1..=4).contains(&packages.1) && node.1 <= 2 && (1..=3).contains(&package.1), "{told}");
    assert!(node.0 >= packages.0 && package.0 >= node.0 && find("here", "serve").0 >= package.0, "{told}");
    assert!(told["begun"].as_str().unwrap().ends_with('Z'));

    let text = bed.ok(&["show", "alice", "--timing"]);
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("AFTER  WHERE   WHAT"), "{text}");
    assert!(lines[1].starts_with("0 s    here    create") && lines[1].ends_with('#'), "{text}");
    assert_eq!(lines.len(), spans.len() + 1);
    // what came later is no part of it
    bed.ok(&["rotate", "alice", "token", "--yes"]);
    assert_eq!(bed.ok(&["show", "alice", "--timing"]), text);
}

#[test]
fn a_claim_is_told_from_here_alone() {
    let bed = Bed::new("");
    bed.ok(&["pool", "fill", "--size", "1", "--yes"]);
    bed.ok(&["deploy", "alice", "--yes"]);
    let told: Value = serde_json::from_str(&bed.ok(&["show", "alice", "--timing", "--json"])).unwrap();
    let spans = told["spans"].as_array().unwrap().iter();
    let all: Vec<_> =
        spans.map(|span| (span["where"].as_str().unwrap(), span["what"].as_str().unwrap())).collect();
    assert_eq!(all, [("here", "claim"), ("here", "rename"), ("here", "renew"), ("here", "serve")]);
}

#[test]
fn without_the_server_it_tells_what_was_seen_from_here() {
    let mut bed = Bed::new("");
    bed.ok(&["deploy", "alice", "--yes"]);
    bed.again_with("[[fault]]\nkind = 'wrong_host_key'\nhosts = '*'\n");
    let output = bed.run(&["show", "alice", "--timing"]);
    let (answer, story) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(answer.contains("here   serve") && !answer.contains("server "), "{answer}");
    assert!(
        story.contains("what the server did is not known: ") && story.contains("another host key"),
        "{story}"
    );
}
