//! `clawberth list`
use super::environment::Environment;

#[test]
fn nothing_is_nothing() {
    let environment = Environment::new();
    environment.refused(&["list"], 0, "no instances; `clawberth deploy NAME` makes one\n");
    environment.run(&["list", "--json"]).expect(0, "[]\n", "");
}
