//! `clawberth open`, up to the server that makes the link.

use super::environment::Environment;

#[test]
fn a_gateway_that_does_not_serve_yet_has_no_link() {
    let environment = Environment::with_cloud();
    environment.create_alice();
    environment.changes_nothing(
        &["open", "alice"],
        2,
        "error: alice does not serve yet, it is created
hint: run `clawberth deploy alice` to finish it
",
    );
}

#[test]
fn a_server_that_does_not_answer_is_named() {
    let environment = Environment::with_cloud();
    environment.create_alice();
    environment.serve();
    environment.changes_nothing(
        &["open", "alice"],
        1,
        "error: cannot log in to the server of alice
caused by: no SSH at 224.18.64.2:22: Network is unreachable (os error 101)
hint: check that you come from one of the admin networks, and that the server is switched on
",
    );
}
