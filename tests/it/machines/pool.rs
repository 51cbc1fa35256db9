//! A standby on a real server becomes somebody's in seconds, while its gateway runs: who came to it before is cut off and stays out,
//! wherever the claim is cut off itself.

use std::time::Instant;

use clawberth::host::renew;

use super::bed::Bed;
use super::named::killed_at;
use super::rotate::CLIENT;

/// The file of the token that holds.
const LIVE: &str = "/var/lib/openclaw/secrets.json";
const HELD: &str = "/root/held";

#[test]
#[ignore = "ten minutes: `make test-image`"]
fn a_standby_is_claimed_in_seconds_and_forgets_who_came_before() {
    let Some(bed) = Bed::up() else { return };
    bed.ok(&["pool", "fill", "--size", "2", "--yes"]);
    let standbys: Vec<String> = bed
        .json(&["pool", "status"])
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["name"].as_str().unwrap().to_owned())
        .collect();
    for standby in &standbys {
        come(&bed, standby);
    }

    let began = Instant::now();
    let deployed = bed.run(&["deploy", "alice", "--yes"]);
    let took = began.elapsed();
    let story = String::from_utf8_lossy(&deployed.stderr);
    assert!(deployed.status.success(), "{story}");
    eprintln!("{story}claimed, and seen to serve from outside, after {:.1} s", took.as_secs_f64());
    nobody_is_left(&bed, "alice", &standbys);
    bed.ok(&["audit", "alice"]);
    assert!(bed.ok(&["open", "alice"]).contains("/#bootstrapToken="));

    // killed where the standby is somebody's in the state, and nothing of it has changed on the server
    killed_at(&bed, &["deploy", "bob", "--yes"], "claim:after-outcome");
    bed.ok(&["deploy", "bob", "--yes"]);
    nobody_is_left(&bed, "bob", &standbys);
    for at in ["0.2", "0.6", "1"] {
        cut_off(&bed, "bob", at);
    }
    assert_eq!(bed.json(&["list"]).as_array().unwrap().len(), 2);
    bed.ok(&["reconcile"]);
    bed.ok(&["destroy", "--all", "--yes"]);
}

/// Somebody comes to a gateway with its token, and stays; and its process is noted.
fn come(bed: &Bed, name: &str) {
    bed.on(name, &format!("cat >/root/enter.mjs <<'CLIENT'{CLIENT}\nCLIENT"));
    bed.on(
        name,
        &format!(
            "umask 077
            cp -p {LIVE} /root/old.json
            systemctl show --property=InvocationID openclaw.service >/root/process
            systemd-run --quiet --unit=held --property=StandardOutput=file:{HELD} \
                /opt/node/current/bin/node /root/enter.mjs /root/old.json hold
            timeout 120 sh -c 'until grep -q hello-ok {HELD}; do sleep 0.1; done'"
        ),
    );
}

/// It is the same process, and nobody is in it who was; the host has its instance's name.
#[track_caller]
fn nobody_is_left(bed: &Bed, name: &str, standbys: &[String]) {
    let enter = |file: &str| bed.on(name, &format!("/opt/node/current/bin/node /root/enter.mjs {file}"));
    assert_eq!(enter("/root/old.json").trim(), "AUTH_TOKEN_MISMATCH");
    assert_eq!(enter(LIVE).trim(), "hello-ok");
    bed.on(name, &format!("timeout 30 sh -c 'until grep -q closed {HELD}; do sleep 0.1; done'"));
    let same = "systemctl show --property=InvocationID openclaw.service | cmp - /root/process && echo same";
    assert_eq!(bed.on(name, same).trim(), "same", "the gateway was restarted");
    let devices = bed.on(name, "openclaw devices list --json");
    let devices: serde_json::Value = serde_json::from_str(&devices).unwrap();
    assert_eq!(devices["paired"].as_array().unwrap().len(), 0, "{devices}");
    let host = bed.on(name, "hostname; cat /etc/hostname /etc/hosts");
    assert!(host.contains(&format!("-{name}\n")), "{host}");
    assert!(!standbys.iter().any(|standby| host.contains(standby)), "{host}");
    let left = bed.on(name, "ls /var/lib/clawberth/rotated.json 2>/dev/null || true");
    assert_eq!(left, "", "the renewal is not over");
}

/// All that runs of a renewal on the server ends at once, at some moment; the next one ends it.
fn cut_off(bed: &Bed, name: &str, after: &str) {
    bed.on(name, &format!("cp -p {LIVE} /root/old.json"));
    let host = bed.on(name, "hostname");
    let renew = renew::renew(host.trim());
    // it kills its whole group, and so is killed itself
    bed.on(name, &format!("setsid --wait timeout --signal=KILL {after} {renew} || true"));
    let left = bed.on(name, "[ ! -e /var/lib/clawberth/rotated.json ] || echo half-way");
    eprintln!("cut off after {after} s: {left}");
    bed.on(name, &renew.to_string());
    let enter = |file: &str| bed.on(name, &format!("/opt/node/current/bin/node /root/enter.mjs {file}"));
    assert_eq!(enter("/root/old.json").trim(), "AUTH_TOKEN_MISMATCH");
    assert_eq!(enter(LIVE).trim(), "hello-ok");
}
