//! Scripted hosts, met by OpenSSH, curl and the program itself. They need ports 22 and 443 of loopback addresses.

mod bed;
mod drift;
mod exec;
mod image;
mod keys;
mod next_key;
mod own_key;
mod pool;
mod stranger;
mod timing;
mod update;

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use bed::{Bed, answer, ended, read, until};
use serde_json::{Value, json};

/// What makes a server a host of clawberth's, as far as the default script looks.
const SET_UP: &str = "write_files:\n  - path: /setup\n    content: |\n      openclaw=2026.9.6\n";

/// A set-up as long as the test needs it.
const QUICK: &str = "boot = '100ms'\npackages = '0s'\ncertificate = '100ms'\nready = '100ms'\n\
                     [[part]]\nname = 'node'\ntakes = '100ms'\n[[part]]\nname = 'package'\ntakes = '100ms'\n";

#[test]
fn strangers_clients_meet_a_server() {
    let bed = Bed::new(QUICK);
    let server = bed.create("web", SET_UP);
    until("SSH", || bed.asked(&server, "true").0 == 0);
    assert_eq!(bed.asked(&server, "hostname"), (0, "web\n".to_owned(), String::new()));
    assert_eq!(bed.asked(&server, "false").0, 1);
    let id = server.id.to_string();
    assert_eq!(bed.asked(&server, "cat /var/lib/cloud/data/instance-id").1.trim(), id);
    let (status, _, stderr) = bed.asked(&server, "rm -rf /");
    assert_eq!((status, stderr.as_str()), (127, "no rule of this scripted host matches: rm -rf /\n"));
    until("HTTPS", || bed.curl(&server.address, "/readyz").0 == "200");
    assert_eq!(bed.curl(&server.address, "/readyz").1, r#"{"ready":true}"#);
    assert!(bed.curl(&server.address, "/").1.contains("build-id=\"2026.9.6-release-"));
    assert_eq!(bed.curl(&server.address, "/v1/models").0, "404");

    // somebody else's key is refused, and so is a host with another key than the pinned one
    let (status, _, error) = answer(bed.ssh_as("host-key", &server, "true"));
    assert!(status == 255 && error.contains("Permission denied (publickey)"), "{error}");
    let other = bed.create_with("plain", "#!/bin/sh\n");
    until("SSH of the plain server", || bed.asked(&other, "true").2.contains("Host key verification failed"));
    assert_eq!(bed.curl(&other.address, "/").0, "000", "a plain server has no gateway");

    let firewall = json!({
        "name": "closed", "apply_to": [{ "type": "server", "server": { "id": server.id } }],
        "rules": [{ "direction": "in", "protocol": "tcp", "port": "443", "source_ips": ["0.0.0.0/0"] }],
    });
    bed.post("/firewalls", &firewall);
    until("the firewall", || bed.asked(&server, "true").2.contains("Connection refused"));
    assert_eq!(bed.curl(&server.address, "/readyz").0, "200");
    let status: Value = serde_json::from_str(&bed.ok(&bed.lab(&["status", "--json"]))).unwrap();
    let machines: Vec<_> = status["machines"].as_array().unwrap().iter().map(|m| &m["running"]).collect();
    assert_eq!(machines, [&json!(true), &json!(true)]);
}

#[test]
fn a_script_can_describe_an_update() {
    let rule = "[[rule]]\nmatch = '^cat >/opt/openclaw/(\\S+)[.]tar$'\ninput = true\nset = { version = '$1' }\n\
                do = 'restart'\nstdout = \"{{version}} at {{host}}\\n\"\n";
    let bed = Bed::new(&format!("{QUICK}{rule}"));
    let server = bed.create("web", SET_UP);
    until("readiness", || bed.curl(&server.address, "/readyz").0 == "200");
    let mut upload = bed.ssh(&server, "cat >/opt/openclaw/2026.9.7.tar");
    let mut upload = upload.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = upload.stdin.take().unwrap();
    input.write_all(&vec![0; 5 << 20]).unwrap();
    assert!(upload.try_wait().unwrap().is_none(), "it waits for the end of its input");
    drop(input);
    let output = upload.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), format!("2026.9.7 at {}\n", server.address));
    until("the new page", || bed.curl(&server.address, "/").1.contains("build-id=\"2026.9.7-release-"));
}

