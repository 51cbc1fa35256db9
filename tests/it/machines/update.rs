//! One server goes from a real release to the next one and back, part by part, as the controller will have it done; and each
//! thing that can go wrong on the way ends with the old release serving, its state as it was.

use std::time::{Duration, Instant};

use clawberth::host::update::{Part, Preflight, Standing, Switched};

use super::bed::Bed;
use super::breakage::{Shows, break_it, mend_it};
use super::parts::{
    NAME, NEW, OLD, as_before, done, failed, goes_back, remember, run, send, serves, until, version,
};
use super::probe::Probe;

#[test]
#[ignore = "six minutes: `make test-update`"]
fn a_server_changes_its_release_and_helps_itself() {
    let Some(bed) = Bed::up() else { return };
    bed.ok(&["deploy", NAME, "--version", OLD, "--yes"]);
    remember(&bed, "before");
    staged(&bed);
    what_does_not_start_is_met_by_the_rehearsal(&bed);
    rehearsed(&bed);
    what_nobody_confirms_is_gone_back_from(&bed);
    what_does_not_get_ready_is_gone_back_from(&bed);
    a_power_cut_in_the_switch_goes_back(&bed);
    switched_in_spite_of_kills(&bed);
    reverted_in_spite_of_kills(&bed);
    updated(&bed);
    rolled_back(&bed);
    bed.ok(&["destroy", NAME, "--yes"]);
}

fn staged(bed: &Bed) {
    send(bed, 120);
    let preflight = Preflight::parse(&done(bed, Part::Preflight)).unwrap();
    assert_eq!(preflight.problems(), [""; 0]);
    assert!(!preflight.staged && preflight.runs.is_some_and(|runs| runs.safe));
    let begun = Instant::now();
    done(bed, Part::Stage);
    eprintln!("staged in {:?}", begun.elapsed());
    let begun = Instant::now();
    done(bed, Part::Stage);
    assert!(begun.elapsed() < Duration::from_secs(10), "it was done twice");
    serves(bed, OLD, "before");
}

fn what_does_not_start_is_met_by_the_rehearsal(bed: &Bed) {
    let life = "systemctl show --property=MainPID --property=ActiveEnterTimestamp openclaw.service";
    let before = bed.on(NAME, life);
    break_it(
        bed,
        "console.error(JSON.stringify({ level: \"error\", message: \"broken\" })); process.exit(1);",
        Shows::Always,
    );
    let failed = failed(Part::Rehearse, &run(bed, Part::Rehearse));
    assert_eq!(failed.reason, "OpenClaw 2026.9.6 ended with 1, on a copy of the state");
    assert!(failed.log.contains("broken"), "{failed:?}");
    assert_eq!(bed.on(NAME, life), before, "the gateway was touched");
    mend_it(bed);
    as_before(bed);
}

fn rehearsed(bed: &Bed) {
    let begun = Instant::now();
    let output = done(bed, Part::Rehearse);
    eprintln!("rehearsed in {:?}: {}", begun.elapsed(), output.stdout.replace('\n', " "));
    as_before(bed);
}

/// The session breaks in the middle of the switch, and nobody comes back. The switch goes on; the new gateway is ready, then
/// dead for good; the timer goes back.
fn what_nobody_confirms_is_gone_back_from(bed: &Bed) {
    send(bed, 10);
    let part = Part::Switch.command().to_string();
    let mut session = bed.command(&["ssh", NAME, "--", "sh", "-c", &part]).spawn().unwrap();
    bed.on(NAME, "until [ -e /var/lib/clawberth/update/still ]; do sleep 0.05; done");
    session.kill().unwrap();
    session.wait().unwrap();
    until(bed, |standing| standing.facts.ready && standing.facts.serving == version(NEW));
    bed.on(NAME, "echo after >/var/lib/openclaw/.openclaw/mark");
    break_it(bed, "process.exit(1);", Shows::Always);
    bed.on(NAME, "systemctl kill --signal=KILL openclaw.service");
    goes_back(bed);
    mend_it(bed);
    assert!(
        bed.on(NAME, "cat /var/lib/clawberth/failed/*/.openclaw/mark").contains("after"),
        "what failed is kept"
    );
}

/// What fails in the switch itself is gone back from at once; and not begun again before it was rehearsed again.
fn what_does_not_get_ready_is_gone_back_from(bed: &Bed) {
    let again = failed(Part::Switch, &run(bed, Part::Switch));
    assert_eq!(again.reason, "OpenClaw 2026.9.6 was gone back from: nobody confirmed the update");
    bed.on(NAME, "rm /var/lib/clawberth/update/reverted");
    send(bed, 120);
    break_it(bed, "process.exit(78);", Shows::Always);
    let failed = failed(Part::Switch, &run(bed, Part::Switch));
    assert_eq!(failed.reason, "OpenClaw 2026.9.6 ended with 78");
    assert_eq!(failed.reverted, Some(version(NEW)));
    mend_it(bed);
    as_before(bed);
}

