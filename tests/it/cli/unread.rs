//! Nobody reads the answer any more.

use super::environment::Environment;

#[test]
fn who_has_seen_enough_ends_a_command_without_a_word() {
    let environment = Environment::new();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut releases = environment.command(&["releases", "--quiet"]);
    let output = releases.stdout(writer).output().unwrap();
    assert_eq!((output.status.code(), String::from_utf8(output.stderr).unwrap().as_str()), (Some(141), ""));
}
