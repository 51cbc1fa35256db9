use std::sync::Arc;

use super::*;
use crate::lab::machine::MachineSpec;

const BORN: &str = "#cloud-config\nwrite_files:\n- content: |\n    openclaw=2026.9.5\n    node=24.20.0\n";
const SENT: &str = "sh -c 'set -e' sh /clawberth-revert.timer 0644 '[Timer]\nOnActiveSec=120\nAccuracySec=1s' \
    /next-release.json 0644 '{\"release\":{\"openclaw\":\"2026.9.6\"}}' /update 0755 '#!/bin/sh\n\
    openclaw=2026.9.6\nnode=24.21.0\nlog='\\''x'\\''\n'";

/// A server whose gateway is ready, and its time.
struct Server {
    state: State,
    script: Arc<Script>,
    now: u64,
}

impl Server {
    fn new(faults: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let script = Arc::new(Script::read(faults).unwrap());
        let user_data = Some(BORN.to_owned());
        let spec = MachineSpec { id: 7, user_data, ..MachineSpec::default() };
        let host = Host::ensure(dir.path(), &spec, &script).unwrap();
        host.power_on();
        let state = host.look(State::clone);
        let now = state.ready(&script).unwrap();
        Self { state, script, now }
    }

    /// One that was sent an update, and has staged it.
    fn staged(faults: &str) -> Self {
        let mut server = Self::new(faults);
        server.state.releases.take(&server.script.facts_in(SENT));
        server.ok("stage");
        server
    }

    fn looks(&mut self) {
        self.state.catch_up(&self.script, self.now);
    }

    fn asked(&mut self, command: &str) -> Output {
        let (part, argument) = command.split_once(' ').unwrap_or((command, ""));
        let script = Arc::clone(&self.script);
        let mut call = Call::new(&script, part, argument);
        loop {
            self.looks();
            match call.turn(&mut self.state, self.now) {
                Turn::Wait(time) => self.now = time,
                Turn::Said(output) => return output,
            }
        }
    }

    #[track_caller]
    fn ok(&mut self, command: &str) -> String {
        let output = self.asked(command);
        assert_eq!((output.status, output.stderr.as_str()), (0, ""), "{command}");
        output.stdout
    }

    #[track_caller]
    fn fails(&mut self, command: &str) -> String {
        let output = self.asked(command);
        assert_eq!(output.status, 1, "{command}: {output:?}");
        output.stderr
    }

    fn did(&self) -> String {
        let text = self.state.releases.journal();
        let words = text.lines().map(|line| line.split_once(' ').unwrap().1);
        words.collect::<Vec<_>>().join(", ")
    }
}

#[test]
fn before_anything_is_sent_there_are_no_parts() {
    assert_eq!(Server::new("").asked("status").status, 127);
}

#[test]
fn an_update_goes_through_its_parts_once() {
    let mut server = Server::new("");
    server.state.releases.take(&server.script.facts_in(SENT));
    assert!(server.ok("preflight").contains("busy=no\nnode=24.20.0\nstaged=no\nstate_kb=100000\n"));
    assert_eq!(server.fails("switch"), "OpenClaw 2026.9.6 is not staged\n");
    for _ in 0..2 {
        assert_eq!(server.ok("stage"), "staged=2026.9.6\n");
    }
    assert_eq!(server.ok("rehearse"), "ready_s=0\nrehearsed=2026.9.6\n");
    assert_eq!(server.ok("switch"), "down_ms=400\nserving=2026.9.6\n");
    assert_eq!(server.ok("switch"), "serving=2026.9.6\n", "it runs already");
    let status = server.ok("status");
    assert!(status.contains("trial=2026.9.5 2026.9.6\nbusy=no\narmed=yes\n"), "{status}");
    assert_eq!(server.ok("gate 2026.9.6"), "serving=2026.9.6\nerrors=0\n");
    assert!(server.fails("prune 2").contains("not confirmed yet: 2026.9.5 2026.9.6"));
    for _ in 0..2 {
        assert_eq!(server.ok("confirm 2026.9.6"), "serving=2026.9.6\n");
    }
    assert_eq!(server.ok("revert"), "serving=2026.9.6\n", "there is nothing to go back from");
    assert_eq!(server.ok("prune 2"), "release=2026.9.5\nrelease=2026.9.6\n");
    assert_eq!(server.state.value("release"), "{\"release\":{\"openclaw\":\"2026.9.6\"}}");
    assert_eq!(server.did(), "stage 2026.9.6, rehearse 2026.9.6, switch 2026.9.6, confirm 2026.9.6");
}

#[test]
fn a_kept_release_comes_back_and_others_do_not() {
    let mut server = Server::staged("");
    server.ok("switch");
    let since = server.state.releases.saved["2026.9.5"].at / 1000;
    server.ok("confirm 2026.9.6");
    assert!(server.fails("rollback 2026.9.4").starts_with("no state of OpenClaw 2026.9.4 is kept"));
    let back = server.ok("rollback 2026.9.5");
    assert_eq!(back, format!("lost_since={since}\ndown_ms=400\nserving=2026.9.5\n"));
    assert!(server.fails("switch").starts_with("an update from 2026.9.6 to 2026.9.5 is not confirmed"));
    server.ok("confirm 2026.9.5");
    assert!(server.ok("status").contains("release=2026.9.6\nsaved=2026.9.6 "));
    assert_eq!(server.ok("prune 1"), "release=2026.9.5\n");
    assert!(!server.ok("status").contains("saved="));
}

