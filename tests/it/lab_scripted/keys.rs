//! Keys that join, leave and replace the fleet's own, on every server and at Hetzner: also where one is not reached, and wherever
//! that is killed.

use std::path::PathBuf;

use serde_json::Value;

use super::bed::{Bed, read};
use super::drift::drift;
use super::own_key::killed_at;

const ROTATE: [&str; 3] = ["keys", "rotate", "--yes"];

/// The fleet's private key, and the one that is to follow it.
fn files(bed: &Bed) -> [PathBuf; 2] {
    let file = |ending: &str| bed.path(&format!("home/.local/state/clawberth/state.sqlite.ssh_key{ending}"));
    [file(""), file(".next")]
}

/// The public half of the key in a file: type and key.
fn public(private: &str) -> String {
    let key = ssh_key::PrivateKey::from_openssh(private).unwrap();
    let public = key.public_key().to_openssh().unwrap();
    public.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
}

/// The keys that a host lets in, by the lab's own record.
fn admitted(bed: &Bed, id: u64) -> Vec<String> {
    let host: Value =
        serde_json::from_str(&read(&bed.path(&format!("lab/machines/{id}/host.json")))).unwrap();
    let lines = host["authorized"].as_array().unwrap().iter();
    let mut keys: Vec<String> = lines
        .map(|line| line.as_str().unwrap().split_whitespace().take(2).collect::<Vec<_>>().join(" "))
        .collect();
    keys.sort();
    keys
}

/// What `keys list` tells: comment, status and instances of each.
fn list(bed: &Bed) -> Vec<String> {
    let told: Value = serde_json::from_str(&bed.ok(&["keys", "list", "--json"])).unwrap();
    let line = |key: &Value| {
        let names: Vec<&str> =
            key["instances"].as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect();
        format!(
            "{} {}: {}",
            key["comment"].as_str().unwrap(),
            key["status"].as_str().unwrap(),
            names.join(" ")
        )
    };
    told["keys"].as_array().unwrap().iter().map(line).collect()
}

fn without_its_fleet(lines: Vec<String>) -> Vec<String> {
    lines
        .into_iter()
        .map(|line| {
            line.split_once(' ').map_or(line.clone(), |(name, rest)| {
                if name.starts_with("cb-") { rest.to_owned() } else { line.clone() }
            })
        })
        .collect()
}

/// Makes a pair for somebody else; where its public half lies, and that.
fn carol(bed: &Bed) -> (String, String) {
    let key = ssh_key::PrivateKey::random(&mut rand::rng(), ssh_key::Algorithm::Ed25519).unwrap();
    let text = format!("{} carol@desk\n", key.public_key().to_openssh().unwrap().trim());
    let path = bed.path("carol.pub");
    std::fs::write(&path, &text).unwrap();
    (path.display().to_string(), text.split_whitespace().take(2).collect::<Vec<_>>().join(" "))
}

#[test]
fn a_colleague_s_key_comes_to_all_servers_and_goes() {
    let bed = Bed::new("");
    let (file, key) = carol(&bed);
    bed.ok(&["deploy", "alice", "--yes"]);
    let own = public(&read(&files(&bed)[0]));
    bed.ok(&["keys", "add", &file, "--yes"]);
    let mut both = vec![own.clone(), key.clone()];
    both.sort();
    assert_eq!(admitted(&bed, 101), both);
    assert_eq!(without_its_fleet(list(&bed)), ["the fleet's own: alice", "carol@desk in force: alice"]);
    // who comes later, too
    bed.ok(&["deploy", "bob", "--yes"]);
    assert_eq!(admitted(&bed, 102), both);
    assert_eq!(drift(&bed, &[]), (vec![], true));
    let audit: Value = serde_json::from_slice(&bed.run(&["audit", "alice", "--json"]).stdout).unwrap();
    let mut promises = audit["instances"][0]["promises"].as_array().unwrap().iter();
    assert_eq!(promises.find(|one| one["promise"] == "keys").unwrap()["verdict"], "ok");
    assert_eq!(bed.ok(&["keys", "add", &file, "--yes"]), "", "nothing to do");

    bed.ok(&["keys", "remove", "carol@desk", "--yes"]);
    for id in [101, 102] {
        assert_eq!(admitted(&bed, id), [own.as_str()]);
    }
    assert_eq!(without_its_fleet(list(&bed)), ["the fleet's own: alice bob"]);
    assert_eq!(drift(&bed, &[]), (vec![], true));
}

