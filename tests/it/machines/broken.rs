//! Releases that are broken, each in its own way, and one server that is offered all of them: what the rehearsal cannot see, the
//! switch or the gate does, and each time the old release serves again, with its state, and the failure says why. So it is,
//! too, where nobody can reach the server any more.

use std::time::{Duration, Instant};

use clawberth::host::update::{Failed, Part, Switched};

use super::bed::Bed;
use super::breakage::{Shows, break_it, mend_it};
use super::cable::Cable;
use super::parts::{NAME, NEW, OLD, as_before, done, failed, remember, run, send, until, version};
use super::probe::Probe;

/// From the failed gate until the old release serves again.
const BACK: Duration = Duration::from_secs(60);

/// Who meets the fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Rehearsal,
    Switch,
    Gate,
}

impl By {
    /// By the words of a failure.
    fn of(story: &str) -> Self {
        let part = [Self::Rehearsal, Self::Switch, Self::Gate].into_iter().find(|by| {
            story.contains(match by {
                Self::Rehearsal => "rehearsing on a copy of the state: ",
                Self::Switch => "switching: ",
                Self::Gate => "watching the gateway: ",
            })
        });
        part.unwrap_or_else(|| panic!("nobody met it:\n{story}"))
    }
}

/// A broken release.
struct Broken {
    code: &'static str,
    shows: Shows,
    by: By,
    /// What the failure says.
    reason: &'static str,
    /// What is in the log beside it.
    log: &'static str,
}

const RELEASES: [Broken; 10] = [
    Broken {
        code: include_str!("breakages/does-not-start.js"),
        shows: Shows::NotInRehearsal,
        by: By::Switch,
        reason: "OpenClaw 2026.9.6 ended with 1",
        log: "broken: nothing to start",
    },
    Broken {
        code: include_str!("breakages/never-ready.js"),
        shows: Shows::NotInRehearsal,
        by: By::Switch,
        reason: "OpenClaw 2026.9.6 was not ready after",
        log: "broken: waits for a channel",
    },
    Broken {
        code: include_str!("breakages/dies-later.js"),
        shows: Shows::Always,
        by: By::Gate,
        reason: "OpenClaw 2026.9.6 ended or was started again",
        log: "broken: out of luck",
    },
    Broken {
        code: include_str!("breakages/ruins-its-database.js"),
        shows: Shows::Always,
        by: By::Rehearsal,
        reason: "OpenClaw 2026.9.6 ended with 78, on a copy of the state",
        log: "file is not a database",
    },
    Broken {
        code: include_str!("breakages/ruins-its-database.js"),
        shows: Shows::NotInRehearsal,
        by: By::Switch,
        reason: "OpenClaw 2026.9.6 ended with 78",
        log: "file is not a database",
    },
    Broken {
        code: include_str!("breakages/damages-a-database.js"),
        shows: Shows::Always,
        by: By::Rehearsal,
        reason: "OpenClaw 2026.9.6 damages the state: .openclaw/workspace/notes.sqlite: ",
        log: "",
    },
    Broken {
        code: include_str!("breakages/damages-a-database.js"),
        shows: Shows::NotInRehearsal,
        by: By::Gate,
        reason: "OpenClaw 2026.9.6 damages the state: .openclaw/workspace/notes.sqlite: ",
        log: "",
    },
    Broken {
        code: include_str!("breakages/says-another-version.js"),
        shows: Shows::Always,
        by: By::Rehearsal,
        reason: "the gateway says that it is 2026.9.4, not 2026.9.6, on a copy of the state",
        log: "",
    },
    Broken {
        code: include_str!("breakages/says-another-version.js"),
        shows: Shows::NotInRehearsal,
        by: By::Switch,
        reason: "the gateway says that it is 2026.9.4, not 2026.9.6",
        log: "",
    },
    Broken {
        code: include_str!("breakages/hangs-on-stop.js"),
        shows: Shows::Always,
        by: By::Rehearsal,
        reason: "OpenClaw 2026.9.6 did not stop within 30 s, on a copy of the state",
        log: "broken: not yet",
    },
];

/// On a disk that it can fill.
const FILLING: [Broken; 2] = [
    Broken {
        code: include_str!("breakages/fills-the-disk.js"),
        shows: Shows::Always,
        by: By::Rehearsal,
        reason: "OpenClaw 2026.9.6 fills the disk, on a copy of the state",
        log: "",
    },
    Broken {
        code: include_str!("breakages/fills-the-disk.js"),
        shows: Shows::NotInRehearsal,
        by: By::Switch,
        reason: "OpenClaw 2026.9.6 fills the disk",
        log: "",
    },
];

