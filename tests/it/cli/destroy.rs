//! `clawberth destroy`

use super::environment::Environment;

#[test]
fn nothing_there_is_nothing_to_do() {
    let environment = Environment::with_cloud();
    environment.refused(&["destroy", "--all"], 0, "nothing to destroy\n");
}
