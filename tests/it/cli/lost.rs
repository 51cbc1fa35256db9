//! A create whose answer is lost, refused or somebody else's: exactly one server, or none.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::PLAN;
use super::environment::{Environment, LOOK, SOON};
use super::front::Trick;

const FIRST: &str = "fleet  SSH key made known\nfleet  firewall created\n";
const STOPPED: &str = "\
stopped; everything so far is written down
hint: run `clawberth deploy alice --yes` to go on
";

/// Deploys until there is a server; what was said after the plan and before the stop.
fn deploy(environment: &Environment) -> String {
    let mut deploy = environment.start(&["deploy", "alice", "--yes"]);
    deploy.until_says("alice  server ");
    let said = deploy.interrupt().stderr;
    let said = said.strip_prefix(PLAN).and_then(|said| said.strip_suffix(STOPPED));
    said.unwrap().to_owned()
}

#[test]
fn an_answer_that_is_lost_costs_no_second_server() {
    for trick in [Trick::BadGateway, Trick::Break] {
        let environment = Environment::with_cloud();
        environment.cloud().play("POST /servers", trick);
        assert_eq!(deploy(&environment), format!("{FIRST}alice  server created (fsn1, 224.18.64.2)\n"));
        assert_eq!(environment.cloud().count("POST /servers"), 1);
        assert_eq!(environment.servers(), [101]);
    }
}

#[test]
fn a_lost_request_is_sent_again() {
    let environment = Environment::with_cloud();
    environment.cloud().play("POST /servers", Trick::Answer(502, "<html>Bad Gateway</html>".into()));
    assert_eq!(deploy(&environment), format!("{FIRST}alice  server created (fsn1, 224.18.64.2)\n"));
    assert_eq!(environment.cloud().count("POST /servers"), 2);
    assert_eq!(environment.servers(), [101]);
}

#[test]
fn key_and_firewall_are_found_again_too() {
    let environment = Environment::with_cloud();
    environment.cloud().play("POST /ssh_keys", Trick::BadGateway);
    environment.cloud().play("POST /firewalls", Trick::Break);
    let said = deploy(&environment);
    assert_eq!(
        said,
        "fleet  SSH key found\nfleet  firewall found\nalice  server created (fsn1, 224.18.64.2)\n"
    );
}

#[test]
fn out_of_stock_goes_on_to_the_next_location() {
    let environment = Environment::with_cloud();
    let gone = r#"{"error":{"code":"resource_unavailable","message":"out of stock","details":null}}"#;
    let unsupported = r#"{"error":{"code":"invalid_input","message":"unsupported location for server type","details":null}}"#;
    environment.cloud().play("POST /servers", Trick::Answer(412, gone.into()));
    environment.cloud().play("POST /servers", Trick::Answer(422, unsupported.into()));
    assert_eq!(
        deploy_until_created(&environment),
        format!(
            "{FIRST}alice  cx23 is out of stock in fsn1
alice  cx23 is out of stock in nbg1
alice  server created (hel1, 224.18.64.2)
"
        )
    );
    assert_eq!(environment.servers(), [101]);
}

/// As [`deploy`], where lines about alice come before the one about her server.
fn deploy_until_created(environment: &Environment) -> String {
    let mut deploy = environment.start(&["deploy", "alice", "--yes"]);
    deploy.until_says("alice  server created");
    let said = deploy.interrupt().stderr;
    said.strip_prefix(PLAN).and_then(|said| said.strip_suffix(STOPPED)).unwrap().to_owned()
}

#[test]
fn out_of_stock_everywhere_creates_nothing() {
    let environment = Environment::with_cloud();
    let gone = r#"{"error":{"code":"resource_unavailable","message":"out of stock","details":null}}"#;
    for _ in 0..3 {
        environment.cloud().play("POST /servers", Trick::Answer(412, gone.into()));
    }
    environment.run(&["deploy", "alice", "--yes", "-q"]).expect(
        1,
        "",
        "error: alice is not done, but planned
caused by: cx23 is out of stock in fsn1, nbg1, hel1: out of stock (resource_unavailable, correlation id \
         0123456789abcdef)
hint: try again later, or name another --type or --location; nothing was created
",
    );
    // nothing is there yet, so the wish may change
    let plan = environment.run(&["deploy", "alice", "--type", "cx33", "--dry-run"]).stdout;
    assert!(plan.contains("  alice  create a cx33 server in fsn1, else nbg1, else hel1\n"), "{plan}");
    environment.run(&["destroy", "alice", "--yes", "-q"]).expect(0, "alice destroyed\n", "");
    environment.nothing_is_left();
}

#[test]
fn a_name_that_somebody_else_has_is_left_alone() {
    let environment = Environment::with_cloud();
    let server = json!({ "name": "cb-bekf44vz-alice", "server_type": "cx23", "image": "debian-13" });
    environment.ask("POST", "/servers", Some(&server));
    environment.run(&["deploy", "alice", "--yes", "-q"]).expect(
        1,
        "",
        "error: alice is not done, but planned
caused by: cannot create the server of alice: the name cb-bekf44vz-alice is taken: server 101 has that name, but not the \
         labels of this fleet
hint: rename or delete server 101 in the console, or choose another name
",
    );
    assert_eq!(environment.servers(), [101]);
    environment.run(&["destroy", "--all", "--yes", "-q"]).expect(0, "alice destroyed\n", "");
    assert_eq!(environment.servers(), [101]);
}

