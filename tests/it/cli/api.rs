//! When Hetzner's API does not answer, or answers with an error.

use super::PLAN;
use super::environment::Environment;
use super::front::Trick;

#[test]
fn no_token() {
    let mut environment = Environment::with_cloud();
    environment.unset("HCLOUD_TOKEN");
    for command in [["deploy", "alice"], ["destroy", "--all"]] {
        environment.changes_nothing(
            &command,
            2,
            "error: no API token
caused by: HCLOUD_TOKEN is not set
hint: create one in the Hetzner Console (Security, API tokens, Read & Write) and run `export HCLOUD_TOKEN=…`; to try \
             without an account: `clawberth lab up`
",
        );
    }
    environment.set("HCLOUD_TOKEN", "two words");
    environment.changes_nothing(
        &["deploy", "alice"],
        2,
        "error: the API token cannot be one
caused by: HCLOUD_TOKEN has characters that no token has
hint: set HCLOUD_TOKEN again, without spaces or line ends
",
    );
}

#[test]
fn another_projects_token() {
    let mut environment = Environment::with_cloud();
    environment.set("HCLOUD_TOKEN", "nobodys");
    for (command, what) in
        [(["deploy", "alice"], "what Hetzner offers"), (["destroy", "--all"], "what is in the project")]
    {
        environment.changes_nothing(
            &command,
            1,
            &format!(
                "error: cannot see {what}
caused by: the token is invalid (unauthorized, correlation id 0123456789abcdef)
hint: check HCLOUD_TOKEN: it must be a token of this project, not revoked
"
            ),
        );
    }
}

#[test]
fn nobody_answers() {
    let environment = Environment::new();
    environment.changes_nothing(
        &["deploy", "alice"],
        1,
        "error: cannot see what Hetzner offers
caused by: no answer from http://127.0.0.1:9/v1 (GET /server_types): error sending request: client error (Connect): tcp \
         connect error: Connection refused (os error 111)
hint: check the network and HCLOUD_ENDPOINT; nothing is lost, run the command again
",
    );
}

#[test]
fn an_endpoint_that_is_not_the_api() {
    let environment = Environment::with_cloud();
    environment.cloud().play("GET /server_types", Trick::Answer(200, "<html>Welcome</html>".into()));
    environment.changes_nothing(
        &["deploy", "alice"],
        1,
        "error: cannot see what Hetzner offers
caused by: unexpected answer to GET /server_types: expected value at line 1 column 1
hint: check that HCLOUD_ENDPOINT is the API's base URL, with /v1
",
    );
}

#[test]
fn trouble_at_hetzner() {
    let environment = Environment::with_cloud();
    let unavailable = r#"{"error":{"code":"unavailable","message":"service is down","details":null}}"#;
    environment.cloud().play("GET /pricing", Trick::Answer(503, unavailable.into()));
    environment.changes_nothing(
        &["deploy", "alice"],
        1,
        "error: cannot see what Hetzner offers
caused by: service is down (unavailable, correlation id 0123456789abcdef)
hint: Hetzner's API is in trouble; nothing is lost, run the command again later
",
    );
}

#[test]
fn fields_that_are_not_accepted_are_named() {
    let environment = Environment::with_cloud();
    let invalid = r#"{"error":{"code":"invalid_input","message":"invalid input in field 'user_data'",
        "details":{"fields":[{"name":"user_data","messages":["is too long"]}]}}}"#;
    environment.cloud().play("POST /servers", Trick::Answer(422, invalid.into()));
    environment.run(&["deploy", "alice", "--yes"]).expect(
        1,
        "",
        &format!(
            "{PLAN}fleet  SSH key made known
fleet  firewall created
alice  failed: cannot create the server of alice
error: alice is not done, but planned
caused by: cannot create the server of alice: invalid input in field 'user_data' (invalid_input: user_data: is too \
             long, correlation id 0123456789abcdef)
hint: mend what it names; if that is nothing of yours, report it, with the correlation id
"
        ),
    );
    environment.run(&["list"]).expect(
        0,
        "NAME   STAGE    URL  OPENCLAW  TYPE  LOCATION  CREATED
alice  planned  -    2026.9.6  cx23  -         2026-11-22T12:00:00Z
",
        "",
    );
}

#[test]
fn a_limit_of_the_project() {
    let environment = Environment::with_cloud();
    let full = r#"{"error":{"code":"resource_limit_exceeded","message":"server limit exceeded",
        "details":{"limits":[{"name":"server_limit"}]}}}"#;
    environment.cloud().play("POST /servers", Trick::Answer(403, full.into()));
    let outcome = environment.run(&["deploy", "alice", "--yes", "--quiet"]);
    outcome.expect(
        1,
        "",
        "error: alice is not done, but planned
caused by: cannot create the server of alice: server limit exceeded (resource_limit_exceeded, correlation id \
         0123456789abcdef)
hint: ask for a higher limit in the Hetzner Console, or destroy what is not needed
",
    );
}

#[test]
fn too_many_requests_are_sent_again() {
    let environment = Environment::with_cloud();
    let slow = r#"{"error":{"code":"rate_limit_exceeded","message":"rate limit exceeded","details":null}}"#;
    for what in ["GET /pricing", "POST /firewalls"] {
        environment.cloud().play(what, Trick::Answer(429, slow.into()));
    }
    environment.create_alice();
    assert_eq!(
        environment.cloud().changed(),
        ["POST /ssh_keys 201", "POST /firewalls 429", "POST /firewalls 201", "POST /servers 201"]
    );
}