/// Starts a part that nobody waits for, and waits until something is there.
fn until_there(bed: &Bed, part: Part, path: &str) -> String {
    bed.on(NAME, "rm -f /var/lib/clawberth/update/reverted");
    let script = format!(
        "setsid {} >/dev/null 2>&1 & pid=$!; until [ -e {path} ] || ! kill -0 $pid; do sleep 0.01; done; echo $pid",
        part.command()
    );
    bed.on(NAME, &script).trim().to_owned()
}

fn a_power_cut_in_the_switch_goes_back(bed: &Bed) {
    until_there(bed, Part::Switch, "/var/lib/clawberth/saved/2026.9.5/state");
    let list = bed.hcloud(&["server", "list", "-o", "noheader", "-o", "columns=id"]);
    bed.hcloud(&["server", "reset", list.trim()]);
    goes_back(bed);
}

fn switched_in_spite_of_kills(bed: &Bed) {
    for path in [
        "/var/lib/clawberth/update/still",
        "/var/lib/clawberth/saved/2026.9.5/state",
        "/var/lib/clawberth/update/since",
    ] {
        bed.on(NAME, "rm -f /var/lib/clawberth/update/since");
        let pid = until_there(bed, Part::Switch, path);
        bed.on(NAME, &format!("kill -9 -{pid} || true"));
    }
    done(bed, Part::Switch);
    serves(bed, NEW, "before");
    remember(bed, "after");
}

fn reverted_in_spite_of_kills(bed: &Bed) {
    for path in ["/var/lib/clawberth/update/reverting", "/var/lib/clawberth/failed/2026.9.6"] {
        bed.on(NAME, "rm -rf /var/lib/clawberth/failed");
        let pid = until_there(bed, Part::Revert, path);
        bed.on(NAME, &format!("kill -9 -{pid} || true"));
    }
    done(bed, Part::Revert);
    as_before(bed);
    assert_eq!(
        done(bed, Part::Revert).stdout,
        format!("serving={OLD}\n"),
        "the second time there is nothing to do"
    );
}

/// Measured with the gateway's bare restart beside it.
fn updated(bed: &Bed) {
    let probe = Probe::start(bed, "restart");
    bed.on(NAME, "systemctl restart openclaw.service; until curl -s http://127.0.0.1:18789/readyz | grep -q true; do sleep 0.1; done; sleep 1");
    let (restart, _) = probe.end();
    done(bed, Part::Rehearse);
    let probe = Probe::start(bed, "switch");
    let switched = Switched::parse(Part::Switch, &done(bed, Part::Switch)).unwrap();
    let standing = Standing::parse(&done(bed, Part::Status)).unwrap();
    assert!(standing.armed && standing.facts.trial.is_some());
    let gate = done(bed, Part::Gate(version(NEW)));
    done(bed, Part::Confirm(version(NEW)));
    done(bed, Part::Confirm(version(NEW)));
    let (down, looks) = probe.end();
    eprintln!(
        "down for {down:?} of {looks} looks, by its own clock {:?}; a restart {restart:?}; {}",
        switched.down, gate.stdout
    );
    serves(bed, NEW, "before");
    let standing = Standing::parse(&done(bed, Part::Status)).unwrap();
    assert_eq!((standing.facts.trial, standing.armed), (None, false));
    assert_eq!(standing.saved.iter().map(|saved| saved.release).collect::<Vec<_>>(), [version(OLD)]);
    done(bed, Part::Prune(2));
    assert_eq!(Standing::parse(&done(bed, Part::Status)).unwrap().releases.len(), 2);
}

fn rolled_back(bed: &Bed) {
    remember(bed, "newer");
    let part = Part::Rollback(version(OLD));
    let switched = Switched::parse(part, &done(bed, part)).unwrap();
    assert!(switched.lost_since.is_some());
    done(bed, Part::Gate(version(OLD)));
    done(bed, Part::Confirm(version(OLD)));
    eprintln!("rolled back in {:?}", switched.down);
    serves(bed, OLD, "before");
    done(bed, Part::Prune(1));
    let standing = Standing::parse(&done(bed, Part::Status)).unwrap();
    assert_eq!((standing.releases, standing.saved), (vec![version(OLD)], vec![]));
}
