//! Disks: kept over a reboot, copied by a snapshot, gone with a rebuild.

use std::fs;

use serde_json::{Value, json};

use super::bed::{Lab, root};

/// Says what its user data said at its first boot.
fn born(word: &str) -> Value {
    json!({"user_data": format!("#cloud-config\nruncmd: [\"echo {word} >>/born\"]\n")})
}

/// What nobody else may have: the machine's id, and its SSH host key.
fn identity(lab: &Lab, id: u64) -> [String; 2] {
    ["cat /etc/machine-id", "cat /etc/ssh/ssh_host_ed25519_key.pub"].map(|script| lab.inside(id, script))
}

fn snapshots(lab: &Lab) -> usize {
    fs::read_dir(lab.dir.join("snapshots")).unwrap().count()
}

/// Takes a snapshot of a machine that runs, with a lab that is killed at once and does it when it is back.
fn snapshot(lab: &Lab, server: u64) -> u64 {
    let before = lab.init(server);
    let path = format!("/servers/{server}/actions/create_image");
    let answer = lab.ask("POST", &path, Some(&json!({"type": "snapshot"})));
    lab.kill();
    lab.ok(&["up", "--detach"], &[]);
    lab.wait_for_actions(&answer);
    assert_eq!(lab.init(server), before, "it ran on");
    assert!(lab.is_so(server, "timeout 10 systemctl is-active ssh"), "it does not stand still");
    assert_eq!(snapshots(lab), 1, "and no half ones");
    answer["image"]["id"].as_u64().unwrap()
}

#[test]
fn a_disk_lives_through_a_reboot_goes_on_from_a_snapshot_and_is_fresh_after_a_rebuild() {
    if !root() {
        return;
    }
    let lab = Lab::new();
    lab.ok(&["up", "--detach"], &[]);
    let alice = lab.server("alice", &born("alice"));
    lab.inside(alice, "echo kept >/kept; rm /usr/share/misc/magic.mime /etc/debian_version; rm -r /etc/apt");
    let (first, of_alice) = (lab.init(alice), identity(&lab, alice));
    lab.post(&format!("/servers/{alice}/actions/reboot"), &json!({}));
    let second = lab.init(alice);
    assert_ne!(second, first, "it booted");
    lab.set_up(alice);
    lab.inside(alice, "systemctl reboot");
    lab.wait_until("the machine has booted by itself", || ![None, second.clone()].contains(&lab.init(alice)));
    lab.set_up(alice);
    assert_eq!(
        lab.inside(alice, "cat /kept /born"),
        "kept\nalice",
        "with its disk, and not for the first time"
    );
    assert_eq!(identity(&lab, alice), of_alice);

    let image = snapshot(&lab, alice);
    lab.inside(alice, "echo later >/later");
    let mut wish = born("bob");
    wish["image"] = json!(image);
    let bob = lab.server("bob", &wish);
    assert_eq!(lab.inside(bob, "cat /kept /born; hostname"), "kept\nalice\nbob\nbob", "born a second time");
    assert!(lab.is_so(bob, "[ ! -e /later ] && [ ! -e /etc/debian_version ] && [ ! -e /etc/apt ]"));
    let of_bob = identity(&lab, bob);
    assert!(of_bob.iter().zip(&of_alice).all(|(bob, alice)| bob != alice), "{of_bob:?} {of_alice:?}");
    lab.delete(&format!("/images/{image}"));

    let rebuild = format!("/servers/{alice}/actions/rebuild");
    let mut wish = born("again");
    wish["image"] = json!("debian-13");
    lab.post(&rebuild, &wish);
    lab.set_up(alice);
    assert_eq!(lab.inside(alice, "cat /born"), "again");
    assert!(lab.is_so(alice, "[ ! -e /kept ] && [ -e /etc/debian_version ]"));
    assert_ne!(identity(&lab, alice), of_alice);

    assert_eq!(snapshots(&lab), 1, "bob's disk lies on a snapshot that is none any more");
    lab.post(&format!("/servers/{bob}/actions/reboot"), &json!({}));
    assert_eq!(lab.inside(bob, "cat /kept"), "kept");
    lab.delete(&format!("/servers/{bob}"));
    assert_eq!(snapshots(&lab), 0, "nobody's disk lies on it any more");
    lab.ok(&["down"], &[]);
}
