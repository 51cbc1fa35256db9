//! `clawberth reconcile`: each kind of drift that the cloud can have, provoked behind the program's back.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::environment::{Environment, LOOK, SOON};
use super::front::Trick;

/// Alice on server 101, who serves as far as the state knows.
fn with_alice() -> Environment {
    let environment = Environment::with_cloud();
    environment.create_alice();
    environment.serve();
    environment
}

/// A server in the cloud with these labels; its id.
fn server(environment: &Environment, name: &str, labels: &Value) -> u64 {
    let body = json!({ "name": name, "server_type": "cx23", "image": "debian-13", "location": "fsn1", "labels": labels });
    environment.ask("POST", "/servers", Some(&body))["server"]["id"].as_u64().unwrap()
}

fn labels(instance: &str) -> Value {
    json!({ "managed-by": "clawberth", "fleet": "bekf44vz", "instance": instance })
}

/// Waits until the cloud has alice's server as the test wants it, and has nothing to do with it any more.
#[track_caller]
fn until(environment: &Environment, holds: impl Fn(&Value) -> bool) {
    let until = Instant::now() + SOON;
    while !environment.ask("GET", "/servers", None)["servers"].as_array().unwrap().iter().all(&holds) {
        assert!(Instant::now() < until, "the server is not as it should be in time");
        std::thread::sleep(LOOK);
    }
}

fn is_on(server: &Value) -> bool {
    server["status"] == "running" && server["locked"] == false
}

/// The rows of the table that are not about alice's host, which nobody can reach here.
#[track_caller]
fn drift(environment: &Environment) -> Vec<String> {
    let outcome = environment.run(&["reconcile"]);
    let rows = outcome.stdout.lines().filter(|row| !row.contains("unreachable"));
    let rows =
        rows.map(|row| row.split("  ").filter(|cell| !cell.is_empty()).map(str::trim).collect::<Vec<_>>());
    let rows: Vec<String> = rows.map(|cells| cells.join(" | ")).collect();
    assert_eq!(rows.first().map(String::as_str), Some("SUBJECT | DRIFT | FOUND | MONTHLY | REPAIR"));
    rows.into_iter().skip(1).collect()
}

#[test]
fn without_a_state_there_is_nothing_to_compare() {
    let environment = Environment::with_cloud();
    let note = "no drift: there is no state; a lost one is written anew by --import\n";
    environment.changes_nothing(&["reconcile"], 0, note);
    environment.changes_nothing(&["reconcile", "--apply"], 0, note);
}

#[test]
fn what_belongs_to_nobody_is_shown_with_its_price_and_deleted() {
    let environment = with_alice();
    server(&environment, "cb-bekf44vz-bob", &labels("bob"));
    server(&environment, "stray", &json!({ "managed-by": "clawberth", "fleet": "bekf44vz" }));
    server(&environment, "foreign", &json!({ "managed-by": "clawberth", "fleet": "another" }));
    let table = "\
SUBJECT  DRIFT          FOUND                     MONTHLY   REPAIR
fleet    orphan server  server 103 (cx23, fsn1)   5.99 EUR  delete it
alice    unreachable    no SSH at 224.18.64.2:22  -         \
                 none: come from an admin network; `clawberth ssh alice` tries it
bob      orphan server  server 102 (cx23, fsn1)   5.99 EUR  delete it
";
    let files = environment.files();
    environment.run(&["reconcile"]).expect(
        1,
        table,
        "nothing was done; `clawberth reconcile --apply` repairs it\n",
    );
    assert!(environment.files() == files, "a dry run changed files");
    let found: Value = serde_json::from_str(&environment.run(&["reconcile", "--json"]).stdout).unwrap();
    assert_eq!(
        found["drift"][0],
        json!({
            "subject": "fleet", "drift": "orphan server", "found": "server 103 (cx23, fsn1)", "month": "5.99",
            "repair": "delete it", "only_reported": false,
        })
    );
    assert_eq!((&found["currency"], &found["left_alone"]), (&json!("EUR"), &json!([])));
    let plan = "\
plan:
  fleet  delete what belongs to no instance: server 103
  bob    delete server 102 with its addresses
  fleet  see that nothing is left
";
    environment.run(&["reconcile", "--apply"]).expect(
        2,
        table,
        &format!(
            "{plan}error: this would delete 2 servers, and nobody can be asked
hint: say --yes, or leave --apply out to see the drift only
"
        ),
    );
    environment.run(&["reconcile", "--apply", "--yes"]).expect(
        1,
        table,
        &format!(
            "{plan}fleet  stray servers deleted
bob    server deleted
bob    removed
fleet  nothing of it is left at Hetzner
1 of it stays: see REPAIR
"
        ),
    );
    assert_eq!(environment.servers(), [101, 104]);
    assert_eq!(drift(&environment), Vec::<String>::new());
}

