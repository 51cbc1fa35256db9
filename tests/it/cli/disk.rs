//! Trouble with the file system that the state lies on: what is refused says why, nothing is half-written, and once the
//! trouble is over everything goes on.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::environment::{Environment, collect};
use super::mounts::Mounts;
use super::running::Outcome;

const STATE: &str = "disk/state.sqlite";
const NO_ROOM: &str =
    "hint: make room there, then run the command again; what was written before is still there";
const WRITABLE: &str = "hint: make it writable, or name another file with --state";
const ALICE_CREATED: &str = "alice  created  https://224.18.64.2";

/// An operator whose state is on a disk of its own.
struct Operator<'a> {
    environment: &'a Environment,
    mounts: Mounts<'a>,
}

impl<'a> Operator<'a> {
    fn with(environment: &'a Environment, mounts: Option<Mounts<'a>>) -> Option<Self> {
        Some(Self { environment, mounts: mounts? })
    }

    fn run(&self, words: &[&str]) -> Outcome {
        self.mounts.run(&with_state(words))
    }

    /// Deploys an instance until its server is there, and stops then.
    #[track_caller]
    fn create(&self, name: &str) {
        let mut deploy = self.mounts.start(&with_state(&["deploy", name, "--yes"]));
        deploy.until_says("  server created");
        assert_eq!(deploy.interrupt().code, Some(130));
    }

    fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut files = BTreeMap::new();
        collect(&self.mounts.path(""), &mut files);
        files
    }

    /// Each of these commands is refused with these three lines, as root or not, and neither the files nor the cloud
    /// change.
    #[track_caller]
    fn refuses(&self, commands: &[&[&str]], as_nobody: bool, lines: [&str; 3]) {
        let (files, changes) = (self.files(), self.environment.cloud().changes().len());
        for words in commands {
            let words = with_state(words);
            let outcome = if as_nobody { self.mounts.run_as_nobody(&words) } else { self.mounts.run(&words) };
            expect_lines(&outcome, lines);
            assert!(self.files() == files, "{words:?} changed files");
            assert_eq!(self.environment.cloud().changes().len(), changes, "{words:?} changed the cloud");
        }
    }

    /// Everything goes on: another instance, and then all away.
    #[track_caller]
    fn goes_on(&self) {
        self.create("bob");
        assert_eq!(self.environment.servers().len(), 2);
        let list = self.run(&["list"]).stdout;
        assert!(list.contains("alice  created") && list.contains("bob    created"), "{list}");
        assert_eq!(self.run(&["destroy", "--all", "--yes"]).code, Some(0));
        assert_eq!(self.run(&["list", "--json"]).stdout, "[]\n");
        assert!(self.environment.servers().is_empty());
    }
}

fn with_state<'a>(words: &[&'a str]) -> Vec<&'a str> {
    [words, &["--state", STATE]].concat()
}

/// The last three lines: what, why, and what to do.
#[track_caller]
fn expect_lines(outcome: &Outcome, lines: [&str; 3]) {
    let said: Vec<&str> = outcome.stderr.lines().collect();
    let last = &said[said.len().saturating_sub(3)..];
    assert!(outcome.code == Some(1) && last == lines, "wanted {lines:#?}\nis {outcome:#?}");
}

#[test]
fn a_disk_that_was_full_from_the_start() {
    let environment = Environment::with_cloud();
    let Some(operator) = Operator::with(&environment, Mounts::of_size(&environment, "2m")) else { return };
    operator.mounts.fill();
    let outcome = operator.run(&["deploy", "alice", "--yes"]);
    let why = "caused by: the disk is full";
    expect_lines(&outcome, [&format!("error: no space is left for the state file {STATE}"), why, NO_ROOM]);
    assert_eq!(environment.cloud().changes().len(), 0);
    operator.mounts.make_room();
    operator.create("alice");
    operator.goes_on();
}

/// With every number of free pages up to what a start needs: each lets it come a little further.
#[test]
fn a_disk_that_becomes_full_while_the_state_is_made() {
    let environment = Environment::with_cloud();
    let Some(operator) = Operator::with(&environment, Mounts::of_size(&environment, "2m")) else { return };
    for pages in 1..40 {
        operator.mounts.fill();
        operator.mounts.sh(&format!("truncate -s -{}K disk/ballast", 4 * pages));
        let outcome = operator.mounts.run(&["deploy", "alice", "--dry-run", "--state", STATE]);
        assert!([Some(0), Some(1)].contains(&outcome.code), "{outcome:#?}");
        let outcome = operator.mounts.run(&["destroy", "alice", "--yes", "--state", STATE]);
        let said = outcome.stderr.lines().next().unwrap_or_default();
        let known =
            ["error: no instance alice", &format!("error: no space is left for the state file {STATE}")];
        assert!(known.contains(&said), "with {pages} pages: {outcome:#?}");
    }
    operator.mounts.make_room();
    operator.create("alice");
    operator.goes_on();
}

#[test]
fn a_disk_that_is_full_later() {
    let environment = Environment::with_cloud();
    let Some(operator) = Operator::with(&environment, Mounts::of_size(&environment, "2m")) else { return };
    operator.create("alice");
    operator.mounts.fill();
    let changes = environment.cloud().changes().len();
    for words in [["deploy", "bob"], ["deploy", "alice"], ["destroy", "alice"]] {
        let outcome = operator.run(&[words[0], words[1], "--yes"]);
        let why = "caused by: the disk is full";
        expect_lines(
            &outcome,
            [&format!("error: no space is left for the state file {STATE}"), why, NO_ROOM],
        );
        assert_eq!(environment.cloud().changes().len(), changes, "{words:?} changed the cloud");
    }
    operator.mounts.make_room();
    let list = operator.run(&["list"]);
    assert!(list.stdout.contains(ALICE_CREATED) && !list.stdout.contains("bob"), "{list:#?}");
    operator.goes_on();
}

