//! A command on many servers side by side: what they answer alike is told once, and who does not answer is named.

use std::process::Output;

use serde_json::{Value, json};

use super::bed::Bed;

const HOSTS: &str = "
    [[rule]]
    match = '^uname -r$'
    stdout = \"6.12\\n\"
    [[rule]]
    match = '^whoami$'
    stdout = \"{{name}}\\n\"
    [[rule]]
    match = '^sh -c .cat /x '
    stderr = \"no such file\\n\"
    status = 3
    [[fault]]
    kind = 'exec_fails'
    hosts = '*-carol'
    match = '^uname'
    status = 4
    stderr = \"broken\\n\"
    [[fault]]
    kind = 'hang'
    hosts = '*-dave'
    match = '^uname'
";

fn said(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn what_servers_answer_alike_is_told_once() {
    let bed = Bed::new(HOSTS);
    bed.ok(&["deploy", "alice", "bob", "carol", "dave", "--yes"]);
    let (code, answer, story) = said(&bed.run(&["exec", "alice", "bob", "--", "uname", "-r"]));
    assert_eq!((code, answer.as_str()), (Some(0), "alice, bob: done\n  6.12\n"), "{story}");
    assert_eq!(story, "done on 2 of 2 instances\n");

    let (code, answer, _) = said(&bed.run(&["exec", "carol", "bob", "--", "whoami"]));
    assert_eq!(code, Some(0));
    let lines: Vec<&str> = answer.lines().collect();
    assert!(lines[0] == "bob: done" && lines[1].ends_with("-bob"), "{answer}");
    assert!(lines[2] == "carol: done" && lines[3].ends_with("-carol"), "{answer}");

    // who does not answer in time keeps nobody else waiting
    let words = ["exec", "--all", "--timeout", "2s", "--", "uname", "-r"];
    let (code, answer, story) = said(&bed.run(&words));
    let expected = "alice, bob: done\n  6.12\ncarol: exit status 4\n  broken\ndave: `uname -r` at ";
    assert!(answer.starts_with(expected) && answer.ends_with(":22 took longer than 2 s\n"), "{answer}");
    assert!(story.starts_with("done on 2 of 4 instances\n"), "{story}");
    assert_eq!(code, Some(1));

    let (code, answer, _) = said(&bed.run(&["exec", "alice", "--json", "--", "sh", "-c", "cat /x | wc"]));
    let answer: Value = serde_json::from_str(&answer).unwrap();
    let mut heard = answer["instances"][0].clone();
    assert!(heard.as_object_mut().unwrap().remove("seconds").unwrap().is_number());
    assert_eq!(heard, json!({"name": "alice", "status": 3, "stdout": "", "stderr": "no such file\n"}));
    assert_eq!(code, Some(1));
}

#[test]
fn it_says_what_is_missing() {
    let bed = Bed::new("");
    let refused = |words: &[&str], what: &str| {
        let (code, answer, story) = said(&bed.run(words));
        assert!(code == Some(2) && answer.is_empty() && story.contains(what), "{words:?}: {story}");
    };
    refused(
        &["exec", "--all", "--", "true"],
        "error: no instance has a server\nhint: `clawberth deploy NAME`",
    );
    refused(&["exec", "alice", "--", "true"], "error: no instance alice");
    refused(&["exec", "--", "true"], "error: no instance is named\nhint: name some, or say --all\n");
    refused(&["exec", "--all"], "<CMD>...");
    refused(
        &["exec", "--all", "--timeout", "soon", "--", "true"],
        "invalid value 'soon' for '--timeout <TIME>'",
    );
    refused(&["exec", "--all", "--timeout=-1s", "--", "true"], "a --timeout before the beginning");
}
