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
fn a_configuration_for_plain_openssh_pins_the_same_keys() {
    let environment = Environment::with_cloud();
    environment.create_alice();
    let config = |known: &str| {
        format!(
            "Host alice
    HostName 224.18.64.2
    User root
    IdentityFile \"$DIR/home/.local/state/clawberth/state.sqlite.ssh_key\"
    IdentitiesOnly yes
    UserKnownHostsFile \"{known}\"
    GlobalKnownHostsFile /dev/null
    StrictHostKeyChecking yes
    HostKeyAlias clawberth-101
    HostKeyAlgorithms ssh-ed25519
"
        )
    };
    let beside = config("$DIR/home/.local/state/clawberth/state.sqlite.known_hosts");
    environment.run(&["ssh-config"]).expect(0, &beside, "");
    let next = "written; next: `ssh -F $DIR/here/ssh/config NAME`\n";
    environment.run(&["ssh-config", "--write", "ssh"]).expect(0, "", next);
    let read = |name: &str| std::fs::read_to_string(environment.path(name)).unwrap();
    let written =
        read("here/ssh/config").replace(environment.path("").to_str().unwrap().trim_end_matches('/'), "$DIR");
    assert_eq!(written, config("$DIR/here/ssh/known_hosts"));
    assert!(read("here/ssh/known_hosts").starts_with("clawberth-101 ssh-ed25519 AAAA"));
    // twice is once
    environment.run(&["ssh-config", "--write", "ssh"]).expect(0, "", next);
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