/// The server is made while the disk fills up, so that the outcome cannot be written down.
#[test]
fn a_disk_that_becomes_full_between_intent_and_outcome() {
    let environment = Environment::with_cloud();
    let Some(operator) = Operator::with(&environment, Mounts::of_size(&environment, "2m")) else { return };
    let trick = super::front::Trick::Delay(std::time::Duration::from_secs(3));
    environment.cloud().play("POST /servers", trick);
    let deploy = operator.mounts.start(&with_state(&["deploy", "alice", "--yes"]));
    environment.cloud().until_asked("POST /servers");
    operator.mounts.fill();
    let outcome = deploy.end();
    assert_eq!(outcome.code, Some(1), "{outcome:#?}");
    assert!(outcome.stderr.ends_with(&format!("{NO_ROOM}\n")), "{outcome:#?}");
    operator.mounts.make_room();
    let mut again = operator.mounts.start(&with_state(&["deploy", "alice", "--yes"]));
    again.until_says("alice  server taken over");
    assert_eq!(again.interrupt().code, Some(130));
    assert_eq!(environment.cloud().count("POST /servers"), 1);
    assert_eq!(operator.run(&["destroy", "--all", "--yes"]).code, Some(0));
    assert!(environment.servers().is_empty());
}

#[test]
fn a_read_only_mount() {
    let environment = Environment::with_cloud();
    let Some(operator) = Operator::with(&environment, Mounts::of_size(&environment, "2m")) else { return };
    operator.create("alice");
    operator.mounts.sh("mount -o remount,ro disk");
    let lines = [
        &format!("error: cannot write the state file {STATE}"),
        "caused by: its file system is mounted read-only",
        "hint: mount it for writing, or name another file with --state",
    ];
    operator.refuses(&[&["deploy", "bob", "--yes"], &["destroy", "alice", "--yes"]], false, lines);
    operator.mounts.sh("mount -o remount,rw disk");
    operator.goes_on();
}

#[test]
fn a_folder_in_which_this_user_may_make_no_files() {
    let environment = Environment::with_cloud();
    let Some(operator) = Operator::with(&environment, Mounts::of_size(&environment, "2m")) else { return };
    let commands: [&[&str]; 2] = [&["deploy", "bob", "--yes"], &["destroy", "--all", "--yes"]];
    let lines = [
        &format!("error: cannot write the state file {STATE}"),
        "caused by: this user may make no files in disk",
        WRITABLE,
    ];
    operator.refuses(&commands[..1], true, lines);
    operator.create("alice");
    operator
        .mounts
        .sh(&format!("chown -R $nobody disk/*; chmod 600 {STATE}*; chown root disk; chmod 755 disk"));
    operator.refuses(&commands, true, lines);
    operator.goes_on();
}

#[test]
fn a_file_that_this_user_may_not_write() {
    let environment = Environment::with_cloud();
    let Some(operator) = Operator::with(&environment, Mounts::of_size(&environment, "2m")) else { return };
    operator.create("alice");
    operator.mounts.sh(&format!("chown -R $nobody disk; chmod 444 {STATE}"));
    let lines = [
        &format!("error: cannot write the state file {STATE}"),
        "caused by: this user may not write it",
        WRITABLE,
    ];
    operator.refuses(&[&["deploy", "bob", "--yes"], &["destroy", "alice", "--yes"]], true, lines);
    operator.mounts.sh(&format!("chown root {STATE}; chmod 000 {STATE}"));
    let lines = [
        &format!("error: cannot read the state file {STATE}"),
        "caused by: this user may not read it",
        "hint: make it readable, or name another file with --state",
    ];
    operator.refuses(&[&["list"], &["deploy", "bob", "--yes"]], true, lines);
    operator.goes_on();
}

/// sshfs is the one network file system that needs neither a kernel's client nor a server's rights: its two ends talk
/// over a pair of pipes. Others are told apart by their names in the kernel's list of mounts, a unit test of the store.
#[test]
fn a_network_file_system() {
    let environment = Environment::with_cloud();
    if !std::path::Path::new("/dev/fuse").exists() {
        eprintln!("skipped: this kernel has no FUSE");
        return;
    }
    // each opens its two pipes in the order in which the other does
    let mount = "mkdir there; mkfifo to from
        /usr/lib/openssh/sftp-server <to >from 2>/dev/null &
        sshfs -o passive \":$PWD/there\" disk >to <from 2>/dev/null &
        for look in $(seq 100); do ! mountpoint -q disk || break; sleep 0.1; done; mountpoint -q disk";
    let Some(operator) = Operator::with(&environment, Mounts::new(&environment, mount)) else { return };
    let lines = [
        "error: the state cannot lie in disk",
        "caused by: it is on a network file system (fuse.sshfs), on which SQLite's locks do not hold",
        "hint: name a file on a disk of this computer with --state, or share the state through PostgreSQL (--state postgres://…)",
    ];
    operator.refuses(&[&["list"], &["deploy", "alice", "--yes"]], false, lines);
}
