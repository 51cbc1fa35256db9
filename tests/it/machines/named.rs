//! A user with a name in a zone and an older release, deployed by an operator whose computer keeps crashing.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::bed::Bed;
use super::inside;

/// Every point of every step of the deploy that a run can still reach after it was killed at the ones before: what is there is
/// not made again.
const DEPLOY_UNTIL_INSTALL: [&str; 29] = [
    "create-ssh-key:before-intent",
    "create-ssh-key:after-intent",
    "create-ssh-key:after-act",
    "create-firewall:after-intent",
    "create-firewall:after-act",
    "create:before-intent",
    "create:after-intent",
    "create:after-act",
    "adopt:before-intent",
    "adopt:after-act",
    "adopt:after-outcome",
    "name:before-intent",
    "name:after-intent",
    "name:after-act",
    "reach:before-intent",
    "reach:after-intent",
    "reach:after-act",
    "reach:after-outcome",
    "trust:after-intent",
    "trust:after-act",
    "trust:after-outcome",
    "make-host-key:before-intent",
    "make-host-key:after-intent",
    "make-host-key:after-act",
    "make-host-key:after-outcome",
    "switch-host-key:after-intent",
    "switch-host-key:after-act",
    "switch-host-key:after-outcome",
    "install:before-intent",
];
const DEPLOY_FROM_INSTALL: [&str; 6] = [
    "install:after-intent",
    "install:after-act",
    "install:after-outcome",
    "serve:before-intent",
    "serve:after-intent",
    "serve:after-act",
];
/// The same of the destroy.
const DESTROY: [&str; 21] = [
    "condemn:before-intent",
    "condemn:after-intent",
    "condemn:after-act",
    "condemn:after-outcome",
    "revoke:before-intent",
    "revoke:after-intent",
    "revoke:after-act",
    "revoke:after-outcome",
    "unname:before-intent",
    "unname:after-intent",
    "unname:after-act",
    "delete:before-intent",
    "delete:after-intent",
    "delete:after-act",
    "delete:after-outcome",
    "delete-firewall:before-intent",
    "delete-firewall:after-intent",
    "delete-firewall:after-act",
    "delete-ssh-key:before-intent",
    "delete-ssh-key:after-intent",
    "prove-absence:after-intent",
];
/// Longest way to a point: the set-up of a server.
const LONG: Duration = Duration::from_secs(1200);

#[test]
fn a_name_and_an_older_release_in_spite_of_every_crash() {
    let Some(bed) = Bed::up() else { return };
    make_zone(&bed, "claw.test");
    let dave = deploy_without_node(&bed);
    let deploy = ["deploy", "carol", "--domain", "claw.test", "--version", "2026.9.5", "--yes"];
    for at in DEPLOY_UNTIL_INSTALL {
        killed_at(&bed, &deploy, at);
    }
    interrupted_while_waiting(&bed, &deploy);
    for at in DEPLOY_FROM_INSTALL {
        killed_at(&bed, &deploy, at);
    }
    bed.ok(&deploy);
    its_log_was_shown(&bed, dave);
    one_server_was_made(&bed);
    served_under_its_name(&bed);
    inside::is_as_promised(&bed, "carol");
    browsers_come_over_https(&bed);
    destroyed_in_spite_of_a_crash(&bed);
}

/// The client of this issue has no zones yet in Debian's hcloud, so the API is asked directly.
fn make_zone(bed: &Bed, name: &str) {
    let url = format!("{}/zones", bed.variable("HCLOUD_ENDPOINT"));
    let body = format!("{{\"name\":\"{name}\",\"mode\":\"primary\"}}");
    let bearer = format!("Authorization: Bearer {}", bed.variable("HCLOUD_TOKEN"));
    let json = "Content-Type: application/json";
    let mut curl = Command::new("curl");
    let output = curl
        .args(["-sS", "--fail-with-body", "-H", &bearer, "-H", json, "-d", &body, &url])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

/// Runs until the program stops itself at a point of a step, then kill -9: no cleaning up, no farewell.
pub(super) fn killed_at(bed: &Bed, words: &[&str], at: &str) {
    let story = bed.scratch("story");
    let mut command = bed.command(words);
    command.env("CLAWBERTH_STOP_AT", at).stdout(Stdio::null()).stderr(std::fs::File::create(&story).unwrap());
    let mut child = command.spawn().unwrap();
    let until = Instant::now() + LONG;
    let stopped = |child: &Child| {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.id()));
        stat.is_ok_and(|stat| stat.contains(") T "))
    };
    while !stopped(&child) {
        let told = || std::fs::read_to_string(&story).unwrap();
        assert!(child.try_wait().unwrap().is_none(), "it ended before {at}:\n{}", told());
        assert!(Instant::now() < until, "it did not come to {at}:\n{}", told());
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

/// ^C in a long wait: it ends at once, says how to go on, and exits with 130.
fn interrupted_while_waiting(bed: &Bed, words: &[&str]) {
    let mut command = bed.command(words);
    command.env("CLAWBERTH_LOG", "clawberth::apply=info").stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut story = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(
        story.by_ref().any(|line| line.contains("begun") && line.contains("install")),
        "no wait was begun"
    );
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::INT)
        .unwrap();
    let farewell: Vec<String> = story.collect();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{farewell:?}");
    let hint = format!("hint: run `clawberth {}` to go on", words.join(" "));
    assert_eq!(farewell.last(), Some(&hint));
}