#[test]
#[ignore = "twenty minutes: `make test-update`"]
fn whatever_is_wrong_with_a_release_the_old_one_serves_again() {
    let Some(bed) = staged() else { return };
    for release in &RELEASES {
        is_gone_back_from(&bed, release);
    }
    what_hangs_on_stop_is_gone_back_from(&bed);
    with_the_cable_pulled_it_goes_back_by_itself(&bed);
    bed.ok(&["destroy", NAME, "--yes"]);
}

#[test]
#[ignore = "six minutes: `make test-update`"]
fn on_a_disk_that_is_filled_the_old_one_serves_again() {
    let Some(bed) = staged() else { return };
    small_disk(&bed);
    for release in &FILLING {
        is_gone_back_from(&bed, release);
    }
    a_full_disk_is_no_obstacle(&bed);
    bed.ok(&["destroy", NAME, "--yes"]);
}

/// A server with a state, and the next release beside the one in use.
fn staged() -> Option<Bed> {
    let bed = Bed::up()?;
    bed.ok(&["deploy", NAME, "--version", OLD, "--yes"]);
    remember(&bed, "before");
    notes(&bed);
    send(&bed, 120);
    done(&bed, Part::Stage);
    Some(bed)
}

/// A database of the user's own, in the state.
fn notes(bed: &Bed) {
    on_state(
        bed,
        r#"fs.mkdirSync("workspace", { recursive: true });
        const notes = new DatabaseSync("workspace/notes.sqlite");
        notes.exec("CREATE TABLE IF NOT EXISTS note (text TEXT)");
        for (let i = 0; i < 1000; i++) notes.exec(`INSERT INTO note VALUES (\'note ${i} ${"x".repeat(80)}\')`);"#,
    );
}

/// What can be told apart of the state: its schema, files, and whether SQLite can read it.
fn state(bed: &Bed) -> String {
    on_state(
        bed,
        r#"for (const file of fs.readdirSync(".", { recursive: true }).filter((file) => /^(state|workspace).*\.sqlite$/.test(file)).sort()) {
            const database = new DatabaseSync(file, { readOnly: true });
            const is = (pragma) => Object.values(database.prepare(`PRAGMA ${pragma}`).get())[0];
            console.log(file, is("user_version"), is("quick_check"), fs.statSync(file).uid);
        }
        for (const file of ["mark", "workspace/notes.sqlite", "../secrets.json"])
            console.log(file, require("crypto").createHash("sha256").update(fs.readFileSync(file)).digest("hex"));"#,
    )
}

fn on_state(bed: &Bed, code: &str) -> String {
    bed.on(
        NAME,
        &format!(
            "cd /var/lib/openclaw/.openclaw; setpriv --reuid=openclaw --regid=openclaw --init-groups /opt/node/current/bin/node --no-warnings -e '
const fs = require(\"fs\"), {{ DatabaseSync }} = require(\"node:sqlite\");
{}'",
            code.replace("\\'", "'\\''")
        ),
    )
}

/// The gateway's process: another one, if it was touched.
fn life(bed: &Bed) -> String {
    bed.on(NAME, "systemctl show --property=MainPID --property=ActiveEnterTimestamp openclaw.service")
}

fn is_gone_back_from(bed: &Bed, release: &Broken) {
    let (state_before, life_before) = (state(bed), life(bed));
    break_it(bed, release.code, release.shows);
    let probe = Probe::start(bed, "broken");
    let output = bed.run(&["update", NAME, "--version", NEW, "--bake", "40s", "--yes"]);
    let (down, _) = probe.end();
    let story = String::from_utf8(output.stderr).unwrap();
    let title = release.code.lines().next().unwrap();
    assert_eq!(output.status.code(), Some(1), "{title}\n{story}");
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(
        table.lines().any(|line| line.starts_with(NAME) && line.contains(" reverted ")),
        "{title}\n{table}"
    );
    let (by, why) = (By::of(&story), story.lines().find(|line| line.starts_with("caused by")));
    let back = if by == By::Rehearsal { Duration::ZERO } else { back(bed) };
    eprintln!("{title} {why:?}; the old one served again after {back:?}; {down:?} without an answer");
    assert_eq!(by, release.by, "{title}\n{story}");
    for said in [release.reason, release.log, "what served before serves again"] {
        assert!(story.contains(said), "{title} {said:?}\n{story}");
    }
    assert!(back < BACK, "{title} {back:?}");
    // its code says that not all is well
    bed.run(&["update", "--abort"]);
    mend_it(bed);
    as_before(bed);
    assert_eq!(state(bed), state_before, "{title}");
    assert_eq!(life(bed) == life_before, by == By::Rehearsal, "{title} touched, or not");
}

/// The gate's failure.
fn gate(bed: &Bed) -> Failed {
    let part = Part::Gate(version(NEW));
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        let output = run(bed, part);
        if output.status != 0 {
            return failed(part, &output);
        }
        assert!(Instant::now() < until, "the gate holds: {}", output.stdout);
        std::thread::sleep(Duration::from_secs(1));
    }
}