/// Whatever the number of instances: a list of each kind, a page for 50 servers, and what is in the fleet once by its id.
#[test]
fn a_look_asks_for_lists_and_not_for_servers() {
    let environment = with_alice();
    let before = environment.cloud().asked();
    assert_eq!(drift(&environment), Vec::<String>::new());
    let mut asked = environment.cloud().asked().split_off(before.len());
    asked.sort();
    assert_eq!(
        asked,
        [
            "GET /firewalls",
            "GET /firewalls/2001",
            "GET /images",
            "GET /primary_ips",
            "GET /servers",
            "GET /ssh_keys",
            "GET /ssh_keys/3001"
        ]
    );
}

/// Each drift of the cloud: how it comes about, what is shown, and that it is gone after one `--apply`.
#[track_caller]
fn mended(provoke: impl FnOnce(&Environment), rows: &[&str]) -> Environment {
    let environment = with_alice();
    provoke(&environment);
    assert_eq!(drift(&environment), rows);
    let outcome = environment.run(&["reconcile", "--apply", "--yes"]);
    assert!(outcome.stderr.ends_with("1 of it stays: see REPAIR\n"), "{}", outcome.stderr);
    assert_eq!(drift(&environment), Vec::<String>::new(), "{}", outcome.stderr);
    environment
}

#[test]
fn a_second_server_of_an_instance() {
    let environment = mended(
        |environment| {
            server(environment, "copy", &labels("alice"));
        },
        &["alice | second server | server 102 (cx23, fsn1) | 5.99 EUR | delete it"],
    );
    assert_eq!(environment.servers(), [101]);
}

#[test]
fn labels_that_somebody_changed() {
    let environment = mended(
        |environment| {
            let labels = json!({ "labels": { "fleet": "bekf44vz", "team": "red" } });
            environment.ask("PUT", "/servers/101", Some(&labels));
        },
        &["alice | wrong labels | server 101: host-key, instance, managed-by, openclaw | - | set them"],
    );
    let server = &environment.ask("GET", "/servers/101", None)["server"];
    assert_eq!(server["labels"]["team"], json!("red"));
    assert_eq!(server["labels"]["host-key"].as_str().unwrap().len(), 52);
}

#[test]
fn a_firewall_that_was_taken_off_and_deleted() {
    let environment = mended(
        |environment| {
            let places = json!({ "remove_from": [{ "type": "server", "server": { "id": 101 } }] });
            environment.ask("POST", "/firewalls/2001/actions/remove_from_resources", Some(&places));
            environment.ask("DELETE", "/firewalls/2001", None);
        },
        &[
            "fleet | missing firewall | none | - | create it",
            "alice | no firewall applied | server 101 is open | - | apply the firewall",
        ],
    );
    let server = &environment.ask("GET", "/servers/101", None)["server"];
    assert_eq!(server["public_net"]["firewalls"][0]["id"], json!(2002));
}

#[test]
fn rules_that_somebody_changed() {
    mended(
        |environment| {
            let all = ["0.0.0.0/0", "::/0"];
            let rule =
                |port| json!({ "direction": "in", "protocol": "tcp", "port": port, "source_ips": all });
            let admins = json!({ "direction": "in", "protocol": "tcp", "port": "22", "source_ips": ["203.0.113.7/32"] });
            let rules = json!({ "rules": [rule("443"), rule("80"), admins] });
            environment.ask("POST", "/firewalls/2001/actions/set_rules", Some(&rules));
        },
        &["fleet | changed firewall | firewall 2001 has other rules | - | set them"],
    );
}

#[test]
fn another_firewall_with_the_label() {
    let environment = mended(
        |environment| {
            let labels = json!({ "managed-by": "clawberth", "fleet": "bekf44vz" });
            let places = json!([{ "type": "server", "server": { "id": 101 } }]);
            let firewall = json!({ "name": "copy", "labels": labels, "rules": [], "apply_to": places });
            environment.ask("POST", "/firewalls", Some(&firewall));
        },
        &["fleet | second firewall | firewall 2002 | - | delete it"],
    );
    assert_eq!(environment.deletes(), ["DELETE /firewalls/2002 204"]);
}

