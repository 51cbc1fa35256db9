//! A state file that cannot be read or written.

use super::PLAN;
use super::environment::Environment;

#[test]
fn a_path_that_cannot_be() {
    let environment = Environment::with_cloud();
    environment.write("here/file", "");
    environment.changes_nothing(
        &["deploy", "alice", "--yes", "--state", "file/state.sqlite"],
        1,
        "error: cannot use file/state.sqlite for the state
caused by: Not a directory (os error 20)
hint: make it writable, or name another file with --state
",
    );
}

#[test]
fn a_folder_that_cannot_be_written() {
    let environment = Environment::with_cloud();
    environment.changes_nothing(
        &["deploy", "alice", "--yes", "--state", "/proc/nowhere/state.sqlite"],
        1,
        &format!(
            "{PLAN}error: cannot use /proc/nowhere for the state
caused by: No such file or directory (os error 2)
hint: make it writable, or name another file with --state
"
        ),
    );
}

#[test]
fn another_kind_of_file() {
    let environment = Environment::with_cloud();
    environment.write("here/letter", &"a letter to my aunt, and no database; ".repeat(20));
    for command in [vec!["list"], vec!["deploy", "alice", "--yes"], vec!["destroy", "--all", "--yes"]] {
        let args: Vec<&str> = command.into_iter().chain(["--state", "letter"]).collect();
        environment.changes_nothing(
            &args,
            1,
            "error: letter is not a readable state file
caused by: error returned from database: (code: 26) file is not a database
hint: put a copy of the state back, or name another file with --state; it was not changed
",
        );
    }
}

#[test]
fn a_newer_state() {
    let environment = Environment::with_cloud();
    environment.create_alice();
    environment.sql(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (9999, 'later', 1, x'00', 0)",
    );
    environment.sql("UPDATE writer SET version = '7.0.0'");
    for command in [vec!["list"], vec!["deploy", "bob", "--yes"], vec!["destroy", "--all", "--yes"]] {
        environment.changes_nothing(
            &command,
            1,
            "error: the state in $DIR/home/.local/state/clawberth/state.sqlite was written by clawberth 7.0.0, which is \
             newer than 0.1.0
hint: use clawberth 7.0.0 or newer; it was not changed
",
        );
    }
}

#[test]
fn a_damaged_entry() {
    let environment = Environment::with_cloud();
    environment.create_alice();
    environment.sql("UPDATE instance SET stage = '{}'");
    environment.changes_nothing(
        &["list"],
        1,
        "error: the state in $DIR/home/.local/state/clawberth/state.sqlite is damaged: the entry for alice is not as it was \
         written
hint: put a copy of the state back, or build it anew from what is there with `clawberth reconcile --import` and another \
         --state; it was not changed
",
    );
}

#[test]
fn a_lost_key() {
    let environment = Environment::with_cloud();
    environment.create_alice();
    let key = environment.path("home/.local/state/clawberth/state.sqlite.ssh_key");
    std::fs::remove_file(key).unwrap();
    environment.changes_nothing(
        &["deploy", "alice"],
        2,
        "error: the fleet's SSH key is gone
caused by: $DIR/home/.local/state/clawberth/state.sqlite.ssh_key does not exist, and no ssh-agent has it
hint: put $DIR/home/.local/state/clawberth/state.sqlite.ssh_key back; without it nobody can log in to the servers
",
    );
}
