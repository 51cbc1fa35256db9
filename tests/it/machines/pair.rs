//! Two users get a server each, side by side, and both are removed again.

use std::fs;
use std::time::Duration;

use clawberth::model::audit::Promise;
use serde_json::Value;

use super::bed::Bed;
use super::{browser, inside, openssh, own_key, ports, stranger};

#[test]
fn two_users_from_nothing_to_serving_and_back() {
    let Some(mut bed) = Bed::up() else { return };
    deploy(&bed);
    nothing_to_do_twice(&bed);
    exactly_the_ports(&bed);
    one_address_cannot_take_all(&bed);
    for name in ["alice", "bob"] {
        inside::is_as_promised(&bed, name);
    }
    all_that_is_promised_holds(&bed);
    own_key::is_shown_at_every_boot(&bed, "alice");
    own_key::of_the_fleet_is_replaced(&bed, "alice");
    no_secret_anywhere(&bed);
    changed_admin_networks_reach_every_host(&bed);
    the_owner_gets_in(&bed);
    stranger::is_not_talked_to(&bed, "bob", "alice");
    openssh::gets_on_with_the_pinned_keys(&bed, "bob");
    openssh::has_nothing_against_our_sshd(&bed, "bob");
    serving_after_a_reboot(&mut bed);
    hetzners_own_client(&bed);
    destroy(&bed);
}

/// One command, two servers, one POST each; ready means ready, seen from the world.
fn deploy(bed: &Bed) {
    let output = bed.run(&["deploy", "alice", "bob", "--yes"]);
    let story = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{story}");
    let requests = bed.requests_since(0);
    let creates =
        requests.iter().filter(|(method, path)| method == "POST" && path.starts_with("/v1/servers"));
    assert_eq!(creates.count(), 2, "{requests:?}");
    let polls = requests.iter().filter(|(_, path)| path.contains("/actions"));
    assert_eq!(polls.count(), 0, "no action is polled while the host can be asked: {requests:?}");
    for name in ["alice", "bob"] {
        let url = format!("https://{}", bed.address(name, "ipv4"));
        assert!(story.contains(&format!("ready: {url}")), "{story}");
        let root = bed.variable("CLAWBERTH_ACME_ROOT");
        let ready = bed.seen_from("world", &["curl", "-fsS", "--cacert", root, &format!("{url}/readyz")]);
        let ready: Value = serde_json::from_slice(&ready.stdout).unwrap();
        assert_eq!(ready.get("ready"), Some(&Value::Bool(true)));
        let refused = ["/tools/invoke", "/v1/models"].map(|path| {
            let url = format!("{url}{path}");
            let words = ["curl", "-sS", "--cacert", root, "-o", "/dev/null", "-w", "%{http_code}", &url];
            String::from_utf8(bed.seen_from("world", &words).stdout).unwrap()
        });
        assert_eq!(refused, ["404", "404"], "tools and models are closed");
    }
}

/// By our own words: not even a warning, on a server that is as it was born.
fn all_that_is_promised_holds(bed: &Bed) {
    let output = bed.run(&["audit", "--fail-on", "warn"]);
    let (answer, story) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{answer}{story}");
    let all = 2 * Promise::ALL.len();
    assert!(
        story.contains(&format!("{all} promises of 2 instances: {all} hold, 0 warn, 0 do not hold")),
        "{story}"
    );
}

/// The second deploy looks, and changes nothing.
fn nothing_to_do_twice(bed: &Bed) {
    let before = bed.requests();
    let output = bed.run(&["deploy", "alice", "bob", "--yes"]);
    assert!(output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).starts_with("nothing to do\n"));
    let requests = bed.requests_since(before);
    assert!(!requests.is_empty() && requests.iter().all(|(method, _)| method == "GET"), "{requests:?}");
}

/// From the world 443, from the operator 22 and 443, on both families; another machine is the world.
fn exactly_the_ports(bed: &Bed) {
    for family in ["ipv4", "ipv6"] {
        let address = bed.address("alice", family);
        assert_eq!(ports::open(bed, "world", &address), [443], "world, {family}");
        assert_eq!(ports::open(bed, "admin", &address), [22, 443], "admin, {family}");
        let look =
            format!("timeout 5 bash -c ': </dev/tcp/{address}/22' 2>/dev/null && echo open || echo closed");
        assert_eq!(bed.on("bob", &look), "closed\n", "a neighbour is a stranger");
    }
}

/// Who opens 300 connections gets 256 of them, and meanwhile others are served.
fn one_address_cannot_take_all(bed: &Bed) {
    let address = bed.address("alice", "ipv4");
    // Caddy ends after 10 s what says nothing
    let open =
        format!("for i in $(seq 300); do exec {{fd}}<>/dev/tcp/{address}/443 && echo open; done 2>/dev/null");
    let opened = std::thread::scope(|scope| {
        let stranger = scope.spawn(|| bed.seen_from("world", &["timeout", "8", "bash", "-c", &open]));
        std::thread::sleep(Duration::from_secs(5));
        let (url, root) = (format!("https://{address}/readyz"), bed.variable("CLAWBERTH_ACME_ROOT"));
        let other = bed.seen_from("admin", &["curl", "-fsS", "-m", "2", "--cacert", root, &url]);
        assert!(other.status.success(), "{}", String::from_utf8_lossy(&other.stderr));
        String::from_utf8(stranger.join().unwrap().stdout).unwrap().lines().count()
    });
    assert!((200..=256).contains(&opened), "{opened} were let in");
}

