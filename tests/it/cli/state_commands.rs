//! `clawberth state …`: looking at the state, keeping it, moving it.

use serde_json::{Value, json};

use super::environment::Environment;

fn exported(environment: &Environment, more: &[&str]) -> Value {
    let mut words = vec!["state", "export"];
    words.extend(more);
    let outcome = environment.run(&words);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""), "{outcome:?}");
    serde_json::from_str(&outcome.stdout).unwrap()
}

#[test]
fn the_history_tells_who_did_what_when_and_what_came_of_it() {
    let mut environment = Environment::with_cloud();
    environment.set("USER", "alice");
    environment.name(rustix::system::uname().nodename().to_str().unwrap(), "$HOST");
    environment.create_alice();
    environment.run(&["destroy", "alice", "--yes", "-q"]).expect(0, "alice destroyed\n", "");
    let said = environment.run(&["state", "history", "alice"]).stdout;
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(
        said.lines().map(words).collect::<Vec<_>>(),
        [
            "BEGUN SUBJECT STEP OUTCOME WHO COMMAND",
            "2026-11-22T12:00:00Z alice create created alice@$HOST clawberth deploy alice --yes",
            "2026-11-22T12:00:00Z alice reach failed: stopped alice@$HOST clawberth deploy alice --yes",
            "2026-11-22T12:00:00Z alice condemn destroying alice@$HOST clawberth destroy alice --yes -q",
            "2026-11-22T12:00:00Z alice delete gone alice@$HOST clawberth destroy alice --yes -q",
        ]
    );
    let all = environment.run(&["state", "history"]).stdout;
    assert!(all.contains("(fleet)  create-firewall  done"), "{all}");
    environment.changes_nothing(
        &["state", "history", "bob"],
        2,
        "error: nothing was ever done for bob\nhint: `clawberth state history` shows all that was done\n",
    );
}

#[test]
fn what_was_killed_reads_as_interrupted() {
    let mut environment = Environment::with_cloud();
    environment.set("CLAWBERTH_STOP_AT", "create:after-act");
    let deploy = environment.start(&["deploy", "alice", "--yes"]);
    deploy.until_stopped();
    let going_on = environment.run(&["state", "history", "alice", "--json"]).stdout;
    assert_eq!(serde_json::from_str::<Value>(&going_on).unwrap()[0]["outcome"], "going on");
    deploy.kill();
    let dead = environment.run(&["state", "history", "alice", "--json"]).stdout;
    assert_eq!(serde_json::from_str::<Value>(&dead).unwrap()[0]["outcome"], "interrupted");
}

#[test]
fn an_exported_state_is_imported_elsewhere_and_says_the_same() {
    let environment = Environment::with_cloud();
    environment.create_alice();
    let before = exported(&environment, &[]);
    assert_eq!((&before["format"], &before["instances"][0]["name"]), (&json!(1), &json!("alice")));
    environment.write("here/state.json", &before.to_string());
    let outcome = environment.run(&["state", "import", "state.json", "--state", "other.sqlite"]);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    let after = exported(&environment, &["--state", "other.sqlite"]);
    for part in ["fleet", "instances", "creations", "history"] {
        assert_eq!(after[part], before[part], "{part}");
    }
    // once more is the same
    let words = ["state", "import", "state.json", "--state", "other.sqlite", "-q"];
    environment.run(&words).expect(0, "", "");
}

#[test]
fn a_state_with_other_instances_is_not_replaced() {
    let environment = Environment::with_cloud();
    environment.create_alice();
    let before = exported(&environment, &[]);
    let mut other = before.clone();
    other["history"] = json!([]);
    environment.write("here/other.json", &other.to_string());
    environment.run(&["state", "import", "other.json"]).expect(
        2,
        "",
        "error: the state in $DIR/home/.local/state/clawberth/state.sqlite has instances already\n\
         hint: name another one with --state\n",
    );
    assert_eq!(exported(&environment, &[]), before);
}

#[test]
fn what_is_no_export_is_refused() {
    let environment = Environment::new();
    environment.write("here/letter", "dear aunt");
    environment.changes_nothing(
        &["state", "import", "letter"],
        2,
        "error: letter is no exported state
caused by: expected value at line 1 column 1
hint: give a file that `clawberth state export` of this version or an older one has written
",
    );
}

#[test]
fn a_whole_state_is_said_to_be_whole() {
    let environment = Environment::with_cloud();
    environment.create_alice();
    let outcome = environment.run(&["state", "check"]);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert!(outcome.stdout.ends_with(" is whole: 1 instance, 4 steps in its history\n"), "{outcome:?}");
    environment.sql("UPDATE creation SET host_key = 'another'");
    environment.run(&["state", "check"]).expect(
        1,
        "the state in $DIR/home/.local/state/clawberth/state.sqlite is damaged: a host key of alice is not as it was \
         written\n",
        "hint: put a copy of the state back, or build it anew with `clawberth reconcile --import`\n",
    );
}

#[test]
fn a_backup_is_a_state_of_its_own_and_takes_no_files_place() {
    let environment = Environment::with_cloud();
    environment.create_alice();
    let outcome = environment.run(&["state", "backup", "copy.sqlite", "-q"]);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""), "{outcome:?}");
    assert_eq!(
        environment.run(&["list"]).stdout,
        environment.run(&["list", "--state", "copy.sqlite"]).stdout
    );
    let left: Vec<_> =
        environment.files().into_keys().filter(|path| path.to_string_lossy().contains("half")).collect();
    assert_eq!(left, Vec::<std::path::PathBuf>::new());
    environment.changes_nothing(
        &["state", "backup", "copy.sqlite"],
        2,
        "error: copy.sqlite exists already\nhint: name a new file\n",
    );
}

#[test]
fn a_state_that_was_moved_is_used_where_it_is_and_can_come_back() {
    let environment = Environment::with_cloud();
    environment.create_alice();
    let before = exported(&environment, &[]);
    let home = environment.state().display().to_string();
    let outcome = environment.run(&["state", "copy", "--to", "team.sqlite"]);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    for command in [vec!["list"], vec!["deploy", "bob", "--yes"], vec!["destroy", "--all", "--yes"]] {
        environment.changes_nothing(
            &command,
            1,
            "error: the state in $DIR/home/.local/state/clawberth/state.sqlite was moved to $DIR/here/team.sqlite
hint: use --state $DIR/here/team.sqlite, or CLAWBERTH_STATE
",
        );
    }
    let list = environment.run(&["list", "--state", "team.sqlite"]).stdout;
    assert!(list.contains("alice  created"), "{list}");
    let outcome = environment.run(&["state", "copy", "--to", &home, "--state", "team.sqlite", "-q"]);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert_eq!(exported(&environment, &[])["instances"], before["instances"]);
    // and the fleet's key came along both ways
    environment.run(&["destroy", "alice", "--yes", "-q"]).expect(0, "alice destroyed\n", "");
    environment.nothing_is_left();
}

#[test]
fn a_password_on_the_command_line_is_refused_and_not_repeated() {
    let environment = Environment::new();
    environment.changes_nothing(
        &["list", "--state", "postgres://alice:hunter2@db.example/fleet"],
        2,
        "error: the password of the state's database would be seen in the process list
hint: leave it out here, and put it into ~/.pgpass or PGPASSWORD, or the URL into CLAWBERTH_STATE
",
    );
}
