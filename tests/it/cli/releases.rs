//! `clawberth releases`

use serde_json::json;

use super::environment::Environment;
use super::npm::Npm;

#[test]
fn what_the_registry_has_and_the_fleet_runs() {
    let mut environment = Environment::with_cloud();
    environment.create_alice();
    let _npm = Npm::of(&mut environment);
    let table = "\
OPENCLAW             PUBLISHED   NODE                       TESTED  INSTANCES
2027.1.3             -           >=99                       -       -
2027.1.2-1 (latest)  2027-01-05  >=24.16.0 <25 || >=26.1.0  -       -
2026.9.6             -           >=24.16.0 <25 || >=26.1.0  yes     1
2026.9.5             -           >=24.16.0 <25 || >=26.1.0  yes     -
";
    environment.run(&["releases"]).expect(0, table, "");
    let list: serde_json::Value =
        serde_json::from_str(&environment.run(&["releases", "--json"]).stdout).unwrap();
    assert_eq!(
        list[1],
        json!({
            "openclaw": "2027.1.2-1",
            "published": "2027-01-05T10:00:00Z",
            "engines": ">=24.16.0 <25 || >=26.1.0",
            "latest": true,
            "tested": false,
            "instances": [],
        })
    );
    assert_eq!((&list[2]["openclaw"], &list[2]["instances"]), (&json!("2026.9.6"), &json!(["alice"])));
}

#[test]
fn without_a_registry_the_tested_ones_are_told() {
    let mut environment = Environment::new();
    environment.set("npm_config_registry", "http://127.0.0.1:9");
    let table = "\
OPENCLAW  PUBLISHED  NODE                       TESTED  INSTANCES
2026.9.6  -          >=24.16.0 <25 || >=26.1.0  yes     -
2026.9.5  -          >=24.16.0 <25 || >=26.1.0  yes     -
";
    let note =
        "the npm registry gives no answer; these are the tested releases, and those that the fleet runs\n";
    environment.run(&["releases"]).expect(0, table, note);
}
