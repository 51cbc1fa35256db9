//! What a server is after `deploy`, seen from inside.

use super::bed::Bed;

/// Every promise about the inside of a server, one by one.
pub(super) fn is_as_promised(bed: &Bed, name: &str) {
    let says = |script: &str| bed.on(name, script).trim().to_owned();
    let holds = |what: &str, script: &str, expected: &str| {
        assert_eq!(says(script), expected, "{name}: {what}");
    };
    let config = "/var/lib/openclaw/.openclaw/openclaw.json";
    holds("only the gateway's user reads its config", &format!("stat -c '%a %U' {config}"), "600 openclaw");
    holds("only the gateway's user enters its home", "stat -c '%a %U' /var/lib/openclaw", "700 openclaw");
    holds("the token is its user's alone", "stat -c '%a %U' /var/lib/openclaw/secrets.json", "600 openclaw");
    let as_gateway = "setpriv --reuid=openclaw --regid=openclaw --clear-groups";
    let as_nobody = "setpriv --reuid=nobody --regid=nogroup --clear-groups";
    holds("the gateway's user reads it", &format!("{as_gateway} test -r {config} && echo yes"), "yes");
    holds("others do not", &format!("{as_nobody} cat {config} >/dev/null 2>&1 || echo no"), "no");
    holds("nothing failed", "systemctl --failed --no-legend --plain", "");
    // user data that does not keep to its schema is among what it got over
    holds(
        "cloud-init was content",
        "python3 -c 'import json; stages = json.load(open(\"/var/lib/cloud/data/status.json\"))[\"v1\"].values(); \
         print([one[key] for one in stages if isinstance(one, dict) for key in (\"errors\", \"recoverable_errors\") if one[key]])'",
        "[]",
    );
    // older ones accept unknown top-level keys
    holds(
        "the schema is read by a cloud-init that is strict",
        "dpkg --compare-versions \"$(dpkg-query -W -f '${Version}' cloud-init)\" ge 25.1 && echo strict",
        "strict",
    );
    holds(
        "the gateway listens on loopback only",
        "ss -Hltn 'sport = :18789' | awk '{print $4}' | sort | tr '\\n' ' '",
        "127.0.0.1:18789 [::1]:18789",
    );
    holds(
        "the metadata are closed to the gateway's user",
        &format!(
            "{as_gateway} curl -s -m 3 http://169.254.169.254/hetzner/v1/metadata >/dev/null || echo closed"
        ),
        "closed",
    );
    holds(
        "and open to root, so that the test above means something",
        "curl -fs -m 3 http://169.254.169.254/hetzner/v1/metadata | grep -c '^instance-id'",
        "1",
    );
    holds("passwords do not log in", "sshd -T | grep -c '^passwordauthentication no'", "1");
    holds(
        "root has keys only",
        "sshd -T | grep -cE '^permitrootlogin (without-password|prohibit-password)'",
        "1",
    );
    holds("security updates come by themselves", "systemctl is-enabled unattended-upgrades", "enabled");
    holds(
        "swap is there for the next boot of a real machine",
        "grep -c '^/swapfile none swap' /etc/fstab",
        "1",
    );
    holds("swap has 2 GB", "stat -c %s /swapfile", "2147483648");
    let score =
        says("systemd-analyze security openclaw.service --no-pager | tail -1 | grep -oE '[0-9]+\\.[0-9]+'");
    assert!(score.parse::<f64>().unwrap() <= 1.5, "{name}: the unit's exposure is {score}");
    let caddy = says("caddy version");
    assert!(version(caddy.trim_start_matches('v')) >= (2, 11), "{name}: Caddy is {caddy}");
    for (path, expected) in [
        ("gateway.auth.mode", "token"),
        ("session.dmScope", "per-channel-peer"),
        ("gateway.terminal.enabled", "false"),
        ("discovery.mdns.mode", "off"),
        ("telemetry.enabled", "false"),
        ("update.auto.enabled", "false"),
        ("update.checkOnStart", "false"),
        ("gateway.bind", "loopback"),
    ] {
        let script = format!("/opt/node/current/bin/node -p 'require(\"{config}\").{path}'");
        holds(path, &script, expected);
    }
    let origin = format!("https://{}", bed.address(name, "ipv4"));
    let read =
        format!("/opt/node/current/bin/node -p 'require(\"{config}\").gateway.controlUi.allowedOrigins[0]'");
    if bed.json(&["show", name]).get("domain").unwrap().is_null() {
        holds("only its own origin is allowed", &read, &origin);
    }
}

fn version(text: &str) -> (u32, u32) {
    let mut parts = text.split(['.', ' ', '-']).map(|part| part.parse().unwrap_or(0));
    (parts.next().unwrap(), parts.next().unwrap())
}
