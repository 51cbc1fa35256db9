//! `clawberth rotate`, up to the server that makes the token.

use super::environment::Environment;

#[test]
fn a_gateway_that_does_not_serve_yet_has_no_token() {
    let environment = Environment::with_cloud();
    environment.create_alice();
    environment.changes_nothing(
        &["rotate", "alice", "token", "--yes"],
        2,
        "error: alice does not serve, it is created
hint: run `clawberth deploy alice` to finish it
",
    );
}

#[test]
fn what_is_asked_for_is_clear_before_anything_is_done() {
    let environment = Environment::with_cloud();
    environment.create_alice();
    environment.serve();
    for (args, stderr) in [
        (
            &["rotate", "alice", "token"][..],
            "plan:
  alice  replace its token, restart the gateway, and see that the old token is dead
  alice  wait until it serves, seen from outside
error: this would restart the gateway of alice, and nobody can be asked
hint: say --yes
",
        ),
        (
            &["rotate", "alice", "hostkey"],
            "plan:
  alice  let it make a host key of its own
  alice  set the label of its host key
  alice  let it show that key and no other
  alice  set the label of its host key
error: this would replace the host key of alice, and nobody can be asked
hint: say --yes
",
        ),
        (
            &["rotate", "alice", "alice", "token", "--yes"],
            "error: alice is named twice
hint: name each instance once
",
        ),
        (
            &["rotate", "bob", "token", "--yes"],
            "error: no instance bob
hint: `clawberth list` shows the instances
",
        ),
        (
            &["rotate", "alice", "bob", "--yes"],
            "error: invalid value 'bob' for '<SECRET>'
  [possible values: token, hostkey, all]

For more information, try '--help'.
",
        ),
    ] {
        environment.changes_nothing(args, 2, stderr);
    }
}