#[test]
fn keys_that_were_deleted_or_added() {
    let other = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";
    mended(
        |environment| {
            environment.ask("DELETE", "/ssh_keys/3001", None);
            let labels = json!({ "managed-by": "clawberth", "fleet": "bekf44vz" });
            let key = json!({ "name": "cb-bekf44vz", "public_key": other, "labels": labels });
            environment.ask("POST", "/ssh_keys", Some(&key));
        },
        &[
            "fleet | orphan SSH key | key 3002 | - | delete it",
            "fleet | missing SSH key | none | - | make it known",
        ],
    );
}

#[test]
fn names_that_belong_to_nobody() {
    let mut environment = with_alice();
    environment.set("CLAWBERTH_DOMAIN", "example.org");
    environment.make_zone();
    for (name, labels) in [("bob", labels("bob")), ("www", json!({}))] {
        let set =
            json!({ "name": name, "type": "A", "records": [{ "value": "192.0.2.1" }], "labels": labels });
        environment.ask("POST", "/zones/example.org/rrsets", Some(&set));
    }
    assert_eq!(drift(&environment), ["fleet | orphan DNS name | bob.example.org | - | delete it"]);
    environment.run(&["reconcile", "--apply"]);
    assert_eq!(drift(&environment), Vec::<String>::new());
    assert_eq!(environment.deletes(), ["DELETE /zones/example.org/rrsets/bob/A 201"]);
}

#[test]
fn a_name_that_points_elsewhere_is_pointed_back_and_a_foreign_one_is_left_alone() {
    let environment = with_alice();
    environment.make_zone();
    environment.record(|alice| alice.spec.domain = Some("example.org".into()));
    let rows = drift(&environment);
    assert_eq!(
        rows,
        [
            "alice | wrong labels | server 101: domain | - | set them",
            "alice | wrong DNS name | in example.org | - | point it at the server"
        ]
    );
    environment.run(&["reconcile", "--apply"]);
    assert_eq!(drift(&environment), Vec::<String>::new());
    environment.ask("DELETE", "/zones/example.org/rrsets/alice/A", None);
    let set = json!({ "name": "alice", "type": "A", "records": [{ "value": "192.0.2.1" }] });
    environment.ask("POST", "/zones/example.org/rrsets", Some(&set));
    assert_eq!(
        drift(&environment),
        [
            "alice | cannot be made | alice.example.org is taken | - | none: remove the record alice.example.org, or choose \
          another name"
        ]
    );
    environment.run(&["destroy", "alice", "--yes", "-q"]).expect(0, "alice destroyed\n", "");
    let left = environment.ask("GET", "/zones/example.org/rrsets/alice/A", None);
    assert_eq!(left["rrset"]["records"][0]["value"], json!("192.0.2.1"), "it is somebody else's");
}

#[test]
fn addresses_and_snapshots_that_belong_to_nobody() {
    let environment = mended(
        |environment| {
            until(environment, is_on);
            let labels = json!({ "managed-by": "clawberth", "fleet": "bekf44vz" });
            let address = json!({ "name": "a", "type": "ipv4", "location": "fsn1", "labels": labels });
            environment.ask("POST", "/primary_ips", Some(&address));
            let image = json!({ "type": "snapshot", "description": "old", "labels": labels });
            environment.ask("POST", "/servers/101/actions/create_image", Some(&image));
            until(environment, is_on);
        },
        &[
            "fleet | orphan address | address 4003 (224.18.64.4) | 0.50 EUR | delete it",
            "fleet | orphan snapshot | snapshot 400000001 (old) | 0.02 EUR | delete it",
        ],
    );
    assert_eq!(environment.deletes(), ["DELETE /primary_ips/4003 204", "DELETE /images/400000001 204"]);
}

