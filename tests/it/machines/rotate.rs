//! A gateway's token is replaced on a real server: what came in with the old one is cut off and stays out, from inside and from
//! outside, wherever the replacement is cut off itself.

use std::process::Stdio;
use std::time::{Duration, Instant};

use clawberth::host::rotate;
use serde_json::Value;

use super::bed::Bed;
use super::named::killed_at;

const NAME: &str = "alice";
const ROTATE: [&str; 4] = ["rotate", NAME, "token", "--yes"];
/// After so long at the latest the old token is to be refused.
const SOON: Duration = Duration::from_secs(5);
/// Longest wait for what the server does by itself, in seconds.
const LONG: u32 = 120;

/// A client that says what the gateway answers to the token in a file, and, told to hold on, how that ends.
pub(super) const CLIENT: &str = r#"
import fs from "node:fs";
const [file, hold] = process.argv.slice(2);
const { token } = JSON.parse(fs.readFileSync(file)).gateway;
const socket = new WebSocket("ws://127.0.0.1:18789/");
socket.onclose = ({ code }) => { console.log(`closed with ${code}`); process.exit(); };
socket.onmessage = ({ data }) => {
	const frame = JSON.parse(data);
	if (frame.event === "connect.challenge") {
		const client = { id: "gateway-client", version: "1", platform: "linux", mode: "backend" };
		const params = { minProtocol: 3, maxProtocol: 4, client, role: "operator", scopes: [], caps: [], auth: { token } };
		socket.send(JSON.stringify({ type: "req", id: "c", method: "connect", params }));
	} else if (frame.id === "c") {
		console.log(frame.ok ? frame.payload.type : frame.error.details.code);
		if (!hold) process.exit();
	}
};"#;

#[test]
#[ignore = "five minutes: `make test-policy`"]
fn a_replaced_token_opens_nothing_any_more() {
    let Some(bed) = Bed::up() else { return };
    bed.ok(&["deploy", NAME, "--yes"]);
    prepare(&bed);
    the_old_one_is_dead_and_the_new_one_works(&bed);
    an_update_on_trial_is_in_the_way(&bed);
    again_where_the_controller_was_killed(&bed);
    again_where_the_server_was_cut_off(&bed);
    no_token_was_seen(&bed);
    bed.ok(&["destroy", NAME, "--yes"]);
}

/// A client, somebody who looks at all processes, and a state as an update keeps it.
fn prepare(bed: &Bed) {
    bed.on(NAME, &format!("cat >/root/enter.mjs <<'CLIENT'{CLIENT}\nCLIENT"));
    bed.on(
        NAME,
        "umask 077
        mkdir -p /var/lib/clawberth/saved/2026.9.5/state
        cp -p /var/lib/openclaw/secrets.json /var/lib/clawberth/saved/2026.9.5/state/
        : >/root/tokens
        systemd-run --quiet --unit=watch sh -c 'umask 077; while sleep 0.1; do ps axwwe; done >/root/ps'",
    );
}

/// What the gateway answers to the token in a file, asked on its server.
fn entered(bed: &Bed, file: &str) -> String {
    bed.on(NAME, &format!("/opt/node/current/bin/node /root/enter.mjs {file}")).trim().to_owned()
}

/// Puts the token of now aside.
fn put_aside(bed: &Bed) {
    bed.on(NAME, "cp -p /var/lib/openclaw/secrets.json /root/old.json");
    note(bed);
}

/// Notes the token of now among those that nobody is to see.
fn note(bed: &Bed) {
    let read = "/opt/node/current/bin/node -p 'require(\"/var/lib/openclaw/secrets.json\").gateway.token'";
    bed.on(NAME, &format!("{read} >>/root/tokens"));
}

/// Whoever has the old token is out, the new one is everywhere where the old one was, and nothing is left to do.
fn the_old_one_is_out(bed: &Bed) {
    let since = Instant::now();
    assert_eq!(entered(bed, "/root/old.json"), "AUTH_TOKEN_MISMATCH");
    assert!(since.elapsed() < SOON, "it took {:?} to ask", since.elapsed());
    assert_eq!(entered(bed, "/var/lib/openclaw/secrets.json"), "hello-ok");
    let files = bed.on(
        NAME,
        "cd /var/lib
        cmp openclaw/secrets.json clawberth/saved/2026.9.5/state/secrets.json
        stat -c '%a %U' openclaw/secrets.json clawberth/saved/2026.9.5/state/secrets.json
        ls clawberth/rotated.json openclaw/secrets.json.new 2>/dev/null || true",
    );
    assert_eq!(files, "600 openclaw\n600 openclaw\n");
}