/// Another admin network is let in by the cloud and by every host, also one that was not named, and goes again.
fn changed_admin_networks_reach_every_host(bed: &Bed) {
    let stranger = bed
        .variable("CLAWBERTH_ACME_DIRECTORY")
        .split(['/', ':'])
        .find(|part| part.starts_with("198."))
        .unwrap();
    let usual = bed.variable("CLAWBERTH_ADMIN_NETWORKS");
    let bob = bed.address("bob", "ipv4");
    let look = format!("timeout 5 bash -c ': </dev/tcp/{bob}/22' 2>/dev/null && echo open || echo closed");
    for (networks, expected) in [(format!("{usual},{stranger}"), "open\n"), (usual.to_owned(), "closed\n")] {
        let output =
            bed.command(&["deploy", "alice"]).env("CLAWBERTH_ADMIN_NETWORKS", &networks).output().unwrap();
        let story = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{story}");
        for line in [
            "alice  host's firewall changed",
            "bob    host's firewall changed",
            "fleet  firewall rules changed",
        ] {
            assert!(story.contains(line), "{line} is not in\n{story}");
        }
        let seen = bed.seen_from("world", &["bash", "-c", &look]);
        assert_eq!(String::from_utf8(seen.stdout).unwrap(), expected, "with {networks}");
    }
    assert_eq!(bed.ok(&["deploy", "alice", "bob"]).lines().count(), 2, "and then there is nothing to do");
}

/// The gateway's token and the owner's key are on the server and with the operator, and nowhere else.
fn no_secret_anywhere(bed: &Bed) {
    let read = "/opt/node/current/bin/node -p 'require(\"/var/lib/openclaw/secrets.json\").gateway.token'";
    let token = bed.on("alice", read);
    let token = token.trim();
    assert!(token.len() >= 32, "the token is too short to be one");
    let key = fs::read_to_string(bed.scratch("state.sqlite.ssh_key")).unwrap();
    let key = key.lines().nth(2).unwrap();
    for file in ["state.sqlite", "state.sqlite-wal", "lab/requests.jsonl", "lab/cloud.db", "lab/cloud.db-wal"]
    {
        let bytes = fs::read(bed.scratch(file)).unwrap_or_default();
        for secret in [token, key] {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "a secret is in {file}");
        }
    }
    let journal = format!("journalctl --no-pager | grep -c -- '{token}' || true");
    assert_eq!(bed.on("alice", &journal), "1\n".replace('1', "0"), "the token is in the journal");
    let listed = format!("ps axww | grep -v grep | grep -c -- '{token}' || true");
    assert_eq!(bed.on("alice", &listed), "0\n", "the token is in the process list");
}

/// The link signs a browser in as the owner, once.
fn the_owner_gets_in(bed: &Bed) {
    let link = bed.ok(&["open", "alice"]);
    let link = link.trim();
    let origin = format!("https://{}/#bootstrapToken=", bed.address("alice", "ipv4"));
    assert!(link.starts_with(&origin) && link.ends_with("&bootstrapProfile=owner"), "{link}");
    let profile = format!("https://{}/settings/profile", bed.address("alice", "ipv4"));
    browser::visit(bed, &[(link, "Gateway Connected"), (&profile, "Owner OpenClaw")]);
    browser::visit(bed, &[(link, "setup code invalid, expired, revoked, or already used")]);
}

/// The lab goes down and up: every server boots, and its gateway is back by itself.
fn serving_after_a_reboot(bed: &mut Bed) {
    bed.lab(&["down"], &[]);
    bed.lab(&["up", "--detach"], &[]);
    bed.read_env();
    let output = bed.run(&["deploy", "alice", "bob", "--yes"]);
    let story = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{story}");
    let checks = bed.json(&["show", "bob"]);
    for check in checks.get("checks").unwrap().as_array().unwrap() {
        assert_eq!(check.get("ok"), Some(&Value::Bool(true)), "{check}");
    }
}

/// The `hcloud` command lists, describes and deletes what we made; deploy then makes it anew.
fn hetzners_own_client(bed: &Bed) {
    let list = bed.hcloud(&["server", "list", "-o", "noheader", "-o", "columns=name,ipv4,status"]);
    let rows: Vec<&str> = list.lines().collect();
    assert_eq!(rows.len(), 2, "{list}");
    for name in ["alice", "bob"] {
        let row = rows.iter().find(|row| row.contains(&format!("-{name} "))).unwrap();
        assert!(row.contains(&bed.address(name, "ipv4")) && row.contains("running"), "{row}");
    }
    let server = rows.iter().find(|row| row.contains("-bob ")).unwrap().split_whitespace().next().unwrap();
    let described = bed.hcloud(&["server", "describe", server]);
    for part in ["cx23", "debian-13", "instance: bob", "managed-by: clawberth"] {
        assert!(described.contains(part), "{part} is not in:\n{described}");
    }
    bed.hcloud(&["server", "delete", server]);
    assert!(!bed.hcloud(&["server", "list"]).contains("-bob"));
    let plan = bed.ok(&["deploy", "bob", "--dry-run"]);
    assert!(plan.contains("create a cx23 server"), "{plan}");
}

/// Everything goes: in the cloud, on this computer, in the state.
fn destroy(bed: &Bed) {
    bed.ok(&["destroy", "--all", "--yes"]);
    for kind in ["server", "firewall", "ssh-key", "primary-ip"] {
        let left = bed.hcloud(&[kind, "list", "-o", "noheader"]);
        assert_eq!(left.trim(), "", "{kind} is left");
    }
    assert_eq!(bed.json(&["list"]), Value::Array(Vec::new()));
    let status: Value = serde_json::from_str(&bed.lab(&["status"], &["--json"])).unwrap();
    assert_eq!(status.get("machines"), Some(&Value::Array(Vec::new())));
    let output = bed.run(&["destroy", "--all", "--yes"]);
    assert!(output.status.success() && output.stdout.is_empty(), "the second destroy has nothing to do");
}
