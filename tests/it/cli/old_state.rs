//! States that older versions of clawberth have written. `fixtures/state-N.sqlite` was written by the program that had
//! schema N: alice's deploy was stopped, bob was deployed and destroyed, carol's deploy was killed. The second one
//! is the first one, as the program with schema 2 brought it up to date.

use super::environment::Environment;

const LIST: &str = "\
NAME   STAGE    URL                  OPENCLAW  TYPE  LOCATION  CREATED
alice  created  https://198.18.64.3  2026.9.6  cx23  fsn1      2026-11-20T09:00:00Z
carol  created  https://198.18.64.5  2026.9.6  cx23  fsn1      2026-11-20T09:00:00Z
";

fn with_the_first() -> Environment {
    with_schema(1)
}

fn with_schema(schema: u32) -> Environment {
    let environment = Environment::new();
    let state = environment.state();
    std::fs::create_dir_all(state.parent().unwrap()).unwrap();
    let fixture = format!("{}/tests/it/fixtures/state-{schema}.sqlite", env!("CARGO_MANIFEST_DIR"));
    std::fs::copy(fixture, state).unwrap();
    environment
}

#[test]
fn the_first_schema_opens_and_is_whole() {
    let environment = with_the_first();
    environment.run(&["list"]).expect(0, LIST, "");
    environment.run(&["state", "check"]).expect(
        0,
        "the state of fleet 8jgipg3f is whole: 2 instances, 11 steps in its history\n",
        "",
    );
    let history = environment.run(&["state", "history", "carol"]).stdout;
    assert!(history.contains("carol    reach   interrupted  -    -"), "{history}");
}

/// Before there were rollouts.
#[test]
fn the_second_schema_opens_and_is_whole_and_says_what_the_first_said() {
    let environment = with_schema(2);
    environment.run(&["list"]).expect(0, LIST, "");
    environment.run(&["state", "check"]).expect(
        0,
        "the state of fleet 8jgipg3f is whole: 2 instances, 11 steps in its history\n",
        "",
    );
    let export = environment.run(&["state", "export"]).stdout;
    assert_eq!(export, with_the_first().run(&["state", "export"]).stdout);
    assert!(!export.contains("rollouts"), "{export}");
}

/// Each of them finds the old schema, one brings it up to date.
#[test]
fn many_open_it_at_once() {
    let environment = with_the_first();
    let all: Vec<_> = (0..8).map(|_| environment.start(&["list"])).collect();
    for list in all {
        list.end().expect(0, LIST, "");
    }
    assert_eq!(environment.run(&["state", "check"]).code, Some(0));
}

/// Between the new schema and the hashes of the rows.
#[test]
fn cut_off_in_mid_migration_it_is_finished_by_the_next_look() {
    let environment = with_the_first();
    environment.run(&["list"]).expect(0, LIST, "");
    for undo in [
        "UPDATE instance SET hash = 0",
        "UPDATE creation SET hash = 0",
        "UPDATE intent SET hash = 0",
        "UPDATE fleet SET hash = 0, seal = 0",
    ] {
        environment.sql(undo);
    }
    environment.run(&["list"]).expect(0, LIST, "");
    assert_eq!(environment.run(&["state", "check"]).code, Some(0));
}
