//! All that commands do with a key that never leaves its agent.

use std::process::{Command, Stdio};

use serde_json::Value;

use super::socket::{KeyAgent, admitted, fingerprint, private_keys};
use crate::bed::{Cloud, Operator};

const AT_ONCE: &str = "[update]\nstage = '0s'\nrehearse = '0s'\npatience = '1s'\n";

const FILE: &str = "\
ssh_key = 'agent:carol@desk'

[policy]
model = 'openai/gpt'
providers.openai.key = 'file:key'
";

const APPLY: [&str; 5] = ["apply", "--all", "--bake", "0s", "--yes"];

fn verdict(operator: &Operator<'_>, promise: &str) -> String {
    let audit: Value =
        serde_json::from_str(&operator.run(&["audit", "a", "--json"], &[]).unwrap().stdout).unwrap();
    let promises = audit["instances"][0]["promises"].as_array().unwrap();
    let one = promises.iter().find(|one| one["promise"] == promise).unwrap();
    one["verdict"].as_str().unwrap().to_owned()
}

#[test]
fn no_private_key_is_on_the_disk_and_every_command_logs_in() {
    let cloud = Cloud::up(1, AT_ONCE).unwrap();
    let agent = KeyAgent::start(&cloud);
    // what else people have
    for (kind, comment) in [("rsa", "old"), ("ecdsa", "work"), ("ed25519", "dave@desk")] {
        agent.make(kind, comment);
    }
    let key = agent.make("ed25519", "carol@desk");
    let operator = cloud.operator().unwrap().with("SSH_AUTH_SOCK", &agent.socket());
    let home = cloud.path(&format!("home-{}", operator.api.project()));
    operator.write("key", "sk-canary\n").unwrap();
    operator.write("clawberth.toml", FILE).unwrap();

    operator.ok(&["deploy", "a", "b", "--yes"]).unwrap();
    assert_eq!(private_keys(&home), [] as [&str; 0]);
    assert_eq!(admitted(&cloud), [[key.as_str()], [key.as_str()]]);
    let listed: Value = serde_json::from_str(&operator.ok(&["keys", "list", "--json"]).unwrap()).unwrap();
    assert_eq!(listed["keys"][0]["fingerprint"], fingerprint(&key));
    assert_eq!((verdict(&operator, "keys"), verdict(&operator, "sshd")), ("ok".to_owned(), "ok".to_owned()));

    // its marks of secrets are those of the next command
    operator.ok(&APPLY).unwrap();
    let nothing = operator.run(&APPLY, &[]).unwrap();
    assert_eq!(nothing.stderr, "2 instances already: governed by its policy\nnothing to do\n");
    operator.write("key", "sk-canary-2\n").unwrap();
    let again = operator.run(&APPLY, &[]).unwrap();
    assert!(again.stderr.starts_with("a: secrets\nb: secrets\n"), "{again}");

    operator.ok(&["deploy", "c", "--yes"]).unwrap();
    assert_eq!(admitted(&cloud)[2], [key.as_str()]);
    let calm = operator.run(&["reconcile"], &[]).unwrap();
    assert!(calm.stderr.ends_with("no drift\n"), "{calm}");
    assert_eq!(operator.ok(&["ssh", "a", "--", "true"]).unwrap(), "");
    operator.ok(&["destroy", "b", "--yes"]).unwrap();
    assert_eq!(private_keys(&home), [] as [&str; 0]);
}

#[test]
fn plain_openssh_finds_the_key_in_the_agent() {
    let cloud = Cloud::up(1, AT_ONCE).unwrap();
    let agent = KeyAgent::start(&cloud);
    // one that comes first, and would be one failed login of the few that sshd bears
    agent.make("ed25519", "dave@desk");
    let key = agent.make("ed25519", "carol@desk");
    let operator = cloud
        .operator()
        .unwrap()
        .with("SSH_AUTH_SOCK", &agent.socket())
        .with("CLAWBERTH_SSH_KEY", &format!("agent:{}", fingerprint(&key)));
    operator.ok(&["deploy", "a", "--yes"]).unwrap();
    let home = cloud.path(&format!("home-{}", operator.api.project()));
    operator.ok(&["ssh-config", "--write", "ssh"]).unwrap();
    let config = std::fs::read_to_string(home.join("ssh/config")).unwrap();
    assert!(config.contains("\n    IdentityAgent SSH_AUTH_SOCK\n    IdentitiesOnly yes\n"), "{config}");
    let mut ssh = Command::new("ssh");
    ssh.arg("-F").arg(home.join("ssh/config")).args(["-v", "-o", "BatchMode=yes", "a", "true"]);
    let output = ssh.env("SSH_AUTH_SOCK", agent.socket()).stdin(Stdio::null()).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    assert!(!told.contains("dave@desk"), "the others are not offered: {told}");
}

/// Labels and the agent are enough.
#[test]
fn a_lost_state_is_written_anew() {
    let cloud = Cloud::up(1, AT_ONCE).unwrap();
    let agent = KeyAgent::start(&cloud);
    agent.make("ed25519", "carol@desk");
    let operator = agent.operator(&cloud);
    operator.ok(&["deploy", "a", "--yes"]).unwrap();
    let lost = std::path::PathBuf::from(operator.state());
    std::fs::remove_file(&lost).unwrap();
    operator.ok(&["reconcile", "--import", "--yes"]).unwrap();
    let calm = operator.run(&["reconcile"], &[]).unwrap();
    assert!(calm.stderr.ends_with("no drift\n"), "{calm}");
    operator.ok(&["rotate", "a", "hostkey", "--yes"]).unwrap();
}
