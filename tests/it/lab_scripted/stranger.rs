//! Somebody else at a server's address: a rebuilt server, another one, an attacker. Nobody logs in there, and the way on is told.

use std::process::Command;

use serde_json::{Value, json};

use super::bed::{Bed, answer, until};

/// No command that would log in to alice's server does so; each says why, and what to do.
fn is_not_talked_to(bed: &Bed) {
    for command in [&["ssh", "alice", "--", "true"][..], &["open", "alice"], &["audit", "alice"]] {
        let output = bed.run(command);
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert_eq!(output.status.code(), Some(1), "{command:?}: {said}");
        assert!(
            said.contains("shows another host key than the one pinned to this server: SHA256:"),
            "{said}"
        );
        assert!(said.contains("; nobody logged in there"), "{said}");
        assert!(command[0] == "audit" || said.contains("hint: "), "{said}");
    }
    // an update leaves it out
    let output = bed.run(&["update", "alice", "--os", "--bake", "0s", "--yes"]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("skipped  -              other host key: it shows SHA256:"), "{said}");
    assert!(said.contains("; nobody logged in there"), "{said}");
    let found = bed.run(&["reconcile"]);
    let said = String::from_utf8_lossy(&found.stdout);
    assert!(said.contains("other host key") && said.contains("somebody is between you and it"), "{said}");
}

#[test]
fn a_server_that_was_rebuilt_shows_its_injected_key_again_and_is_not_talked_to() {
    let bed = Bed::new("");
    bed.ok(&["deploy", "alice", "--yes"]);
    bed.post("/servers/101/actions/rebuild", &json!({ "image": "debian-13" }));
    let greeted = || bed.run(&["ssh", "alice", "--", "true"]);
    until("the rebuilt server", || String::from_utf8_lossy(&greeted().stderr).contains("another host key"));
    let output = greeted();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("error: cannot log in to alice\ncaused by: 127."), "{said}");
    assert!(
        said.contains("hint: `clawberth reconcile` tells whether the server still has this address"),
        "{said}"
    );
    is_not_talked_to(&bed);
    bed.ok(&["destroy", "alice", "--yes"]);
    bed.ok(&["deploy", "alice", "--yes"]);
}

#[test]
fn who_has_the_address_meanwhile_is_not_talked_to() {
    let mut bed = Bed::new("");
    bed.ok(&["deploy", "alice", "--yes"]);
    bed.again_with("[[fault]]\nkind = 'wrong_host_key'\nhosts = '*-alice'\n");
    is_not_talked_to(&bed);
}

#[test]
fn plain_openssh_meets_the_same_servers_with_the_same_keys() {
    let mut bed = Bed::new("");
    bed.ok(&["deploy", "alice", "bob", "--yes"]);
    bed.ok(&["ssh-config", "--write", "ssh"]);
    let config = bed.path("home/ssh/config");
    let ssh = |name: &str| {
        let mut ssh = Command::new("ssh");
        ssh.arg("-F").arg(&config).args(["-oBatchMode=yes", name, "cat /var/lib/cloud/data/instance-id"]);
        answer(ssh)
    };
    let list: Value = serde_json::from_str(&bed.ok(&["list", "--json"])).unwrap();
    for (place, name) in ["alice", "bob"].into_iter().enumerate() {
        assert_eq!(ssh(name).1.trim(), list[place]["server"]["id"].to_string());
    }
    let mode = |name: &str| {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::metadata(bed.path(name)).unwrap().permissions().mode() & 0o777
    };
    assert_eq!((mode("home/ssh/config"), mode("home/ssh/known_hosts")), (0o600, 0o600));
    // printed, it works with the keys beside the state
    std::fs::write(bed.path("printed"), bed.ok(&["ssh-config"])).unwrap();
    let mut printed = Command::new("ssh");
    printed.arg("-F").arg(bed.path("printed")).args(["-oBatchMode=yes", "bob", "hostname"]);
    assert!(answer(printed).1.ends_with("-bob\n"));

    bed.again_with("[[fault]]\nkind = 'wrong_host_key'\nhosts = '*-alice'\n");
    let config = bed.path("home/ssh/config");
    let mut ssh = Command::new("ssh");
    ssh.arg("-F").arg(&config).args(["-oBatchMode=yes", "alice", "true"]);
    let (status, _, said) = answer(ssh);
    assert!(status == 255 && said.contains("Host key verification failed"), "{said}");
}
