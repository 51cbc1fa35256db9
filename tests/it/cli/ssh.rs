//! `clawberth ssh`: what it runs is shown by an `ssh` of our own.

use super::environment::Environment;

#[test]
fn becomes_an_openssh_that_accepts_only_the_pinned_key() {
    let environment = Environment::with_cloud();
    environment.create_alice();
    environment.program("ssh", "printf '%s\\n' \"$@\"; exit 7");
    environment.run(&["ssh", "alice", "--", "echo", "two words", "$HOME"]).expect(
        7,
        "-F/dev/null
-i
$DIR/home/.local/state/clawberth/state.sqlite.ssh_key
-oIdentitiesOnly=yes
-oUserKnownHostsFile=\"$DIR/home/.local/state/clawberth/state.sqlite.known_hosts\"
-oGlobalKnownHostsFile=/dev/null
-oStrictHostKeyChecking=yes
-oHostKeyAlias=clawberth-101
-oHostKeyAlgorithms=ssh-ed25519
-oLogLevel=ERROR
root@224.18.64.2
--
echo 'two words' '$HOME'
",
        "",
    );
    let known = environment.path("home/.local/state/clawberth/state.sqlite.known_hosts");
    let known = std::fs::read_to_string(known).unwrap();
    assert!(known.starts_with("clawberth-101 ssh-ed25519 AAAA") && known.lines().count() == 1, "{known}");
}

#[test]
fn says_what_is_missing() {
    let environment = Environment::with_cloud();
    environment.create_alice();
    environment.run(&["ssh", "alice"]).expect(
        2,
        "",
        "error: no ssh program
hint: install it: `apt-get install openssh-client`
",
    );
    let none = r#"{"error":{"code":"forbidden","message":"no","details":null}}"#;
    environment.cloud().play("POST /servers", super::front::Trick::Answer(403, none.into()));
    environment.run(&["deploy", "bob", "--yes", "-q"]);
    environment.changes_nothing(
        &["ssh", "bob"],
        2,
        "error: bob has no server yet\nhint: run `clawberth deploy bob`\n",
    );
}