#[test]
fn a_server_of_another_state_file_is_not_trusted() {
    let environment = Environment::with_cloud();
    // so that there is a state, of a fleet that has nothing
    let point = [("CLAWBERTH_STOP_AT", "create-ssh-key:before-intent")];
    let deploy = environment.start_with(&["deploy", "alice", "--yes"], &point);
    deploy.until_stopped();
    deploy.kill();
    let labels =
        json!({ "managed-by": "clawberth", "fleet": "bekf44vz", "instance": "alice", "op": "unknown2" });
    let server = json!({ "name": "x", "server_type": "cx23", "image": "debian-13", "labels": labels });
    environment.ask("POST", "/servers", Some(&server));
    environment.run(&["deploy", "alice", "--yes", "-q"]).expect(
        1,
        "",
        "error: alice is not done, but planned
caused by: server 101 of alice cannot be trusted: it was created from another state file, so its host key is not known
hint: run `clawberth destroy alice` and deploy it again
",
    );
    environment.run(&["destroy", "alice", "--yes", "-q"]).expect(0, "alice destroyed\n", "");
    environment.nothing_is_left();
}

/// Lists lag by so much, also for what has a name that is taken.
fn lag(environment: &Environment, delay: &str) {
    environment.cloud().fault(environment.token(), &json!({ "kind": "stale_lists", "delay": delay }));
}

#[test]
fn what_lists_do_not_show_yet_is_waited_for_and_not_made_twice() {
    let environment = Environment::with_cloud();
    // longer than the first look for what an answer was lost about
    lag(&environment, "3s");
    for create in ["POST /ssh_keys", "POST /firewalls", "POST /servers"] {
        environment.cloud().play(create, Trick::BadGateway);
    }
    assert_eq!(
        deploy(&environment),
        "fleet  SSH key found\nfleet  firewall found\nalice  server created (fsn1, 224.18.64.2)\n"
    );
    for kind in ["servers", "firewalls", "ssh_keys"] {
        let all = environment.ask("GET", &format!("/{kind}"), None);
        assert!(all[kind].as_array().unwrap().len() <= 1, "{all}");
    }
    assert_eq!(environment.cloud().count("POST /servers"), 2);
}

#[test]
fn what_lists_still_show_is_not_taken_for_there() {
    let environment = Environment::with_cloud();
    environment.create_alice();
    lag(&environment, "5s");
    let until = Instant::now() + SOON;
    while environment.servers() != [101] {
        assert!(Instant::now() < until, "lists do not show the server in time");
        std::thread::sleep(LOOK);
    }
    environment.run(&["destroy", "alice", "--yes", "-q"]).expect(0, "alice destroyed\n", "");
    assert_eq!(environment.servers(), [101], "lists still show it");
    environment.changes_nothing(&["reconcile"], 0, "no drift\n");
    let plan = environment.run(&["deploy", "alice", "--dry-run"]).stdout;
    assert_eq!(plan, PLAN);
}

/// Deploys, and is refused because of something that is somebody else's.
#[track_caller]
fn refused(environment: &Environment, why: &str) {
    environment.run(&["deploy", "alice", "--yes", "-q"]).expect(1, "", why);
    assert_eq!(environment.cloud().count("POST /servers"), 0);
}

#[test]
fn a_firewall_of_that_name_that_is_somebody_elses_is_left_alone() {
    let environment = Environment::with_cloud();
    environment.ask("POST", "/firewalls", Some(&json!({ "name": "cb-bekf44vz" })));
    refused(
        &environment,
        "error: cannot create the firewall
caused by: the name cb-bekf44vz is taken: firewall 2001 has that name, but not the labels of this fleet
hint: rename or delete firewall 2001 in the console
",
    );
}

#[test]
fn a_key_of_that_name_or_the_same_key_is_left_alone() {
    let environment = Environment::with_cloud();
    let key = |name: &str, key: &Value| {
        environment.ask("POST", "/ssh_keys", Some(&json!({ "name": name, "public_key": key })));
    };
    key(
        "cb-bekf44vz",
        &json!("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"),
    );
    let why = |id: u64| {
        format!(
            "error: cannot make the fleet's SSH key known
caused by: the fleet's SSH key is taken: key {id} has its name or is the same key, but has not the labels of this fleet
hint: delete key {id} in the console
"
        )
    };
    refused(&environment, &why(3001));
    environment.ask("DELETE", "/ssh_keys/3001", None);
    let sent = environment.cloud().changes();
    let sent = sent.iter().find(|seen| seen.what == "POST /ssh_keys").unwrap();
    key("mine", &sent.body["public_key"]);
    refused(&environment, &why(3002));
}

#[test]
fn what_a_killed_create_made_is_removed_although_no_list_shows_it_yet() {
    for command in [["destroy", "alice"], ["destroy", "--all"]] {
        let environment = Environment::with_cloud();
        lag(&environment, "3s");
        environment.cloud().play("POST /servers", Trick::Delay(Duration::from_secs(5)));
        let deploy = environment.start(&["deploy", "alice", "--yes"]);
        environment.cloud().until_asked("POST /servers");
        deploy.kill();
        assert_eq!(environment.servers(), Vec::<u64>::new(), "no list shows it");
        let outcome = environment.run(&[&command[..], &["--yes"]].concat());
        assert_eq!(outcome.stdout, "alice destroyed\n", "{}", outcome.stderr);
        assert!(outcome.stderr.contains("server of an interrupted create deleted"), "{}", outcome.stderr);
        let until = Instant::now() + SOON;
        while !environment.servers().is_empty() {
            assert!(Instant::now() < until, "the server is there");
            std::thread::sleep(LOOK);
        }
    }
}