fn the_old_one_is_dead_and_the_new_one_works(bed: &Bed) {
    put_aside(bed);
    let old = header(bed, "old");
    assert_eq!(answered(bed, &old), "200", "before");
    let held = "/root/held";
    bed.on(
        NAME,
        &format!(
            "systemd-run --quiet --unit=held --property=StandardOutput=file:{held} \
             /opt/node/current/bin/node /root/enter.mjs /root/old.json hold
             timeout {LONG} sh -c 'until grep -q hello-ok {held}; do sleep 0.1; done'"
        ),
    );
    let output = bed.run(&ROTATE);
    let story = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{story}");
    assert!(story.contains("the old one is refused (AUTH_TOKEN_MISMATCH)"), "{story}");
    eprintln!("{story}");
    the_old_one_is_out(bed);
    assert_eq!(bed.on(NAME, &format!("cat {held}")), "hello-ok\nclosed with 1012\n");
    assert_eq!(answered(bed, &old), "401", "from outside, with the old one");
    assert_eq!(answered(bed, &header(bed, "new")), "200", "from outside, with the new one");
    bed.ok(&["audit", NAME]);
}

/// A file with the header that shows the token of now.
fn header(bed: &Bed, name: &str) -> String {
    let token = "require(\"/var/lib/openclaw/secrets.json\").gateway.token";
    let read = format!("/opt/node/current/bin/node -p '\"Authorization: Bearer \" + {token}'");
    let path = bed.scratch(name);
    std::fs::write(&path, bed.on(NAME, &read)).unwrap();
    path.to_str().unwrap().to_owned()
}

/// What the world is answered with such a header.
fn answered(bed: &Bed, header: &str) -> String {
    let url = format!("https://{}/__openclaw/control-ui-config.json", bed.address(NAME, "ipv4"));
    let (root, header) = (bed.variable("CLAWBERTH_ACME_ROOT"), format!("@{header}"));
    let words =
        ["curl", "-sS", "--cacert", root, "-o", "/dev/null", "-w", "%{http_code}", "-H", &header, &url];
    String::from_utf8(bed.seen_from("world", &words).stdout).unwrap()
}

/// The state that it would go back to has another token.
fn an_update_on_trial_is_in_the_way(bed: &Bed) {
    put_aside(bed);
    let here = "/var/lib/clawberth/update";
    bed.on(NAME, &format!("mkdir {here}; echo 2026.9.5 2026.9.6 >{here}/trial"));
    let output = bed.run(&ROTATE);
    bed.on(NAME, &format!("rm -r {here}"));
    let story = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{story}");
    assert!(story.contains("its update from 2026.9.5 to 2026.9.6 is not confirmed"), "{story}");
    assert_eq!(entered(bed, "/root/old.json"), "hello-ok", "nothing was done");
}

/// Whether it was done or not, the next run ends it; and the server needs nobody for that.
fn again_where_the_controller_was_killed(bed: &Bed) {
    for at in ["rotate:after-intent", "rotate:after-act"] {
        put_aside(bed);
        killed_at(bed, &ROTATE, at);
        bed.ok(&ROTATE);
        the_old_one_is_out(bed);
    }
    put_aside(bed);
    let mut command = bed.command(&ROTATE);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    until(bed, "[ -e /var/lib/clawberth/rotated.json ]");
    child.kill().unwrap();
    child.wait().unwrap();
    until(bed, "[ ! -e /var/lib/clawberth/rotated.json ]");
    the_old_one_is_out(bed);
}

fn until(bed: &Bed, holds: &str) {
    bed.on(NAME, &format!("timeout {LONG} sh -c 'until {holds}; do sleep 0.1; done'"));
}

/// All that runs of it on the server ends at once, at some moment. The audit sees what is left, and the next run ends it.
fn again_where_the_server_was_cut_off(bed: &Bed) {
    let mut half_way = 0;
    for after in ["0.2", "0.5", "2", "8"] {
        put_aside(bed);
        // it kills its whole group, and so is killed itself
        bed.on(NAME, &format!("setsid --wait timeout --signal=KILL {after} {} || true", rotate::rotate()));
        let left = bed.on(NAME, "[ ! -e /var/lib/clawberth/rotated.json ] || echo half-way");
        eprintln!("cut off after {after} s: {left}");
        if left.is_empty() {
            continue;
        }
        half_way += 1;
        note(bed);
        until(bed, "curl -s http://127.0.0.1:18789/readyz | grep -q ready.:true");
        assert_eq!(broken(bed), ["rotation"]);
        bed.ok(&ROTATE);
        the_old_one_is_out(bed);
    }
    assert!(half_way > 1, "it was only cut off {half_way} times");
}

/// The promises that do not hold, by the audit.
fn broken(bed: &Bed) -> Vec<String> {
    let output = bed.run(&["audit", NAME, "--json"]);
    let audit: Value = serde_json::from_slice(&output.stdout).unwrap();
    let promises = audit.pointer("/instances/0/promises").unwrap().as_array().unwrap();
    let broken = promises.iter().filter(|finding| finding["verdict"] != "ok");
    broken.map(|finding| finding["promise"].as_str().unwrap().to_owned()).collect()
}

/// Neither the list of processes nor their environments nor the journal ever had one.
fn no_token_was_seen(bed: &Bed) {
    bed.on(NAME, "systemctl stop watch; [ -s /root/ps ] && [ \"$(sort -u /root/tokens | wc -l)\" -gt 5 ]");
    let found = bed.on(NAME, "{ cat /root/ps; journalctl --no-pager; } | grep -c -F -f /root/tokens || true");
    assert_eq!(found, "0\n");
}
