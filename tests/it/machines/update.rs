//! One server goes from a real release to the next one and back, part by part, as the controller will have it done; and each
//! thing that can go wrong on the way ends with the old release serving, its state as it was.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use clawberth::host::update::{self, Failed, Part, Preflight, Standing, Switched};
use clawberth::model::release::OpenClawVersion;
use clawberth::registry::catalogue::Catalogue;
use clawberth::render::Update;
use clawberth::ssh::Output;

use super::bed::Bed;

const NAME: &str = "erin";
const OLD: &str = "2026.9.5";
const NEW: &str = "2026.9.6";
/// Longest wait for a server to help itself.
const LONG: Duration = Duration::from_secs(600);

#[test]
#[ignore = "six minutes, and no command calls these parts yet: `make test-update`"]
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

/// A part, through SSH.
fn run(bed: &Bed, part: Part) -> Output {
    over_ssh(bed, &part.command().to_string())
}

fn over_ssh(bed: &Bed, command: &str) -> Output {
    let output = bed.command(&["ssh", NAME, "--", "sh", "-c", command]).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let status = output.status.code().unwrap().try_into().unwrap();
    Output { status, stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// A part that must end well.
fn done(bed: &Bed, part: Part) -> Output {
    let output = run(bed, part);
    assert_eq!(output.status, 0, "{part}: {}{}", output.stdout, output.stderr);
    output
}

fn failed(part: Part, output: &Output) -> Failed {
    update::ended(part, output).unwrap_err()
}

fn version(text: &str) -> OpenClawVersion {
    text.parse().unwrap()
}

fn send(bed: &Bed, revert_after: u32) {
    let release = Catalogue::built_in().unwrap().find(version(NEW)).unwrap().clone();
    let node_mirror = bed.variable("CLAWBERTH_NODE_MIRROR").to_owned();
    let update = Update { release, domain: None, node_mirror, revert_after };
    let output = over_ssh(bed, &update::send(&update).unwrap().to_string());
    assert_eq!(output.status, 0, "{}", output.stderr);
}

/// Writes something into the state: a file, and the configuration.
fn remember(bed: &Bed, what: &str) {
    bed.on(NAME, &format!("echo {what} >/var/lib/openclaw/.openclaw/mark"));
    bed.on(NAME, &format!("echo '{{ gateway: {{ controlUi: {{ environment: {{ label: \"{what}\", color: \"teal\" }} }} }} }}' | openclaw config patch --stdin"));
}

/// What serves, with which state.
fn serves(bed: &Bed, release: &str, mark: &str) {
    let standing = Standing::parse(&done(bed, Part::Status)).unwrap();
    assert_eq!(standing.facts.serving, version(release));
    assert_eq!(standing.facts.version, Some(version(release)));
    assert!(standing.facts.ready && !standing.facts.busy, "{standing:?}");
    let state = bed.on(NAME, "cd /var/lib/openclaw/.openclaw; cat mark; /opt/node/current/bin/node -p 'require(\"./openclaw.json\").gateway.controlUi.environment.label'");
    assert_eq!(state, format!("{mark}\n{mark}\n"), "file and configuration");
    let files = bed.on(
        NAME,
        "cat /usr/local/lib/clawberth/setup /etc/clawberth/release.json; readlink /opt/openclaw/current",
    );
    assert_eq!(files.matches(release).count(), 3, "what a later set-up would install:\n{files}");
}

/// The end of an update that went wrong: as if nothing had been.
fn as_before(bed: &Bed) {
    serves(bed, OLD, "before");
    let standing = Standing::parse(&done(bed, Part::Status)).unwrap();
    assert_eq!((standing.facts.trial, standing.armed), (None, false));
    assert_eq!(standing.saved, [], "the saved state is the state again");
    assert_eq!(bed.on(NAME, "ls /run/systemd/system | grep rehearsal || true"), "");
}

/// Looks until something stands.
fn until(bed: &Bed, hoped: impl Fn(&Standing) -> bool) {
    let until = Instant::now() + LONG;
    while !Standing::parse(&run(bed, Part::Status)).is_ok_and(|standing| hoped(&standing)) {
        assert!(Instant::now() < until, "{}", bed.on(NAME, "tail -n 50 /var/log/clawberth-update.log"));
        std::thread::sleep(Duration::from_millis(500));
    }
}

/// Until the server has helped itself.
fn goes_back(bed: &Bed) {
    until(bed, |s| s.facts.trial.is_none() && s.facts.reverted.is_some() && s.facts.ready);
    as_before(bed);
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

const INDEX: &str = "/opt/openclaw/2026.9.6/lib/node_modules/openclaw/dist/index.js";

/// Makes the staged release another one.
fn break_it(bed: &Bed, script: &str) {
    bed.on(NAME, &format!("cp -n {INDEX} {INDEX}.real; echo '{script}' >{INDEX}"));
}

fn mend_it(bed: &Bed) {
    bed.on(NAME, &format!("mv {INDEX}.real {INDEX}"));
}

fn what_does_not_start_is_met_by_the_rehearsal(bed: &Bed) {
    let life = "systemctl show --property=MainPID --property=ActiveEnterTimestamp openclaw.service";
    let before = bed.on(NAME, life);
    break_it(
        bed,
        "console.error(JSON.stringify({ level: \"error\", message: \"broken\" })); process.exit(1);",
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
    break_it(bed, "process.exit(1);");
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
    assert_eq!(again.reason, "OpenClaw 2026.9.6 was gone back from");
    bed.on(NAME, "rm /var/lib/clawberth/update/reverted");
    send(bed, 120);
    break_it(bed, "process.exit(78);");
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

/// Looks ten times a second from outside, until there is a file that says to stop.
struct Probe {
    looks: Child,
    seen: std::path::PathBuf,
    stop: std::path::PathBuf,
}

impl Probe {
    fn start(bed: &Bed, name: &str) -> Self {
        let (seen, stop) = (bed.scratch(name), bed.scratch(&format!("{name}.stop")));
        let url = format!("https://{}/readyz", bed.address(NAME, "ipv4"));
        let root = bed.variable("CLAWBERTH_ACME_ROOT");
        let script = format!(
            "until [ -e {} ]; do echo $(date +%s%3N) $(curl -s --max-time 1 --cacert {root} {url}); sleep 0.07; done >{}",
            stop.display(),
            seen.display()
        );
        let mut command = Command::new(env!("CARGO_BIN_EXE_clawberth"));
        command.args(["lab", "exec", "--from", "world", "--dir"]).arg(bed.lab_dir());
        command.args(["--", "timeout", "120", "bash", "-c", &script]).stdin(Stdio::null());
        Self { looks: command.spawn().unwrap(), seen, stop }
    }

    /// The longest time without readiness, from the last good answer before it to the first one after it.
    fn end(mut self) -> (Duration, usize) {
        std::fs::write(&self.stop, "").unwrap();
        self.looks.wait().unwrap();
        let text = std::fs::read_to_string(&self.seen).unwrap();
        let good = text.lines().filter(|line| line.contains("\"ready\":true"));
        let good: Vec<u64> = good.map(|line| line.split(' ').next().unwrap().parse().unwrap()).collect();
        let longest = good.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
        (Duration::from_millis(longest), text.lines().count())
    }
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
