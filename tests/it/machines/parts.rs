//! The parts of an update, one by one over SSH, and what is to stand after them.

use std::time::{Duration, Instant};

use clawberth::host::update::{self, Failed, Part, Standing};
use clawberth::model::release::OpenClawVersion;
use clawberth::registry::catalogue::Catalogue;
use clawberth::render::Update;
use clawberth::ssh::Output;

use super::bed::Bed;

pub(super) const NAME: &str = "erin";
pub(super) const OLD: &str = "2026.9.5";
pub(super) const NEW: &str = "2026.9.6";
/// Longest wait for a server to help itself.
const LONG: Duration = Duration::from_secs(600);

/// A part, through SSH.
pub(super) fn run(bed: &Bed, part: Part) -> Output {
    over_ssh(bed, &part.command().to_string())
}

pub(super) fn over_ssh(bed: &Bed, command: &str) -> Output {
    let output = bed.command(&["ssh", NAME, "--", "sh", "-c", command]).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let status = output.status.code().unwrap().try_into().unwrap();
    Output { status, stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// A part that must end well.
pub(super) fn done(bed: &Bed, part: Part) -> Output {
    let output = run(bed, part);
    assert_eq!(output.status, 0, "{part}: {}{}", output.stdout, output.stderr);
    output
}

pub(super) fn failed(part: Part, output: &Output) -> Failed {
    update::ended(part, output).unwrap_err()
}

pub(super) fn version(text: &str) -> OpenClawVersion {
    text.parse().unwrap()
}

pub(super) fn send(bed: &Bed, revert_after: u32) {
    let release = Catalogue::built_in().unwrap().find(version(NEW)).unwrap().clone();
    let node_mirror = bed.variable("CLAWBERTH_NODE_MIRROR").to_owned();
    let update = Update { release, domain: None, node_mirror, revert_after };
    let output = over_ssh(bed, &update::send(&update).unwrap().to_string());
    assert_eq!(output.status, 0, "{}", output.stderr);
}

/// Writes something into the state: a file, and the configuration.
pub(super) fn remember(bed: &Bed, what: &str) {
    bed.on(NAME, &format!("echo {what} >/var/lib/openclaw/.openclaw/mark"));
    bed.on(NAME, &format!("echo '{{ gateway: {{ controlUi: {{ environment: {{ label: \"{what}\", color: \"teal\" }} }} }} }}' | openclaw config patch --stdin"));
}

/// What serves, with which state.
pub(super) fn serves(bed: &Bed, release: &str, mark: &str) {
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
pub(super) fn as_before(bed: &Bed) {
    serves(bed, OLD, "before");
    let standing = Standing::parse(&done(bed, Part::Status)).unwrap();
    assert_eq!((standing.facts.trial, standing.armed), (None, false));
    assert_eq!(standing.saved, [], "the saved state is the state again");
    assert_eq!(bed.on(NAME, "ls /run/systemd/system | grep rehearsal || true"), "");
}

/// Looks until something stands.
pub(super) fn until(bed: &Bed, hoped: impl Fn(&Standing) -> bool) {
    let until = Instant::now() + LONG;
    while !Standing::parse(&run(bed, Part::Status)).is_ok_and(|standing| hoped(&standing)) {
        assert!(Instant::now() < until, "{}", bed.on(NAME, "tail -n 50 /var/log/clawberth-update.log"));
        std::thread::sleep(Duration::from_millis(500));
    }
}

/// Until the server has helped itself.
pub(super) fn goes_back(bed: &Bed) {
    until(bed, |s| s.facts.trial.is_none() && s.facts.reverted.is_some() && s.facts.ready);
    as_before(bed);
}