#[test]
fn without_root_low_ports_must_be_free_for_all() {
    let up = |more: &str| {
        let dir = tempfile::tempdir().unwrap();
        let lab = dir.path().join("lab");
        let script = format!(
            "ip link set lo up && {more} exec setpriv --bounding-set=-all --inh-caps=-all \
             sh -c '\"$0\" lab up --machines scripted --detach --dir \"$1\" && \"$0\" lab down --dir \"$1\"' \"$@\""
        );
        let mut command = Command::new("unshare");
        command.args(["--net", "sh", "-c", &script, "sh", env!("CARGO_BIN_EXE_clawberth")]).arg(&lab);
        let (status, stdout, stderr) = answer(command);
        (
            status,
            format!("{stdout}{stderr}{}", std::fs::read_to_string(lab.join("lab.log")).unwrap_or_default()),
        )
    };
    let (status, said) = up("");
    assert!(status == 1 && said.contains("sysctl net.ipv4.ip_unprivileged_port_start=22"), "{said}");
    let (status, said) = up("sysctl -qw net.ipv4.ip_unprivileged_port_start=22 &&");
    assert!(status == 0 && said.contains("is down"), "{said}");
}

#[test]
fn the_program_deploys_opens_and_destroys() {
    let mut bed = Bed::new("");
    bed.ok(&["deploy", "alice", "bob", "--yes"]);
    for name in ["alice", "bob"] {
        assert!(bed.ok(&["open", name]).contains("/#bootstrapToken="), "{name}");
    }
    let list: Value = serde_json::from_str(&bed.ok(&["list", "--json"])).unwrap();
    assert_eq!((&list[0]["stage"], &list[1]["stage"]), (&json!("serving"), &json!("serving")));
    // the host's own firewall takes part in a change of the admin networks
    bed.set("CLAWBERTH_ADMIN_NETWORKS", "127.0.0.0/9");
    bed.ok(&["deploy", "alice", "bob", "--yes"]);
    bed.ok(&["destroy", "--all", "--yes"]);
    assert_eq!(std::fs::read_dir(bed.path("lab/machines")).unwrap().count(), 0);
}

/// With the limits of Let's Encrypt: who has room for a certificate is deployed, who has none waits, and both are told.
#[test]
fn the_program_orders_no_more_certificates_than_there_are() {
    let mut bed = Bed::new(QUICK);
    bed.set("CLAWBERTH_ACME_DIRECTORY", "https://acme-v02.api.letsencrypt.org/directory");
    bed.post("/zones", &json!({ "name": "example.org", "mode": "primary" }));
    for _ in 0..5 {
        bed.ok(&["deploy", "alice", "--domain", "example.org", "--yes"]);
        let gone = bed.run(&["destroy", "alice", "--yes"]);
        let story = String::from_utf8(gone.stderr).unwrap();
        assert!(gone.status.success() && story.contains("certificate revoked (0af3)"), "{story}");
    }
    let deployed = bed.run(&["deploy", "alice", "bob", "--domain", "example.org", "--yes", "--json"]);
    let story = String::from_utf8(deployed.stderr).unwrap();
    assert_eq!(deployed.status.code(), Some(1), "{story}");
    let told = "caused by: Let's Encrypt certifies 50 new names of a domain in a week, and each five times\n\
                hint: run `clawberth deploy alice bob --domain example.org --yes --json` again then\n";
    assert!(story.contains("error: alice has to wait until ") && story.ends_with(told), "{story}");
    let answer: Value = serde_json::from_slice(&deployed.stdout).unwrap();
    assert_eq!(
        (&answer["instances"][0]["name"], &answer["later"][0]["name"]),
        (&json!("bob"), &json!("alice"))
    );
    let list: Value = serde_json::from_str(&bed.ok(&["list", "--json"])).unwrap();
    assert_eq!(list.as_array().unwrap().len(), 1, "{list}");
}

#[test]
fn a_lab_that_is_killed_goes_on_where_it_was() {
    let mut bed = Bed::new("[[part]]\nname = 'package'\ntakes = '3s'\n");
    let mut deploy = bed.start(&["deploy", "alice", "--yes"], "story");
    // from here on it asks the API for nothing
    until("its own host key", || read(&bed.path("story")).contains("shows its own host key"));
    let state = |bed: &Bed| -> Value {
        serde_json::from_str(&read(&bed.path("lab/machines/101/host.json"))).unwrap()
    };
    let before = state(&bed);
    bed.kill();
    bed.up();
    assert!(ended(&mut deploy), "{}", read(&bed.path("story")));
    let after = state(&bed);
    for what in ["host_key", "on", "set_up"] {
        assert_eq!(before[what], after[what], "{what} changed");
    }
    assert_eq!(before["set_up"]["runs"].as_array().unwrap().len(), 1);

    // killed, taken down and up again, it is switched off and on
    bed.kill();
    bed.ok(&bed.lab(&["down"]));
    assert_eq!(state(&bed)["on"], Value::Null);
    bed.up();
    until("readiness after a boot", || {
        bed.curl(state(&bed)["address"].as_str().unwrap(), "/readyz").0 == "200"
    });
    assert!(bed.ok(&["open", "alice"]).contains("bootstrapToken"));
}

