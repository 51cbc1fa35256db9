//! `clawberth destroy`

use std::time::Instant;

use serde_json::json;

use super::environment::{Environment, LOOK, SOON};
use super::front::Trick;

#[test]
fn nothing_there_is_nothing_to_do() {
    let environment = Environment::with_cloud();
    environment.changes_nothing(&["destroy", "--all"], 0, "nothing to destroy\n");
    environment.run(&["destroy", "--all", "--json", "-q"]).expect(0, "{\n  \"destroyed\": []\n}\n", "");
}

#[test]
fn says_what_to_destroy() {
    let environment = Environment::new();
    environment.changes_nothing(
        &["destroy"],
        2,
        "error: the following required arguments were not provided:
  <NAME|--all>

Usage: clawberth destroy <NAME|--all>

For more information, try '--help'.
",
    );
    environment.changes_nothing(
        &["destroy", "alice", "--all"],
        2,
        "error: the argument '[NAME]...' cannot be used with '--all'

Usage: clawberth destroy <NAME|--all>

For more information, try '--help'.
",
    );
}

pub(super) const PLAN: &str = "\
plan:
  alice  write down that it is removed
  alice  delete server 101 with its addresses
  fleet  delete the firewall
  fleet  delete the SSH key
  fleet  see that nothing is left
";

#[test]
fn asks_before_it_deletes() {
    let environment = Environment::with_cloud();
    environment.create_alice();
    environment.changes_nothing(
        &["destroy", "alice"],
        2,
        &format!(
            "{PLAN}error: this would destroy alice, and nobody can be asked
hint: say --yes
"
        ),
    );
    let question = "destroy alice, with everything on it, for good? [y/N] ";
    let (code, screen) = environment.at_terminal(&["destroy", "alice"], question, "");
    assert_eq!((code, screen), (Some(1), format!("{PLAN}{question}\nnothing was done\n")));
    let (code, screen) = environment.at_terminal(&["destroy", "alice", "-q"], question, "y");
    assert_eq!((code, screen), (Some(0), format!("{question}y\nalice destroyed\n")));
    environment.nothing_is_left();
}

#[test]
fn the_last_one_takes_everything_with_it_in_order() {
    let environment = Environment::with_cloud();
    environment.create_alice();
    // the firewall is free a moment after its last server
    let in_use = r#"{"error":{"code":"resource_in_use","message":"firewall is in use","details":null}}"#;
    environment.cloud().play("DELETE /firewalls", Trick::Answer(422, in_use.into()));
    environment.run(&["destroy", "alice", "--yes"]).expect(
        0,
        "alice destroyed\n",
        &format!(
            "{PLAN}alice  removal begun
alice  server deleted
alice  removed
fleet  firewall deleted
fleet  SSH key deleted
fleet  nothing of it is left at Hetzner
"
        ),
    );
    assert_eq!(
        environment.deletes(),
        [
            "DELETE /servers/101 200",
            "DELETE /firewalls/2001 422",
            "DELETE /firewalls/2001 204",
            "DELETE /ssh_keys/3001 204"
        ]
    );
    environment.nothing_is_left();
}

#[test]
fn all_takes_what_the_state_does_not_know() {
    let environment = Environment::with_cloud();
    environment.create_alice();
    for (name, labels) in [
        ("stray", json!({ "managed-by": "clawberth", "fleet": "bekf44vz" })),
        ("foreign", json!({ "managed-by": "clawberth", "fleet": "another" })),
    ] {
        let server = json!({ "name": name, "server_type": "cx23", "image": "debian-13", "labels": labels });
        environment.ask("POST", "/servers", Some(&server));
    }
    let outcome = environment.run(&["destroy", "--all", "--yes"]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(0), "alice destroyed\n"));
    assert!(outcome.stderr.contains("fleet  stray servers deleted\n"), "{}", outcome.stderr);
    let left = environment.ask("GET", "/servers", None);
    assert_eq!(left["servers"].as_array().unwrap().len(), 1);
    assert_eq!(left["servers"][0]["name"], json!("foreign"));
}

#[test]
fn what_is_protected_is_freed_first_and_the_plan_says_so() {
    let environment = Environment::with_cloud();
    environment.create_alice();
    let late = Instant::now() + SOON;
    while environment.ask("GET", "/servers/101", None)["server"]["locked"] != json!(false) {
        assert!(Instant::now() < late, "the server is not free in time");
        std::thread::sleep(LOOK);
    }
    let protected = json!({ "delete": true, "rebuild": true });
    environment.ask("POST", "/servers/101/actions/change_protection", Some(&protected));
    let outcome = environment.run(&["destroy", "alice"]);
    let plan = "plan:
  alice  write down that it is removed
  alice  take the deletion protection off server 101
  alice  delete server 101 with its addresses
";
    assert!(outcome.code == Some(2) && outcome.stderr.starts_with(plan), "{}", outcome.stderr);
    // who has no label any more is known by its id
    environment.ask("PUT", "/servers/101", Some(&json!({ "labels": {} })));
    let outcome = environment.run(&["destroy", "alice", "--yes"]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(0), "alice destroyed\n"), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("alice  deletion protection taken off\n"), "{}", outcome.stderr);
    environment.nothing_is_left();
}

#[test]
fn while_another_stays_so_does_what_they_share() {
    let environment = Environment::with_cloud();
    let mut deploy = environment.start(&["deploy", "alice", "bob", "--yes"]);
    deploy.until_says("alice  server created");
    deploy.until_says("bob    server created");
    deploy.interrupt();
    environment.run(&["destroy", "bob", "--yes", "--json", "-q"]).expect(
        0,
        "{\n  \"destroyed\": [\n    \"bob\"\n  ]\n}\n",
        "",
    );
    let deletes = environment.deletes();
    assert_eq!(deletes.len(), 1, "{deletes:?}");
    assert!(deletes[0].starts_with("DELETE /servers/10"), "{deletes:?}");
}

#[test]
fn what_is_half_removed_is_not_deployed_again() {
    let environment = Environment::with_cloud();
    environment.create_alice();
    let kept = r#"{"error":{"code":"protected","message":"server deletion is protected","details":null}}"#;
    environment.cloud().play("DELETE /servers", Trick::Answer(423, kept.into()));
    environment.run(&["destroy", "alice", "--yes", "-q"]).expect(
        1,
        "",
        "error: alice is not done, but destroying
caused by: cannot delete the server of alice: server deletion is protected (protected, correlation id \
         0123456789abcdef)
hint: switch its delete protection off in the Hetzner Console, then run the command again
",
    );
    environment.changes_nothing(
        &["deploy", "alice", "--yes"],
        2,
        "error: alice is being removed
hint: run `clawberth destroy alice` to finish that, then deploy again
",
    );
    environment.run(&["destroy", "alice", "--yes", "-q"]).expect(0, "alice destroyed\n", "");
    environment.nothing_is_left();
}
