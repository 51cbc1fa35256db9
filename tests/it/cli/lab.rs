//! `clawberth lab`, as far as it needs no machines.

use serde_json::{Value, json};

use super::environment::Environment;

#[test]
fn a_lab_that_is_not_there() {
    let environment = Environment::new();
    environment.run(&["lab", "status", "--dir", "no"]).expect(0, "down  $DIR/here/no\n", "");
    environment.run(&["lab", "down", "--dir", "no"]).expect(
        0,
        "the lab in $DIR/here/no was down already\n",
        "",
    );
    environment.changes_nothing(
        &["lab", "env", "--dir", "no"],
        1,
        "error: no lab runs here: run `clawberth lab up`\n",
    );
    environment.changes_nothing(
        &["lab", "status", "--dir", "a,b"],
        1,
        "error: a lab's directory cannot have a comma, colon or backslash in its path: $DIR/here/a,b\n",
    );
}

#[test]
fn an_api_alone_from_its_start_to_its_end() {
    let environment = Environment::with_cloud();
    let dir = environment.path("lab").display().to_string();
    let lab = |command: &str| environment.run(&["lab", command, "--dir", &dir]);
    lab("api").expect(0, "the lab in $DIR/lab runs already\n", "");
    lab("status").expect(0, "running  $DIR/lab\nAPI  $LAB\n", "");
    lab("env").expect(
        0,
        &format!(
            "export HCLOUD_ENDPOINT='$LAB'\nexport HCLOUD_TOKEN='{}'\nexport CLAWBERTH_LAB_CONTROL='$CONTROL'\n",
            environment.token()
        ),
        "",
    );
    let status = environment.run(&["lab", "status", "--dir", &dir, "--json"]);
    let status: Value = serde_json::from_str(&status.stdout).unwrap();
    assert_eq!(status, json!({ "running": true, "dir": "$DIR/lab", "endpoint": "$LAB", "machines": [] }));
    lab("down").expect(0, "the lab in $DIR/lab is down\n", "");
    lab("status").expect(0, "down  $DIR/lab\n", "");
}

#[test]
fn who_comes_while_a_lab_starts_waits_until_it_answers() {
    let mut environment = Environment::new();
    environment.set("PATH", "/usr/bin:/bin");
    let dir = environment.path("lab").display().to_string();
    let status = ["lab", "status", "--dir", &dir, "--json"];
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let up = environment.run(&["lab", "api", "--detach", "--dir", &dir]);
                assert_eq!(up.code, Some(0), "{}", up.stderr);
                let status: Value = serde_json::from_str(&environment.run(&status).stdout).unwrap();
                assert_eq!(status["running"], true, "{}", up.stdout);
            });
        }
    });
    environment.run(&["lab", "down", "--dir", &dir]).expect(0, "the lab in $DIR/lab is down\n", "");
}

#[test]
fn a_wrong_file_of_faults() {
    let environment = Environment::new();
    environment.write("here/faults.toml", "[[fault]]\nkind = \"answer\"\nstatus = 418\n");
    environment.changes_nothing(
        &["lab", "api", "--faults", "faults.toml", "--detach", "--dir", "lab"],
        1,
        "error: faults.toml is wrong\n\
         caused by: line 3: `status` is wrong: it is one of 403, 409, 412, 423, 429, 500, 502, 503, 504\n",
    );
}
