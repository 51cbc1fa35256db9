//! Images: made once, used by who needs one, removed by who says so.

use serde_json::{Value, json};

use super::bed::Bed;

fn told(bed: &Bed, words: &[&str]) -> (i32, String, String) {
    let output = bed.run(words);
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn images(bed: &Bed) -> Vec<Value> {
    serde_json::from_str(&bed.ok(&["image", "list", "--json"])).unwrap()
}

#[test]
fn an_image_is_made_once_and_used_and_removed() {
    let bed = Bed::new("");
    assert_eq!(told(&bed, &["image", "list"]).2, "no images; `clawberth image bake` makes one\n");
    let (status, answer, story) = told(&bed, &["image", "bake", "--yes"]);
    assert_eq!(status, 0, "{answer}{story}");
    let made = images(&bed);
    assert_eq!((made.len(), &made[0]["use"], &made[0]["architecture"]), (1, &json!("fits"), &json!("x86")));
    let id = &made[0]["id"];
    assert_eq!(
        answer,
        format!("snapshot {id}: OpenClaw 2026.9.6 on debian-13, x86, 1.5 GB, 0.02 EUR a month\n")
    );
    assert!(story.contains("image  nothing is left that it could be known by"), "{story}");
    let (status, answer, story) = told(&bed, &["image", "bake", "--yes"]);
    assert_eq!((status, answer.as_str()), (0, ""));
    assert_eq!(story, "nothing to do: `clawberth image list` shows the image that fits\n");

    // what has a plan says from what it makes a server; what has none of that release makes it as ever
    let plan = bed.ok(&["deploy", "alice", "--dry-run"]);
    assert!(
        plan.contains(&format!(
            "create a cx23 server in fsn1, else nbg1, else hel1, from the fleet's image {id}"
        )),
        "{plan}"
    );
    let plan = bed.ok(&["deploy", "alice", "--version", "2026.9.5", "--dry-run"]);
    assert!(!plan.contains("from the fleet's image"), "{plan}");
    bed.ok(&["deploy", "alice", "--yes"]);
    let (_, _, story) = told(&bed, &["reconcile"]);
    assert_eq!(story, "no drift\n", "an image is none");

    // a server that is gone is made again from it
    let (_, _, story) = told(&bed, &["destroy", "--all", "--yes"]);
    assert!(
        story.ends_with("left, and paid for: 1 image; `clawberth image prune --all` removes what is left\n"),
        "{story}"
    );
    assert_eq!(told(&bed, &["image", "prune", "--yes"]).2, "nothing to prune\n");
    let (status, _, story) = told(&bed, &["image", "prune", "--all"]);
    assert!(status == 2 && story.contains("this would remove 1 image, and nobody can be asked"), "{story}");
    assert_eq!(bed.ok(&["image", "prune", "--all", "--yes"]), format!("snapshot {id} removed\n"));
    assert_eq!(images(&bed), Vec::<Value>::new());
}

#[test]
fn an_image_that_would_know_its_server_is_not_made_and_the_server_goes() {
    let bed = Bed::new(
        "[[rule]]\nmatch = '^sh -c .# Removes from a server'\nstdout = \"etc/hostname is not empty\\nend\\n\"\n",
    );
    let (status, answer, story) = told(&bed, &["image", "bake", "--yes"]);
    assert_eq!((status, answer.as_str()), (1, ""), "{story}");
    assert!(
        story.contains("error: the image would know who its server was: etc/hostname is not empty\n"),
        "{story}"
    );
    assert_eq!(images(&bed), Vec::<Value>::new());
    let left = bed.ok(&["reconcile", "--apply", "--yes"]);
    assert!(left.contains("orphan firewall") && !left.contains("orphan server"), "{left}");
}