#[test]
fn a_server_that_is_not_reached_keeps_the_fleet_with_the_old_key() {
    let mut bed = Bed::new("");
    // one after the other, for their numbers
    for name in ["alice", "bob"] {
        bed.ok(&["deploy", name, "--yes"]);
    }
    let [file, next] = files(&bed);
    let before = read(&file);
    bed.again_with(
        "[[fault]]\nkind = 'exec_fails'\nhosts = '*-bob'\nmatch = 'authorized_keys'\nstderr = 'read-only'\n",
    );
    let output = bed.run(&ROTATE);
    let story = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{story}");
    assert!(
        story.contains("bob is not done") && story.contains("run `clawberth keys rotate --yes` to go on"),
        "{story}"
    );
    assert_eq!(read(&file), before, "the old one stays in use");
    assert_eq!(admitted(&bed, 101).len(), 2);
    assert_eq!(admitted(&bed, 102).len(), 1);
    for name in ["alice", "bob"] {
        assert_eq!(bed.ok(&["ssh", name, "--", "true"]), "");
    }
    let new = public(&read(&next));
    bed.again_with("");
    bed.ok(&ROTATE);
    assert_eq!(public(&read(&file)), new, "the one that was begun with");
    for id in [101, 102] {
        assert_eq!(admitted(&bed, id), [new.as_str()]);
    }
    assert_eq!(drift(&bed, &[]), (vec![], true));
}

/// The steps in their order, and how often each can be stopped at.
const POINTS: [&str; 24] = [
    "note-key:after-intent",
    "note-key:after-act",
    "note-key:after-outcome",
    "give-keys:before-intent",
    "give-keys:after-intent",
    "give-keys:after-act",
    "give-keys:after-outcome",
    "prove-key:after-intent",
    "prove-key:after-outcome",
    "use-key:before-intent",
    "use-key:after-intent",
    "use-key:after-act",
    "use-key:after-outcome",
    "delete-ssh-key:after-intent",
    "delete-ssh-key:after-act",
    "create-ssh-key:after-intent",
    "create-ssh-key:after-act",
    "take-keys:before-intent",
    "take-keys:after-intent",
    "take-keys:after-act",
    "take-keys:after-outcome",
    "settle-keys:after-intent",
    "settle-keys:after-act",
    "settle-keys:after-outcome",
];

#[test]
fn nobody_is_locked_out_wherever_a_rotation_is_killed() {
    let bed = Bed::new("");
    bed.ok(&["deploy", "alice", "--yes"]);
    let [file, next] = files(&bed);
    for (number, point) in POINTS.into_iter().enumerate() {
        let old = public(&read(&file));
        killed_at(&bed, &ROTATE, point);
        // a key that the state knows logs in, and other commands work
        assert_eq!(bed.ok(&["ssh", "alice", "--", "true"]), "", "{point}");
        if number % 2 == 1 {
            bed.ok(&["reconcile", "--apply", "--yes"]);
            assert_eq!(drift(&bed, &[]), (vec![], true), "{point}");
            assert_eq!(bed.ok(&["ssh", "alice", "--", "true"]), "", "{point}");
        }
        bed.ok(&ROTATE);
        let new = public(&read(&file));
        assert_ne!(new, old, "{point}");
        assert!(!next.exists(), "{point}");
        assert_eq!(admitted(&bed, 101), [new.as_str()], "{point}");
        assert_eq!(bed.ok(&["ssh", "alice", "--", "true"]), "", "{point}");
        assert_eq!(without_its_fleet(list(&bed)), ["the fleet's own: alice"], "{point}");
        assert_eq!(drift(&bed, &[]), (vec![], true), "{point}");
    }
    // the project has the new one, so that new servers do
    bed.ok(&["deploy", "bob", "--yes"]);
    assert_eq!(admitted(&bed, 102), [public(&read(&file)).as_str()]);
}
