//! What is told where there is no agent, or it is no help; and that nothing is begun then.

use serde_json::json;

use super::socket::{KeyAgent, fingerprint};
use crate::bed::{Cloud, Operator};

const DEPLOY: [&str; 3] = ["deploy", "a", "--yes"];

/// Ends with 2, says this, and asks the cloud to make nothing.
#[track_caller]
fn refused(operator: &Operator<'_>, words: &[&str], said: &str) {
    let ended = operator.run(words, &[]).unwrap();
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(2), said), "{ended}");
}

#[track_caller]
fn made_nothing(operator: &Operator<'_>) {
    let requests = operator.requests().unwrap();
    let writes = requests.iter().filter(|request| request.method != "GET").count();
    assert_eq!(writes, 0, "{requests:?}");
}

#[test]
fn a_name_that_cannot_be_one() {
    let cloud = Cloud::up(1, "").unwrap();
    let operator = cloud.operator().unwrap().with("CLAWBERTH_SSH_KEY", "~/.ssh/id_ed25519");
    refused(
        &operator,
        &DEPLOY,
        "error: ssh_key is not usable: \"~/.ssh/id_ed25519\"
caused by: it names a key in an ssh-agent; a key in a file is the fleet's own without this
hint: write \"agent:SHA256:…\" or \"agent:COMMENT\"; `ssh-add -l` shows both of each key
",
    );
}

#[test]
fn nothing_is_made_without_the_key() {
    let cloud = Cloud::up(1, "").unwrap();
    let operator = cloud.operator().unwrap().with("CLAWBERTH_SSH_KEY", "agent:carol@desk");
    refused(
        &operator,
        &DEPLOY,
        "error: no ssh-agent
caused by: SSH_AUTH_SOCK is not set
hint: `eval \"$(ssh-agent)\"` starts one, and `ssh-add FILE` gives it the key
",
    );
    let socket = cloud.path("agent/socket").display().to_string();
    let operator = operator.with("SSH_AUTH_SOCK", &socket);
    refused(
        &operator,
        &DEPLOY,
        &format!(
            "error: the ssh-agent is no help
caused by: no ssh-agent answers at {socket}: No such file or directory (os error 2)
hint: SSH_AUTH_SOCK has to name the socket of a running ssh-agent
"
        ),
    );
    let agent = KeyAgent::start(&cloud);
    let hint = "`ssh-add FILE` gives it a key, `ssh-add -X` unlocks it, `ssh-add -l` shows what it has";
    let none =
        |why: &str| format!("error: the ssh-agent has no agent:carol@desk\ncaused by: {why}\nhint: {hint}\n");
    let nothing = none("it shows no key; so does one that is locked");
    refused(&operator, &DEPLOY, &nothing);
    let dave = agent.make("ed25519", "dave@desk");
    let daves = none(&format!("it has {} dave@desk", fingerprint(&dave)));
    refused(&operator, &DEPLOY, &daves);
    refused(&operator, &["deploy", "a", "--dry-run"], &daves);
    agent.make("ecdsa", "carol@desk");
    refused(
        &operator,
        &DEPLOY,
        "error: agent:carol@desk cannot be the fleet's own key
caused by: it is of the type ecdsa-sha2-nistp256, and only ssh-ed25519 is taken
hint: name an Ed25519 key; one on a security key can be added beside it: `clawberth keys add FILE`
",
    );
    agent.make("ed25519", "carol@desk");
    refused(
        &operator,
        &DEPLOY,
        "error: the ssh-agent has several keys agent:carol@desk
hint: name the one by its fingerprint, \"agent:SHA256:…\"; `ssh-add -l` shows it
",
    );
    agent.lock("-x");
    refused(&operator, &DEPLOY, &nothing);
    made_nothing(&operator);
    agent.lock("-X");
    agent.empty();
    agent.add("ed25519", "carol@desk");
    operator.ok(&DEPLOY).unwrap();
}

/// What a person's key often is.
#[test]
fn a_key_that_the_project_has_under_another_name_is_named_by_its_id() {
    let cloud = Cloud::up(1, "").unwrap();
    let agent = KeyAgent::start(&cloud);
    let key = agent.make("ed25519", "carol@desk");
    let operator = agent.operator(&cloud);
    let carols = json!({ "name": "carol", "public_key": key });
    let made = operator.api.ask("POST", "/ssh_keys", Some(&carols)).unwrap();
    let id = made["ssh_key"]["id"].as_u64().unwrap();
    let ended = operator.run(&DEPLOY, &[]).unwrap();
    let told = format!(
        "the fleet's SSH key is taken: key {id} has its name or is the same key, but has not the labels of this fleet"
    );
    assert!(ended.code == Some(1) && ended.stderr.contains(&told), "{ended}");
    assert!(ended.stderr.contains(&format!("delete key {id} in the console")), "{ended}");
    operator.api.ask("DELETE", &format!("/ssh_keys/{id}"), None).unwrap();
    operator.ok(&DEPLOY).unwrap();
}

#[test]
fn who_only_reads_the_state_needs_no_agent() {
    let cloud = Cloud::up(1, "").unwrap();
    let mut agent = KeyAgent::start(&cloud);
    agent.make("ed25519", "carol@desk");
    let operator = agent.operator(&cloud);
    operator.ok(&DEPLOY).unwrap();
    agent.end();
    for words in [&["list"][..], &["show", "a"], &["access"], &["keys", "list"], &["state", "check"]] {
        operator.ok(words).unwrap();
    }
    for words in [&DEPLOY[..], &["audit"], &["reconcile"], &["ssh", "a"], &["open", "a"], &["ssh-config"]] {
        let ended = operator.run(words, &[]).unwrap();
        assert_eq!(ended.code, Some(2), "{ended}");
        assert!(ended.stderr.starts_with("error: the ssh-agent is no help\n"), "{ended}");
    }
    // who does not name it, and has it nowhere, is told so
    let operator = operator.with("CLAWBERTH_SSH_KEY", "");
    let ended = operator.run(&["reconcile"], &[]).unwrap();
    assert!(
        ended.stderr.contains("state.sqlite.ssh_key does not exist, and no ssh-agent has it\n"),
        "{ended}"
    );
}

/// One that asks whoever sits there, who says no.
#[test]
fn an_agent_that_says_no_is_asked_before_anything_is_begun() {
    let cloud = Cloud::up(1, "").unwrap();
    let agent = KeyAgent::start(&cloud);
    let key = agent.make("ed25519", "carol@desk");
    let operator = agent.operator(&cloud);
    agent.asks_about("ed25519", "carol@desk");
    let no = format!("the ssh-agent at {} does not sign with {}", agent.socket(), fingerprint(&key));
    let ended = operator.run(&DEPLOY, &[]).unwrap();
    let said = format!("error: the ssh-agent does not sign with the fleet's key\ncaused by: {no}\n");
    assert!(ended.code == Some(2) && ended.stderr.contains(&said), "{ended}");
    made_nothing(&operator);

    agent.empty();
    agent.add("ed25519", "carol@desk");
    operator.ok(&DEPLOY).unwrap();
    agent.asks_about("ed25519", "carol@desk");
    let ended = operator.run(&["open", "a"], &[]).unwrap();
    assert!(ended.code == Some(1) && ended.stderr.contains(&no), "{ended}");
    assert!(ended.stderr.contains("`ssh-add -l` shows what the ssh-agent has"), "{ended}");
}
