//! `clawberth init`

use super::environment::Environment;

const NEXT: &str = "next: export HCLOUD_TOKEN=… and run `clawberth deploy NAME`\n";

#[test]
fn writes_every_key_with_its_default() {
    let environment = Environment::new();
    environment.run(&["init", "--admin", "203.0.113.7", "--admin", "2001:db8::/48"]).expect(
        0,
        "$DIR/here/clawberth.toml\n",
        NEXT,
    );
    let text = std::fs::read_to_string(environment.path("here/clawberth.toml")).unwrap();
    let template = include_str!("../../../templates/clawberth.toml");
    assert_eq!(text, template.replace("@ADMIN_NETWORKS@", "\"203.0.113.7\", \"2001:db8::/48\""));
}

#[test]
fn writes_where_config_says_and_says_nothing_more_when_quiet() {
    let environment = Environment::new();
    environment.run(&["init", "-q", "--admin", "any", "--config", "other.toml"]).expect(
        0,
        "$DIR/here/other.toml\n",
        "",
    );
    environment.run(&["init", "-q", "--admin", "any", "--config", "third.toml", "--json"]).expect(
        0,
        "{\n  \"config\": \"$DIR/here/third.toml\"\n}\n",
        "",
    );
}

#[test]
fn overwrites_nothing() {
    let environment = Environment::new();
    environment.write("here/clawberth.toml", "# mine\n");
    environment.changes_nothing(
        &["init", "--admin", "any"],
        2,
        "error: $DIR/here/clawberth.toml exists already
hint: edit it, or write another one with --config FILE
",
    );
}

#[test]
fn asks_for_admin_networks_only_where_somebody_answers() {
    let environment = Environment::new();
    environment.changes_nothing(
        &["init"],
        2,
        "error: the admin networks are not known
hint: say it with --admin, like `clawberth init --admin 203.0.113.7`
",
    );
}

#[test]
fn everybody_must_be_spelled_out() {
    let environment = Environment::new();
    environment.changes_nothing(
        &["init", "--admin", "0.0.0.0/0"],
        2,
        "error: cannot write the configuration
caused by: 0.0.0.0/0 would open SSH to the whole internet
hint: try `clawberth init --admin 203.0.113.7`
",
    );
}

#[test]
fn asks_where_somebody_answers() {
    let environment = Environment::new();
    let question = "addresses or networks, separated by commas: ";
    let (code, screen) = environment.at_terminal(&["init"], question, "203.0.113.7, 2001:db8::/48");
    assert_eq!(
        (code, screen),
        (
            Some(0),
            format!(
                "From which addresses may SSH reach your servers? Nobody else sees port 22.
{question}203.0.113.7, 2001:db8::/48
$DIR/here/clawberth.toml
{NEXT}"
            )
        )
    );
    let text = std::fs::read_to_string(environment.path("here/clawberth.toml")).unwrap();
    assert!(text.contains("\nadmin_networks = [\"203.0.113.7\", \"2001:db8::/48\"]\n"), "{text}");
}