#[test]
fn connections_and_commands_fail_as_the_script_says() {
    let faults = "
[[fault]]
kind = 'ssh_refused'
hosts = 'w*b'
count = 1
[[fault]]
kind = 'wrong_host_key'
count = 1
[[fault]]
kind = 'ssh_reset'
match = '^hostname$'
count = 1
[[fault]]
kind = 'slow'
match = '^true$'
delay = '700ms'
[[fault]]
kind = 'exec_fails'
match = '^hostname -f$'
status = 7
stderr = \"no name\\n\"
[[fault]]
kind = 'hang'
match = '^false$'
";
    let bed = Bed::new(&format!("{QUICK}{faults}"));
    let server = bed.create("web", "");
    let refused = |error: &str| error.contains("Connection refused");
    let mut error = String::new();
    until("SSH", || {
        error = bed.asked(&server, "true").2;
        !refused(&error)
    });
    assert!(error.contains("reset by") || error.contains("closed by"), "{error}");
    let (status, _, error) = bed.asked(&server, "true");
    assert!(status == 255 && error.contains("REMOTE HOST IDENTIFICATION HAS CHANGED"), "{error}");
    let (status, stdout, _) = bed.asked(&server, "hostname");
    assert_eq!((status, stdout.as_str()), (255, "we"), "half of it");
    assert_eq!(bed.asked(&server, "hostname").0, 0);
    let begun = Instant::now();
    assert_eq!(bed.asked(&server, "true").0, 0);
    assert!(begun.elapsed() >= Duration::from_millis(700));
    assert_eq!(bed.asked(&server, "hostname -f"), (7, String::new(), "no name\n".to_owned()));

    let mut hanging = bed.ssh(&server, "false").stderr(Stdio::null()).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(500));
    assert!(hanging.try_wait().unwrap().is_none());
    bed.post(&format!("/servers/{}/actions/poweroff", server.id), &json!({}));
    assert!(!ended(&mut hanging), "a switched-off server has no connections");
    assert!(refused(&bed.asked(&server, "true").2));
}

#[test]
fn a_set_up_fails_and_a_gateway_is_late_as_the_script_says() {
    let faults = "
[[fault]]
kind = 'part_failed'
hosts = '*-alice'
part = 'package'
log = 'npm: no such host'
count = 1
[[fault]]
kind = 'unready'
delay = '1s'
";
    // long enough to be seen before it fails: a set-up that is found failed is begun again
    let bed = Bed::new(&format!("[[part]]\nname = 'package'\ntakes = '3s'\n{faults}"));
    let failed = bed.run(&["deploy", "alice", "--yes"]);
    let story = String::from_utf8(failed.stderr).unwrap();
    assert!(!failed.status.success() && story.contains("npm: no such host"), "{story}");
    bed.ok(&["deploy", "alice", "--yes"]);
    let state: Value = serde_json::from_str(&read(&bed.path("lab/machines/101/host.json"))).unwrap();
    let runs = state["set_up"]["runs"].as_array().unwrap();
    assert_eq!((runs.len(), &runs[0]["fails"]), (2, &json!("npm: no such host")));

    let server = bed.create("late", SET_UP);
    until("HTTPS", || bed.curl(&server.address, "/readyz").0 != "000");
    assert_eq!(bed.curl(&server.address, "/readyz"), ("503".to_owned(), r#"{"ready":false}"#.to_owned()));
    until("readiness", || bed.curl(&server.address, "/readyz").0 == "200");
}

#[test]
fn what_cannot_be_is_said() {
    let bed = Bed::new("");
    let error = |words: &[String]| {
        let output = bed.run(words);
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).unwrap()
    };
    let lab = |words: &[&str]| error(&bed.lab(words));
    assert!(lab(&["exec", "--from", "world", "--", "true"]).contains("scripted hosts have no viewpoints"));
    bed.ok(&bed.lab(&["down"]));
    assert!(lab(&["api"]).contains("holds a lab of another kind"));
    std::fs::write(bed.path("wrong.toml"), "[[fault]]\nkind = 'slow'\n").unwrap();
    let wrong = bed.path("wrong.toml").display().to_string();
    let said = lab(&["up", "--machines", "scripted", "--hosts", &wrong]);
    assert!(said.contains("wrong.toml is wrong") && said.contains("line 2, column 8"), "{said}");
    assert!(said.contains("slow needs a `delay`"), "{said}");
    assert!(lab(&["up", "--hosts", &wrong]).contains("add --machines scripted"));
}
