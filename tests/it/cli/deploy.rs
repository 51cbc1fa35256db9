//! `clawberth deploy`: its plan, its questions, and one POST for a server.

use serde_json::{Value, json};

use super::environment::Environment;
use super::{PLAN, STEPS};

#[test]
fn a_dry_run_answers_with_the_plan_and_changes_nothing() {
    let environment = Environment::with_cloud();
    let files = environment.files();
    environment.run(&["deploy", "alice", "--dry-run"]).expect(0, PLAN, "nothing was done (--dry-run)\n");
    environment.run(&["deploy", "alice", "--dry-run", "--quiet"]).expect(0, PLAN, "");
    let outcome = environment.run(&["deploy", "alice", "--dry-run", "--json"]);
    let answer: Value = serde_json::from_str(&outcome.stdout).unwrap();
    let steps: Vec<Value> =
        STEPS.iter().map(|(subject, step)| json!({ "subject": subject, "step": step })).collect();
    let cost = json!({ "month": "5.99", "currency": "EUR" });
    assert_eq!(answer, json!({ "steps": steps, "later": [], "cost": cost }));
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""));
    assert!(environment.files() == files);
    assert_eq!(environment.cloud().changed(), [""; 0]);
}

#[test]
fn several_at_once_cost_their_sum() {
    let environment = Environment::with_cloud();
    environment
        .run(&["deploy", "al", "bob", "--type", "cx33", "--location", "hel1", "--dry-run", "-q"])
        .expect(
            0,
            "plan:
  fleet  make the fleet's SSH key known
  fleet  create the firewall: 443/tcp from everywhere; 22/tcp from 203.0.113.7/32
  al     create a cx33 server in hel1
  al     wait for SSH with the pinned host key
  al     log in and see that it is that server
  al     let it make a host key of its own
  al     let it show that key and no other
  al     wait for the set-up: OpenClaw 2026.9.6 on Node 24.21.0
  al     wait until it serves, seen from outside
  bob    create a cx33 server in hel1
  bob    wait for SSH with the pinned host key
  bob    log in and see that it is that server
  bob    let it make a host key of its own
  bob    let it show that key and no other
  bob    wait for the set-up: OpenClaw 2026.9.6 on Node 24.21.0
  bob    wait until it serves, seen from outside
cost: 17.98 EUR a month for the new servers, without VAT
",
            "",
        );
}

#[test]
fn any_is_everywhere_and_the_configuration_may_name_places_outside_the_eu() {
    let mut environment = Environment::with_cloud();
    environment.unset("CLAWBERTH_ADMIN_NETWORKS");
    environment.write(
        "here/clawberth.toml",
        "admin_networks = \"any\"\nlocations = [\"ash\", \"fsn1\"]\nserver_type = \"cpx22\"\n",
    );
    let plan = environment.run(&["deploy", "alice", "--dry-run"]).stdout;
    assert!(
        plan.contains("create the firewall: 443/tcp from everywhere; 22/tcp from everywhere\n"),
        "{plan}"
    );
    assert!(plan.contains("create a cpx22 server in ash, else fsn1\n"), "{plan}");
}

#[test]
fn asks_before_it_costs_money() {
    let environment = Environment::with_cloud();
    let question = "create 1 server? [y/N] ";
    let (code, screen) = environment.at_terminal(&["deploy", "alice"], question, "n");
    assert_eq!((code, screen), (Some(1), format!("{PLAN}{question}n\nnothing was done\n")));
    assert!(!environment.state().exists());
    environment.changes_nothing(
        &["deploy", "alice"],
        2,
        &format!(
            "{PLAN}error: this would create servers, and nobody can be asked
hint: say --yes, or --dry-run to see the plan only
"
        ),
    );
}

#[test]
fn creates_a_server_with_one_post_and_goes_on_after_a_stop() {
    let environment = Environment::with_cloud();
    let mut deploy = environment.start(&["deploy", "alice", "--yes"]);
    deploy.until_says("server created");
    deploy.interrupt().expect(
        130,
        "",
        &format!(
            "{PLAN}fleet  SSH key made known
fleet  firewall created
alice  server created (fsn1, 224.18.64.2)
stopped; everything so far is written down
hint: run `clawberth deploy alice --yes` to go on
"
        ),
    );
    let created = ["POST /ssh_keys 201", "POST /firewalls 201", "POST /servers 201"];
    assert_eq!(environment.cloud().changed(), created);

    let again = environment.start(&["deploy", "alice"]);
    environment.until_begun("reach");
    again.interrupt().expect(
        130,
        "",
        "plan:
  alice  wait for SSH with the pinned host key
  alice  log in and see that it is that server
  alice  let it make a host key of its own
  alice  let it show that key and no other
  alice  wait for the set-up: OpenClaw 2026.9.6 on Node 24.21.0
  alice  wait until it serves, seen from outside
stopped; everything so far is written down
hint: run `clawberth deploy alice` to go on
",
    );
    assert_eq!(environment.cloud().changed(), created);
}