#[test]
fn what_nobody_confirms_is_gone_back_from_in_time() {
    let mut server = Server::staged("");
    server.ok("switch");
    server.now += 119_999;
    server.looks();
    assert_eq!(server.state.value("version"), "2026.9.6");
    server.now += 1;
    let status = server.ok("status");
    let going = "serving=2026.9.5\nversion=\nready=no\ntrial=2026.9.5 2026.9.6\nbusy=yes\n";
    assert!(status.starts_with(going), "{status}");
    assert_eq!(server.ok("revert"), "serving=2026.9.5\n", "it waits for the other one");
    let status = server.ok("status");
    assert!(status.contains("ready=yes\nreverted=2026.9.6\nbusy=no\narmed=no\n"), "{status}");
    assert!(!status.contains("saved="), "the saved state is the state again");
    assert_eq!(server.fails("confirm 2026.9.6"), "this server is back at OpenClaw 2026.9.5\n");
    assert_eq!(server.fails("switch"), "OpenClaw 2026.9.6 was gone back from\n");
    server.ok("rehearse");
    server.ok("switch");
    assert_eq!(server.ok("revert"), "reverted=2026.9.6\nserving=2026.9.5\n");
    assert!(
        server.did().ends_with(
            "switch 2026.9.6, expired 2026.9.6, rehearse 2026.9.6, switch 2026.9.6, revert 2026.9.6"
        )
    );
}

#[test]
fn a_boot_goes_back_at_once() {
    let mut server = Server::staged("");
    server.ok("switch");
    server.state.on = None;
    server.state.releases.cut();
    server.now += 1_000;
    server.state.on = Some(server.now);
    server.state.boots(&server.script);
    server.now += 700;
    server.looks();
    assert!(server.ok("status").starts_with("serving=2026.9.5\nversion=2026.9.5\nready=yes\nreverted="));
}

#[test]
fn broken_releases_show_where_they_are_told_to() {
    let fault = |more: &str| Server::staged(&format!("[[fault]]\nkind = 'broken'\nlog = 'no'\n{more}"));
    let mut server = fault("part = 'rehearse'\ncount = 1");
    let said = server.fails("rehearse");
    assert_eq!(said, "OpenClaw 2026.9.6 ended with 1, on a copy of the state\nno\n");
    server.ok("rehearse");

    let mut server = fault("part = 'switch'\nversion = '2026.9.6'");
    let output = server.asked("switch");
    assert_eq!(output.stdout, "reverted=2026.9.6\nserving=2026.9.5\n");
    assert_eq!((output.status, output.stderr.as_str()), (1, "OpenClaw 2026.9.6 ended with 1\nno\n"));
    assert!(server.ok("status").starts_with("serving=2026.9.5\nversion=2026.9.5\nready=yes\n"));

    let mut server = fault("part = 'gate'\nafter = '20s'");
    server.ok("switch");
    server.now += 19_999;
    server.ok("gate 2026.9.6");
    server.now += 1;
    assert_eq!(server.fails("gate 2026.9.6"), "OpenClaw 2026.9.6 is not ready\nno\n");
    server.ok("revert");
    server.ok("gate 2026.9.5");

    let mut server = fault("part = 'switch'\nversion = '2026.9.7'");
    server.ok("switch");
}

#[test]
fn what_is_late_for_too_long_is_gone_back_from() {
    let mut server = Server::staged("[update]\npatience = '2s'\n[[fault]]\nkind = 'unready'\ndelay = '9s'");
    assert!(server.fails("switch").starts_with("OpenClaw 2026.9.6 was not ready after 2 s"));
    assert_eq!(server.state.value("version"), "2026.9.5");
}

#[test]
fn two_callers_switch_once() {
    let mut server = Server::staged("");
    let script = Arc::clone(&server.script);
    let mut first = Call::new(&script, "switch", "");
    assert!(matches!(first.turn(&mut server.state, server.now), Turn::Wait(_)));
    assert_eq!(server.ok("switch"), "serving=2026.9.6\n", "the second one finds its work done");
    assert_eq!(server.did(), "stage 2026.9.6, switch 2026.9.6");
}

#[test]
fn a_power_cut_ends_what_was_at_work() {
    let mut server = Server::new("");
    server.state.releases.take(&server.script.facts_in(SENT));
    let script = Arc::clone(&server.script);
    let mut call = Call::new(&script, "stage", "");
    let Turn::Wait(end) = call.turn(&mut server.state, server.now) else { panic!() };
    server.state.power_off();
    server.state.on = Some(server.now);
    assert!(matches!(call.turn(&mut server.state, end), Turn::Said(_)));
    assert!(server.state.releases.installed.is_empty());
}
