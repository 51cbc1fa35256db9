//! Bad input: a one-line error, its cause, a hint, an exit code, and nothing changed.

use super::environment::Environment;

#[test]
fn names() {
    let environment = Environment::with_cloud();
    environment.refused(
        &["deploy", "alice", "bob", "alice"],
        2,
        "error: alice is named twice
hint: name each instance once
",
    );
}