#[test]
fn a_stop_in_quiet_and_json_still_tells_how_to_go_on() {
    let environment = Environment::with_cloud();
    let deploy = environment.start(&["deploy", "alice", "--yes", "--quiet", "--json"]);
    environment.cloud().until_asked("POST /servers");
    environment.until_stage("created");
    let outcome = deploy.interrupt();
    assert_eq!(
        (outcome.code, outcome.stderr.as_str()),
        (
            Some(130),
            "stopped; everything so far is written down
hint: run `clawberth deploy alice --yes --quiet --json` to go on
"
        )
    );
    let answer: Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(answer["changed"], json!(true));
    assert_eq!(answer["instances"][0]["stage"], json!("created"));
    assert_eq!(answer["instances"][0]["server"]["ipv4"], json!("224.18.64.2"));
}

#[test]
fn what_is_sent_is_whole_and_has_no_secret_but_the_throw_away_host_key() {
    let environment = Environment::with_cloud();
    environment.create_alice();
    let changes = environment.cloud().changes();
    let [key, firewall, server] = changes.as_slice() else { panic!("{changes:?}") };
    let fleet = json!({ "managed-by": "clawberth", "fleet": "bekf44vz" });
    assert_eq!(key.body["name"], json!("cb-bekf44vz"));
    assert_eq!(key.body["labels"], fleet);
    assert_eq!(
        firewall.body,
        json!({
            "name": "cb-bekf44vz",
            "labels": fleet,
            "rules": [
                {
                    "direction": "in", "protocol": "tcp", "port": "22",
                    "source_ips": ["203.0.113.7/32"], "description": "admin networks",
                },
                {
                    "direction": "in", "protocol": "tcp", "port": "443",
                    "source_ips": ["0.0.0.0/0", "::/0"], "description": "gateway",
                },
            ],
        })
    );
    let mut body = server.body.clone();
    let user_data = body["user_data"].take();
    let op = body["labels"]["op"].take();
    assert_eq!(op.as_str().unwrap().len(), 8);
    let host_key = body["labels"]["host-key"].take();
    let host_key = clawberth::model::host_key::from_label(host_key.as_str().unwrap()).unwrap();
    assert!(
        user_data.as_str().unwrap().contains(&format!("ed25519_public: {host_key}")),
        "it is the injected one"
    );
    assert_eq!(
        body,
        json!({
            "name": "cb-bekf44vz-alice",
            "server_type": "cx23",
            "location": "fsn1",
            "image": body["image"],
            "ssh_keys": [3001],
            "firewalls": [{ "firewall": 2001 }],
            "user_data": null,
            "labels": {
                "managed-by": "clawberth", "fleet": "bekf44vz", "instance": "alice", "op": null, "host-key": null,
                "openclaw": "2026.9.6",
            },
            "public_net": { "enable_ipv4": true, "enable_ipv6": true },
        })
    );
    let user_data = user_data.as_str().unwrap();
    assert!(user_data.len() <= 32 * 1024, "{} bytes", user_data.len());
    assert_eq!(user_data.matches("BEGIN OPENSSH PRIVATE KEY").count(), 1);
    assert!(!user_data.contains(environment.token()));
    let key_file =
        std::fs::read_to_string(environment.path("home/.local/state/clawberth/state.sqlite.ssh_key"));
    let secret = key_file.unwrap().lines().nth(3).unwrap().to_owned();
    assert!(secret.len() > 20 && !user_data.contains(&secret));
    let state = std::fs::read(environment.state()).unwrap();
    assert!(!String::from_utf8_lossy(&state).contains("PRIVATE KEY"));
}

#[test]
fn what_is_there_is_not_changed_by_asking_for_something_else() {
    let environment = Environment::with_cloud();
    environment.create_alice();
    for (flag, is, wanted) in [
        ("--type", "cx23", "cx33"),
        ("--version", "2026.9.6", "2026.9.5"),
        ("--location", "fsn1", "hel1"),
        ("--domain", "none", "example.org"),
    ] {
        environment.changes_nothing(
            &["deploy", "alice", flag, wanted],
            2,
            &format!(
                "error: alice exists already, with {flag} {is}, not {wanted}
hint: leave {flag} out to keep it, or `clawberth destroy alice` and deploy it anew
"
            ),
        );
    }
    // what was the latest then
    let mut again = environment.start(&["deploy", "alice", "--version", "latest", "--location", "fsn1"]);
    again.until_says("seen from outside\n");
}