#[test]
fn a_removal_that_was_killed_is_brought_to_its_end() {
    let environment = Environment::with_cloud();
    environment.create_alice();
    let destroy = environment.start(&["destroy", "alice", "--yes"]);
    environment.cloud().until_asked("DELETE /servers/101");
    destroy.kill();
    environment.run(&["reconcile"]).expect(
        1,
        "SUBJECT  DRIFT         FOUND       MONTHLY  REPAIR
alice    half removed  destroying  -        remove it
",
        "nothing was done; `clawberth reconcile --apply` repairs it\n",
    );
    let outcome = environment.run(&["reconcile", "--apply", "--yes"]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    environment.nothing_is_left();
    environment.changes_nothing(&["reconcile"], 0, "no drift\n");
}

#[test]
fn a_create_that_was_killed_is_brought_to_its_end() {
    let environment = Environment::with_cloud();
    environment.cloud().play("POST /servers", Trick::Delay(Duration::from_secs(5)));
    let deploy = environment.start(&["deploy", "alice", "--yes"]);
    environment.cloud().until_asked("POST /servers");
    deploy.kill();
    assert_eq!(drift(&environment), ["alice | half-way | planned, with server 101 | - | finish it"]);
    let mut apply = environment.start(&["reconcile", "--apply"]);
    apply.until_says("alice  server taken over");
    apply.kill();
    assert_eq!(environment.servers(), [101]);
    assert_eq!(drift(&environment), ["alice | half-way | created | - | finish it"]);
}

#[test]
fn a_server_that_vanished_is_made_anew() {
    let environment = with_alice();
    until(&environment, is_on);
    // somebody kept its address
    environment.ask("PUT", "/primary_ips/4001", Some(&json!({ "auto_delete": false })));
    environment.ask("DELETE", "/servers/101", None);
    until(&environment, |_| false);
    assert_eq!(
        drift(&environment),
        [
            "fleet | orphan address | address 4001 (224.18.64.2) | 0.50 EUR | delete it",
            "alice | missing server | server 101 is gone | 5.99 EUR | create it anew"
        ]
    );
    let mut apply = environment.start(&["reconcile", "--apply", "--yes"]);
    apply.until_says("alice  server created");
    apply.kill();
    assert_eq!(environment.servers(), [102]);
}

#[test]
fn a_server_that_is_off_is_switched_on() {
    let environment = with_alice();
    until(&environment, is_on);
    environment.ask("POST", "/servers/101/actions/poweroff", Some(&json!({})));
    until(&environment, |server| server["status"] == "off" && server["locked"] == false);
    assert_eq!(drift(&environment), ["alice | server off | server 101 is off | - | switch it on"]);
    let mut apply = environment.start(&["reconcile", "--apply"]);
    apply.until_says("alice  server switched on");
    apply.kill();
}

#[test]
fn from_its_second_day_on_a_server_is_protected_unless_the_file_says_otherwise() {
    let mut environment = with_alice();
    until(&environment, is_on);
    environment.set("CLAWBERTH_NOW", "2026-11-23T12:00:00Z");
    assert_eq!(drift(&environment), Vec::<String>::new(), "a day, and not more");
    environment.set("CLAWBERTH_NOW", "2026-11-23T12:00:01Z");
    let found = ["alice | not protected | server 101 may be deleted | - | protect it"];
    assert_eq!(drift(&environment), found);
    environment.write("here/clawberth.toml", "deletion_protection = false\n");
    assert_eq!(drift(&environment), Vec::<String>::new());
    environment.write("here/clawberth.toml", "");
    let outcome = environment.run(&["reconcile", "--apply", "--yes"]);
    assert!(outcome.stderr.contains("alice  protected from deletion\n"), "{}", outcome.stderr);
    let protected = json!({ "delete": true, "rebuild": true });
    until(&environment, |server| is_on(server) && server["protection"] == protected);
    assert_eq!(drift(&environment), Vec::<String>::new());
    // somebody takes it off
    let path = "/servers/101/actions/change_protection";
    environment.ask("POST", path, Some(&json!({ "delete": false, "rebuild": false })));
    assert_eq!(drift(&environment), found);
}

#[test]
fn an_orphan_that_somebody_has_protected_is_only_reported() {
    let environment = with_alice();
    let bob = server(&environment, "cb-bekf44vz-bob", &labels("bob"));
    until(&environment, is_on);
    let path = format!("/servers/{bob}/actions/change_protection");
    environment.ask("POST", &path, Some(&json!({ "delete": true, "rebuild": true })));
    let found = drift(&environment);
    assert!(
        found.len() == 1 && found[0].ends_with("take that off in the Console, if nobody needs it"),
        "{found:?}"
    );
    environment.run(&["reconcile", "--apply", "--yes"]);
    assert_eq!(environment.servers(), [101, bob]);
}
