//! Scripted hosts play what a real server does in an update: the same commands as on a real one, read by the same parsers.

use clawberth::host::update::{self, Failed, Part, Preflight, Standing, Switched};
use clawberth::model::observed::Trial;
use clawberth::model::release::OpenClawVersion;
use clawberth::registry::catalogue::Catalogue;
use clawberth::render::Update;
use clawberth::ssh::Output;
use serde_json::Value;

use super::bed::{Bed, read, until};

const OLD: &str = "2026.9.5";
const NEW: &str = "2026.9.6";

/// Who meets what in the tests below.
const FAULTS: &str = "
[update]
patience = '2s'
[[fault]]
kind = 'broken'
hosts = '*-rita'
part = 'rehearse'
log = 'no such table'
count = 1
[[fault]]
kind = 'broken'
hosts = '*-sven'
part = 'switch'
version = '2026.9.6'
[[fault]]
kind = 'broken'
hosts = '*-gina'
part = 'gate'
after = '1s'
log = 'out of memory'
[[fault]]
kind = 'ssh_reset'
hosts = '*-rita'
match = 'update switch'
count = 1
";

fn version(text: &str) -> OpenClawVersion {
    text.parse().unwrap()
}

/// A part, through SSH, word by word as the program sends it.
fn run(bed: &Bed, name: &str, part: Part) -> Output {
    let command = part.command().to_string();
    over_ssh(bed, name, &command.split(' ').collect::<Vec<_>>())
}

fn over_ssh(bed: &Bed, name: &str, command: &[&str]) -> Output {
    let output = bed.run(&[&["ssh", name, "--"], command].concat());
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let status = output.status.code().unwrap().try_into().unwrap();
    Output { status, stdout: text(output.stdout), stderr: text(output.stderr) }
}

#[track_caller]
fn done(bed: &Bed, name: &str, part: Part) -> Output {
    let output = run(bed, name, part);
    assert_eq!(output.status, 0, "{part}: {}{}", output.stdout, output.stderr);
    output
}

#[track_caller]
fn failed(bed: &Bed, name: &str, part: Part) -> Failed {
    update::ended(part, &run(bed, name, part)).unwrap_err()
}

fn send(bed: &Bed, name: &str, revert_after: u32) {
    let release = Catalogue::built_in().unwrap().find(version(NEW)).unwrap().clone();
    let node_mirror = "https://node.example/dist".to_owned();
    let command = update::send(&Update { release, domain: None, node_mirror, revert_after }).unwrap();
    let output = over_ssh(bed, name, &["sh", "-c", &command.to_string()]);
    assert_eq!(output.status, 0, "{}", output.stderr);
}

fn standing(bed: &Bed, name: &str) -> Standing {
    Standing::parse(&done(bed, name, Part::Status)).unwrap()
}

/// What is in use, seen from all sides.
#[track_caller]
fn serves(bed: &Bed, name: &str, release: &str) {
    let facts = standing(bed, name).facts;
    assert_eq!((facts.serving, facts.version), (version(release), Some(version(release))));
    assert!(facts.ready && !facts.busy, "{facts:?}");
    let record = bed.ok(&["ssh", name, "--", "cat", "/etc/clawberth/release.json"]);
    let record: Value = serde_json::from_str(&record).unwrap();
    assert_eq!(record["release"]["openclaw"], release);
    let page = bed.curl(&address(bed, name), "/").1;
    assert!(page.contains(&format!("build-id=\"{release}-release-")), "{page}");
}

fn address(bed: &Bed, name: &str) -> String {
    host(bed, name)["address"].as_str().unwrap().to_owned()
}

/// What the lab keeps of a host.
fn host(bed: &Bed, name: &str) -> Value {
    let machines = std::fs::read_dir(bed.path("lab/machines")).unwrap();
    let hosts = machines.map(|dir| read(&dir.unwrap().path().join("host.json")));
    let mut hosts = hosts.map(|text| serde_json::from_str::<Value>(&text).unwrap());
    hosts.find(|host| host["name"].as_str().unwrap().ends_with(&format!("-{name}"))).unwrap()
}

/// What updates did on a host, without the times.
fn did(bed: &Bed, name: &str) -> Vec<String> {
    let lines = bed.ok(&["ssh", name, "--", "clawberth-lab", "updates"]);
    lines.lines().map(|line| line.split_once(' ').unwrap().1.to_owned()).collect()
}

