//! Two commands at the same moment.

use std::process::Stdio;
use std::time::{Duration, Instant};

use super::environment::Environment;

/// Neither has a state, an id or a key to begin with; in the end there is one of each, and a server for each name.
#[test]
fn two_first_deploys_make_one_fleet() {
    let environment = Environment::with_cloud();
    let both = [("alice", "1"), ("bob", "2")].map(|(name, seed)| {
        let mut command = environment.command(&["deploy", name, "--yes"]);
        command.env("CLAWBERTH_SEED", seed).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().unwrap()
    });
    let until = Instant::now() + Duration::from_secs(20);
    while environment.run(&["list"]).stdout.matches("  created  ").count() < 2 {
        assert!(Instant::now() < until, "not both were created: {}", environment.run(&["list"]).stdout);
        std::thread::sleep(Duration::from_millis(50));
    }
    for mut deploy in both {
        deploy.kill().unwrap();
        deploy.wait().unwrap();
    }
    for kind in ["firewalls", "ssh_keys"] {
        let answer = environment.ask("GET", &format!("/{kind}"), None);
        assert_eq!(answer[kind].as_array().unwrap().len(), 1, "{answer}");
    }
    assert_eq!(environment.servers().len(), 2);
    assert!(environment.run(&["destroy", "--all", "--yes"]).stdout.contains("bob destroyed"));
    environment.nothing_is_left();
}