/// Meanwhile, somebody else with a state of their own, whose servers find no Node.
fn deploy_without_node(bed: &Bed) -> Child {
    let nowhere = format!("{}/nowhere", bed.variable("CLAWBERTH_NODE_MIRROR"));
    let mut command = bed.command(&["deploy", "dave", "--yes"]);
    command.env("CLAWBERTH_NODE_MIRROR", nowhere).env("CLAWBERTH_STATE", bed.scratch("dave.sqlite"));
    command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

/// A set-up that fails on the server is told with where, the end of its log, and how to go on.
fn its_log_was_shown(bed: &Bed, dave: Child) {
    let output = dave.wait_with_output().unwrap();
    let story = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{story}");
    let (_, end) =
        story.split_once("error: dave is not done, but trusted\n").unwrap_or_else(|| panic!("{story}"));
    let lines: Vec<&str> = end.lines().collect();
    assert_eq!(lines[..2], ["caused by: the set-up of dave failed: installing Node", "its log ends:"]);
    assert!(lines.iter().any(|line| line.starts_with("  curl: ") && line.contains("404")), "{end}");
    assert!(lines.last().unwrap().starts_with("hint: run `clawberth deploy dave"), "{end}");
    let mut destroy = bed.command(&["destroy", "dave", "--yes"]);
    assert!(destroy.env("CLAWBERTH_STATE", bed.scratch("dave.sqlite")).status().unwrap().success());
}

/// One for carol in spite of everything, and one for dave.
fn one_server_was_made(bed: &Bed) {
    let requests = bed.requests_since(0);
    let creates =
        requests.iter().filter(|(method, path)| method == "POST" && path.starts_with("/v1/servers"));
    assert_eq!(creates.count(), 2, "{requests:?}");
    assert_eq!(bed.hcloud(&["server", "list", "-o", "noheader"]).lines().count(), 1);
}

fn served_under_its_name(bed: &Bed) {
    let root = bed.variable("CLAWBERTH_ACME_ROOT");
    let words = ["curl", "-fsS", "--cacert", root, "https://carol.claw.test/"];
    let page = String::from_utf8(bed.seen_from("world", &words).stdout).unwrap();
    assert!(page.contains("control-ui-build-id=\"2026.9.5-release-"), "{page}");
    let link = bed.ok(&["open", "carol"]);
    assert!(link.starts_with("https://carol.claw.test/#bootstrapToken="), "{link}");
    let expected = bed.address("carol", "ipv4");
    assert_eq!(resolved(bed, "ahostsv4"), expected);
    assert_eq!(resolved(bed, "ahostsv6"), bed.address("carol", "ipv6"));
}

/// Where there is a name, browsers are told to come over HTTPS only, and the audit's line is for that alone.
fn browsers_come_over_https(bed: &Bed) {
    let before = broken(bed);
    assert!(!before.contains("hsts"), "{before:?}");
    let file = "/etc/caddy/Caddyfile";
    bed.on("carol", &format!("sed -i.kept '/Strict-Transport-Security/d' {file}; systemctl restart caddy"));
    let without = broken(bed);
    bed.on("carol", &format!("mv {file}.kept {file}; systemctl restart caddy"));
    let more: Vec<&String> = without.difference(&before).collect();
    assert_eq!(more, ["hsts"]);
    assert_eq!(broken(bed), before);
}

/// The promises to the only instance that do not hold.
fn broken(bed: &Bed) -> BTreeSet<String> {
    let output = bed.run(&["audit", "carol", "--json"]);
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    let findings = answer["instances"][0]["promises"].as_array().unwrap().iter();
    let broken = findings.filter(|finding| finding["verdict"] != "ok");
    broken.map(|finding| finding["promise"].as_str().unwrap().to_owned()).collect()
}

fn resolved(bed: &Bed, database: &str) -> String {
    let output = bed.seen_from("world", &["getent", database, "carol.claw.test"]);
    let text = String::from_utf8(output.stdout).unwrap();
    text.split_whitespace().next().unwrap_or_default().to_owned()
}

/// The serial number of carol's certificate, as a stranger is shown it.
fn serial(bed: &Bed) -> String {
    let look = "openssl s_client -connect carol.claw.test:443 -servername carol.claw.test </dev/null 2>/dev/null | \
                openssl x509 -noout -serial";
    let output = bed.seen_from("world", &["sh", "-c", look]);
    let text = String::from_utf8(output.stdout).unwrap();
    text.trim().strip_prefix("serial=").unwrap_or_else(|| panic!("{text}")).to_lowercase()
}

/// What the ACME server says of a certificate, where only its operator may ask.
fn status(bed: &Bed, serial: &str) -> String {
    let directory = bed.variable("CLAWBERTH_ACME_DIRECTORY");
    let management = directory.replace(":14000/dir", ":15000");
    let url = format!("{management}/cert-status-by-serial/{serial}");
    let output = Command::new("curl").args(["-sSk", &url]).output().unwrap();
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    answer["Status"].as_str().unwrap().to_owned()
}

fn destroyed_in_spite_of_a_crash(bed: &Bed) {
    let destroy = ["destroy", "--all", "--yes"];
    let serial = serial(bed);
    assert_eq!(status(bed, &serial), "Valid");
    for at in DESTROY {
        killed_at(bed, &destroy, at);
    }
    bed.ok(&destroy);
    assert_eq!(status(bed, &serial), "Revoked");
    assert_eq!(resolved(bed, "ahostsv4"), "", "the name is still there");
    for kind in ["server", "firewall", "ssh-key", "primary-ip"] {
        assert_eq!(bed.hcloud(&[kind, "list", "-o", "noheader"]).trim(), "", "{kind} is left");
    }
    assert_eq!(bed.ok(&["list", "--json"]).trim(), "[]");
}