#[test]
fn an_update_goes_there_and_back() {
    let bed = Bed::new("");
    let name = "erin";
    bed.ok(&["deploy", name, "--version", OLD, "--yes"]);
    assert_eq!(run(&bed, name, Part::Status).status, 127, "nothing was sent yet");
    send(&bed, name, 60);
    let preflight = Preflight::parse(&done(&bed, name, Part::Preflight)).unwrap();
    assert_eq!(preflight.problems(), [""; 0]);
    assert!(!preflight.staged && preflight.runs.is_some_and(|runs| runs.safe));
    for part in [Part::Stage, Part::Rehearse] {
        done(&bed, name, part);
        serves(&bed, name, OLD);
    }
    assert!(Preflight::parse(&done(&bed, name, Part::Preflight)).unwrap().staged);

    let switched = Switched::parse(Part::Switch, &done(&bed, name, Part::Switch)).unwrap();
    assert!(switched.serving == version(NEW) && switched.down.is_some(), "{switched:?}");
    let again = Switched::parse(Part::Switch, &done(&bed, name, Part::Switch)).unwrap();
    assert!(again.serving == version(NEW) && again.down.is_none(), "{again:?}");
    serves(&bed, name, NEW);
    let tried = standing(&bed, name);
    let trial = Trial { from: version(OLD), to: version(NEW) };
    assert_eq!((tried.facts.trial, tried.armed), (Some(trial), true));
    for part in [Part::Gate(version(NEW)), Part::Confirm(version(NEW)), Part::Confirm(version(NEW))] {
        done(&bed, name, part);
    }
    let kept = standing(&bed, name);
    assert_eq!((kept.facts.trial, kept.armed, kept.releases.len()), (None, false, 2));
    assert_eq!(kept.saved.iter().map(|saved| saved.release).collect::<Vec<_>>(), [version(OLD)]);

    let part = Part::Rollback(version(OLD));
    let back = Switched::parse(part, &done(&bed, name, part)).unwrap();
    assert!(back.serving == version(OLD) && back.lost_since.is_some(), "{back:?}");
    done(&bed, name, Part::Confirm(version(OLD)));
    done(&bed, name, Part::Prune(1));
    let pruned = standing(&bed, name);
    assert_eq!((pruned.releases, pruned.saved), (vec![version(OLD)], vec![]));
    serves(&bed, name, OLD);
    let all = ["stage 2026.9.6", "rehearse 2026.9.6", "switch 2026.9.6", "confirm 2026.9.6"];
    let all = [&all[..], &["rollback 2026.9.5", "confirm 2026.9.5"]].concat();
    assert_eq!(did(&bed, name), all);
    assert_eq!(host(&bed, name)["releases"]["journal"].as_array().unwrap().len(), all.len());
}

#[test]
fn a_server_helps_itself_while_nobody_looks() {
    let mut bed = Bed::new("");
    let name = "erin";
    bed.ok(&["deploy", name, "--version", OLD, "--yes"]);
    send(&bed, name, 2);
    done(&bed, name, Part::Stage);
    done(&bed, name, Part::Switch);
    serves(&bed, name, NEW);
    // the page is the first to show it: no command is needed
    let address = address(&bed, name);
    until("the old page", || bed.curl(&address, "/").1.contains("build-id=\"2026.9.5-"));
    let facts = standing(&bed, name).facts;
    assert_eq!((facts.trial, facts.reverted), (None, Some(version(NEW))));
    assert_eq!(failed(&bed, name, Part::Switch).reason, "OpenClaw 2026.9.6 was gone back from");
    done(&bed, name, Part::Rehearse);

    // killed in the middle of a switch, the lab comes up with the trial; a boot ends it
    send(&bed, name, 600);
    done(&bed, name, Part::Switch);
    bed.kill();
    bed.up();
    until("readiness", || bed.curl(&address, "/readyz").0 == "200");
    serves(&bed, name, NEW);
    bed.ok(&bed.lab(&["down"]));
    bed.up();
    until("readiness after a boot", || bed.curl(&address, "/readyz").0 == "200");
    serves(&bed, name, OLD);
    assert_eq!(standing(&bed, name).facts.trial, None);
    let expired = did(&bed, name).iter().filter(|did| *did == "expired 2026.9.6").count();
    assert_eq!(expired, 2);
}

#[test]
fn releases_are_broken_where_the_script_says() {
    let bed = Bed::new(FAULTS);
    let names = ["rita", "sven", "gina"];
    bed.ok(&[&["deploy"], &names[..], &["--version", OLD, "--yes"]].concat());
    for name in names {
        send(&bed, name, 600);
        done(&bed, name, Part::Stage);
    }

    let rehearsed = failed(&bed, "rita", Part::Rehearse);
    assert_eq!(rehearsed.reason, "OpenClaw 2026.9.6 ended with 1, on a copy of the state");
    assert_eq!(rehearsed.log, "no such table");
    done(&bed, "rita", Part::Rehearse);
    // the reply is lost; asked again, its work is found done
    assert_eq!(run(&bed, "rita", Part::Switch).status, 255);
    done(&bed, "rita", Part::Switch);
    assert_eq!(did(&bed, "rita").iter().filter(|did| *did == "switch 2026.9.6").count(), 1);

    let switched = failed(&bed, "sven", Part::Switch);
    assert_eq!(
        (switched.reason.as_str(), switched.reverted),
        ("OpenClaw 2026.9.6 ended with 1", Some(version(NEW)))
    );
    assert!(switched.log.contains("as it was told to be"), "{switched:?}");
    serves(&bed, "sven", OLD);
    assert_eq!(did(&bed, "sven"), ["stage 2026.9.6", "switch 2026.9.6", "revert 2026.9.6"]);

    done(&bed, "gina", Part::Switch);
    let address = address(&bed, "gina");
    until("the illness", || bed.curl(&address, "/readyz").0 == "503");
    let gate = failed(&bed, "gina", Part::Gate(version(NEW)));
    assert_eq!(
        (gate.reason.as_str(), gate.log.as_str()),
        ("OpenClaw 2026.9.6 is not ready", "out of memory")
    );
    done(&bed, "gina", Part::Revert);
    serves(&bed, "gina", OLD);
    assert_eq!(done(&bed, "gina", Part::Revert).stdout, format!("serving={OLD}\n"));
}