/// From the order to go back until the old release served again, as the server measured it.
fn back(bed: &Bed) -> Duration {
    let milliseconds = bed.on(NAME, "sed -n s/^back_ms=//p /var/log/clawberth-update.log | tail -n 1");
    Duration::from_millis(milliseconds.trim().parse().unwrap())
}

/// Only a stop shows it: here the one on the way back.
fn what_hangs_on_stop_is_gone_back_from(bed: &Bed) {
    let before = state(bed);
    break_it(bed, include_str!("breakages/hangs-on-stop.js"), Shows::NotInRehearsal);
    done(bed, Part::Rehearse);
    done(bed, Part::Switch);
    done(bed, Part::Gate(version(NEW)));
    let begun = Instant::now();
    done(bed, Part::Revert);
    eprintln!("what hangs on stop: the old one back after {:?}", begun.elapsed());
    assert!(begun.elapsed() < BACK);
    mend_it(bed);
    as_before(bed);
    assert_eq!(state(bed), before);
}

/// Right after the switch nobody reaches the server any more; and it reaches nobody.
fn with_the_cable_pulled_it_goes_back_by_itself(bed: &Bed) {
    const TIMER: u64 = 15;
    let before = state(bed);
    send(bed, TIMER.try_into().unwrap());
    done(bed, Part::Rehearse);
    let switched = Switched::parse(Part::Switch, &done(bed, Part::Switch)).unwrap();
    assert_eq!(switched.serving, version(NEW));
    let cable = Cable::pull(bed);
    let begun = Instant::now();
    cable.until_inside(bed, "var/lib/clawberth/update/reverted");
    let back = begun.elapsed();
    eprintln!("with the cable pulled: back after {back:?} of a timer of {TIMER} s");
    assert!(back < Duration::from_secs(TIMER) + BACK, "{back:?}");
    cable.plug();
    until(bed, |standing| standing.facts.ready);
    as_before(bed);
    assert_eq!(state(bed), before);
    let log = bed.on(NAME, "tail -n 20 /var/log/clawberth-update.log");
    assert!(log.contains("nobody confirmed: 2026.9.5 2026.9.6"), "{log}");
    send(bed, 120);
}

/// `/var/lib` becomes a disk of its own, where root, too, has only what is left.
fn small_disk(bed: &Bed) {
    bed.on(
        NAME,
        "set -e; systemctl stop openclaw.service caddy.service
        mkdir /run/small
        mount -t tmpfs -o mode=0755,size=2000M,nr_inodes=150000 small /run/small
        cp -a /var/lib/. /run/small/
        mount --bind /run/small /var/lib
        systemctl start openclaw.service caddy.service",
    );
    until(bed, |standing| standing.facts.ready);
}

/// The release was good until somebody looked away, and nobody can write a byte any more: not even then room is needed.
fn a_full_disk_is_no_obstacle(bed: &Bed) {
    let before = state(bed);
    eprintln!(
        "{}",
        bed.on(NAME, "df --human-readable /var/lib; du -hd 2 /var/lib/clawberth /var/lib/openclaw")
    );
    done(bed, Part::Rehearse);
    done(bed, Part::Switch);
    bed.on(NAME, "cd /var/lib/openclaw/.openclaw; i=0; while true >cache/$i; do i=$((i + 1)); done; dd if=/dev/zero of=mark bs=1M || true; df -k --output=avail,iavail .");
    serves_no_more(bed);
    done(bed, Part::Revert);
    eprintln!("on a full disk: the old one back after {:?}", back(bed));
    as_before(bed);
    assert_eq!(state(bed), before);
}

fn serves_no_more(bed: &Bed) {
    let failed = gate(bed);
    assert!(failed.reason.starts_with("OpenClaw 2026.9.6 fills the disk"), "{failed:?}");
}