#[test]
fn other_admin_networks_widen_the_firewall_before_they_narrow_it() {
    let mut environment = Environment::with_cloud();
    environment.create_alice();
    environment.set("CLAWBERTH_ADMIN_NETWORKS", "203.0.113.8, 2001:db8::/32");
    let again = environment.start(&["deploy", "alice"]);
    environment.until_begun("reach");
    again.interrupt().expect(
        130,
        "",
        "plan:
  fleet  change the firewall: 443/tcp from everywhere; 22/tcp from 2001:db8::/32, 203.0.113.7/32, 203.0.113.8/32
  alice  wait for SSH with the pinned host key
  alice  log in and see that it is that server
  alice  let the admin networks through the host's own firewall
  alice  let it make a host key of its own
  alice  let it show that key and no other
  alice  wait for the set-up: OpenClaw 2026.9.6 on Node 24.21.0
  alice  wait until it serves, seen from outside
  fleet  change the firewall: 443/tcp from everywhere; 22/tcp from 2001:db8::/32, 203.0.113.8/32
fleet  firewall rules changed
stopped; everything so far is written down
hint: run `clawberth deploy alice` to go on
",
    );
    let changes = environment.cloud().changed();
    assert_eq!(changes.last().unwrap(), "POST /firewalls/2001/actions/set_rules 201");
}

#[test]
fn a_name_in_a_zone_points_at_the_server() {
    let environment = Environment::with_cloud();
    environment.make_zone();
    let mut deploy = environment.start(&["deploy", "alice", "--yes", "--domain", "Example.org."]);
    deploy.until_says("points at the server");
    let said = deploy.interrupt().stderr;
    assert!(said.contains("  alice  point its name in example.org at the server\n"), "{said}");
    assert!(said.contains("alice  alice.example.org points at the server\n"), "{said}");
    let sets = environment.ask("GET", "/zones/example.org/rrsets", None);
    let sets = sets["rrsets"].as_array().unwrap();
    let ours: Vec<_> = sets.iter().filter(|set| set["name"] == "alice").collect();
    assert_eq!(ours.len(), 2, "{sets:?}");
    assert_eq!(ours[0]["records"][0]["value"], json!("224.18.64.2"));

    environment.run(&["destroy", "alice", "--yes", "-q"]).expect(0, "alice destroyed\n", "");
    let left = environment.ask("GET", "/zones/example.org/rrsets", None);
    assert!(left["rrsets"].as_array().unwrap().iter().all(|set| set["name"] != "alice"));
}

/// What Let's Encrypt would refuse is not begun, and it is said when it can be.
#[test]
fn who_would_get_no_certificate_yet_waits_for_it() {
    let mut environment = Environment::with_cloud();
    environment.make_zone();
    // an hour ago, and alice five times
    let names = (0..48).map(|number| format!("n{number}"));
    environment.named(names.chain(["alice"; 5].map(str::to_owned)), "2026-11-22T11:00:00Z");
    let deploy = ["deploy", "bob", "carol", "--domain", "example.org", "--dry-run"];
    let plan = environment.run(&deploy);
    assert_eq!(plan.code, Some(0), "{}", plan.stderr);
    assert!(plan.stdout.contains("  bob    create a cx23 server"), "{}", plan.stdout);
    let waits = "  carol  not now: no certificate is to be had before 2026-11-22 14:22 UTC\ncost: 5.99 EUR";
    assert!(plan.stdout.contains(waits), "{}", plan.stdout);
    environment.changes_nothing(
        &["deploy", "alice", "--domain", "example.org"],
        2,
        "error: no certificate is to be had yet for alice
caused by: Let's Encrypt certifies 50 new names of a domain in a week, and each five times; there is one for it from 2026-11-23 20:37 UTC on
hint: run the same again then, or deploy without --domain
",
    );
    environment.set("CLAWBERTH_NOW", "2026-11-23T20:37:00Z");
    let later = environment.run(&["deploy", "alice", "bob", "carol", "--domain", "example.org", "--dry-run"]);
    assert!(!later.stdout.contains("not now"), "{}", later.stdout);
    let staging = "https://acme-staging-v02.api.letsencrypt.org/directory";
    environment.set("CLAWBERTH_NOW", "2026-11-22T12:00:00Z");
    environment.set("CLAWBERTH_ACME_DIRECTORY", staging);
    let unlimited =
        environment.run(&["deploy", "alice", "bob", "carol", "--domain", "example.org", "--dry-run"]);
    assert!(!unlimited.stdout.contains("not now"), "{}", unlimited.stdout);
}
