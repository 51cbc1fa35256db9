//! Standbys: made ahead, claimed once, renewed, and removed.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::bed::Bed;

fn told(bed: &Bed, words: &[&str]) -> (i32, String, String) {
    let output = bed.run(words);
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn answer(bed: &Bed, words: &[&str]) -> Vec<Value> {
    serde_json::from_str(&bed.ok(words)).unwrap()
}

/// Name and server of each instance.
fn list(bed: &Bed) -> Vec<(String, u64)> {
    let all = answer(bed, &["list", "--json"]);
    all.iter()
        .map(|one| (one["name"].as_str().unwrap().to_owned(), one["server"]["id"].as_u64().unwrap()))
        .collect()
}

#[test]
fn a_standby_becomes_somebody_s_and_nobody_s_standby_any_more() {
    let bed = Bed::new("");
    assert_eq!(
        told(&bed, &["pool", "status"]).2,
        "no standbys; `clawberth pool fill --size SIZE` makes some\n"
    );
    let (status, plan, _) = told(&bed, &["pool", "fill", "--size", "2", "--dry-run"]);
    assert!(status == 0 && plan.contains("cost: 11.98 EUR a month for the new servers"), "{plan}");
    let (status, made, story) = told(&bed, &["pool", "fill", "--size", "2", "--yes"]);
    assert!(status == 0 && made.matches(" stands by\n").count() == 2, "{made}{story}");
    let again = told(&bed, &["pool", "fill", "--size", "2", "--yes"]);
    assert_eq!(again.2, "nothing to do: `clawberth pool status` shows the standbys\n");
    let standbys = answer(&bed, &["pool", "status", "--json"]);
    let uses: Vec<_> = standbys.iter().map(|one| (&one["use"], &one["month"])).collect();
    assert_eq!(uses, [(&json!("ready"), &json!("5.99")), (&json!("ready"), &json!("5.99"))]);
    let (_, table, sum) = told(&bed, &["pool", "status"]);
    assert!(table.starts_with("STANDBY") && table.matches("  ready\n").count() == 2, "{table}");
    assert_eq!(sum, "2 standbys: 11.98 EUR a month, without VAT\n");

    // a standby is nobody's: nobody may open it, or be called as one is
    let standby = standbys[0]["name"].as_str().unwrap();
    let (status, _, story) = told(&bed, &["open", standby]);
    let hint = "hint: `clawberth deploy NAME` makes it NAME's, and `clawberth open NAME` opens it then\n";
    assert_eq!((status, story), (2, format!("error: {standby} is a standby, and nobody's\n{hint}")));
    let (status, _, story) = told(&bed, &["deploy", "standby-mine", "--yes"]);
    assert!(
        status == 2 && story.starts_with("error: standby-mine would be a standby of the pool\n"),
        "{story}"
    );

    // the wish decides: what a standby is not is made anew
    let (_, plan, _) = told(&bed, &["deploy", "bob", "--version", "2026.9.5", "--dry-run"]);
    assert!(plan.contains("bob  create a cx23 server"), "{plan}");
    let (_, plan, _) = told(&bed, &["deploy", "bob", "--location", "hel1", "--dry-run"]);
    assert!(plan.contains("bob  create a cx23 server in hel1"), "{plan}");

    let before: BTreeSet<u64> = list(&bed).into_iter().map(|(_, id)| id).collect();
    // what is paid for already is not asked about
    let (status, url, story) = told(&bed, &["deploy", "alice"]);
    assert!(status == 0 && url.contains("alice  https://"), "{url}{story}");
    assert!(
        story.contains("alice  token renewed, the standby's is refused (AUTH_TOKEN_MISMATCH)"),
        "{story}"
    );
    let after = list(&bed);
    let (name, id) = &after[0];
    assert!(name == "alice" && before.contains(id) && after.len() == 2, "{after:?}");
    let server = bed.get(&format!("/servers/{id}"))["server"].clone();
    assert!(server["name"].as_str().unwrap().ends_with("-alice"), "{server}");
    assert_eq!(server["labels"]["instance"], "alice");
    let told_name = bed.ok(&["exec", "alice", "--", "clawberth-lab", "host-name"]);
    assert_eq!(told_name, format!("alice: done\n  {}\n", server["name"].as_str().unwrap()));
    assert!(bed.ok(&["open", "alice"]).contains("/#bootstrapToken="));
    assert_eq!(told(&bed, &["reconcile"]).2, "no drift\n");

    // filled up again; then somebody's server stays, and the standbys go
    bed.ok(&["pool", "fill", "--size", "2", "--yes"]);
    assert_eq!(list(&bed).len(), 3);
    let (status, gone, story) = told(&bed, &["pool", "drain", "--yes"]);
    assert!(status == 0 && gone.matches(" destroyed\n").count() == 2, "{gone}{story}");
    assert_eq!(list(&bed), [(name.clone(), *id)]);
    assert_eq!(told(&bed, &["pool", "drain", "--yes"]).2, "nothing to destroy\n");
}

#[test]
fn a_standby_that_does_not_serve_is_nobody_s_help() {
    let bed = Bed::new("");
    bed.ok(&["pool", "fill", "--size", "1", "--yes"]);
    let (_, id) = list(&bed).remove(0);
    bed.post(&format!("/servers/{id}/actions/poweroff"), &json!({}));
    let (_, plan, _) = told(&bed, &["deploy", "alice", "--dry-run"]);
    assert!(plan.contains("alice  create a cx23 server"), "{plan}");
}

#[test]
fn a_standby_of_another_release_is_updated_and_claimed_then() {
    let bed = Bed::new("");
    bed.ok(&["pool", "fill", "--size", "1", "--version", "2026.9.5", "--yes"]);
    let uses = |bed: &Bed| answer(bed, &["pool", "status", "--json"])[0]["use"].clone();
    assert_eq!(uses(&bed), "not what `deploy` makes now");
    let plan = bed.ok(&["deploy", "alice", "--dry-run"]);
    assert!(plan.contains("alice  create a cx23 server"), "{plan}");
    bed.ok(&["update", "--all", "--bake", "0s", "--yes"]);
    assert_eq!(uses(&bed), "ready");
    let plan = bed.ok(&["deploy", "alice", "--dry-run"]);
    assert!(plan.contains("alice  make the server of standby-"), "{plan}");
}

/// The policy is each instance's own; what a standby has is nobody's.
#[test]
fn a_policy_comes_with_the_claim() {
    let mut bed = Bed::new("");
    let config = bed.path("home/clawberth.toml");
    std::fs::write(&config, "[policy]\ntools = 'minimal'\n").unwrap();
    bed.set("CLAWBERTH_CONFIG", config.to_str().unwrap());
    let filled = told(&bed, &["pool", "fill", "--size", "1", "--yes"]);
    assert!(filled.0 == 0 && !filled.2.contains("policy"), "{filled:?}");
    let (status, _, story) = told(&bed, &["apply", "--all", "--yes"]);
    assert!(status == 0 && story.contains("nothing to do"), "{story}");
    let plan = bed.ok(&["deploy", "alice", "--dry-run"]);
    let steps: Vec<&str> = plan.lines().filter_map(|line| line.trim().strip_prefix("alice  ")).collect();
    assert!(steps[0].starts_with("make the server of standby-"), "{plan}");
    assert_eq!(steps.last(), Some(&"see that it serves with its policy, and keep that"), "{plan}");
    bed.ok(&["deploy", "alice", "--yes"]);
    let (status, _, story) = told(&bed, &["access", "alice"]);
    assert_eq!((status, story.as_str()), (0, ""), "what holds is what the file says");
}

#[test]
fn twenty_deploys_race_for_three_standbys() {
    let bed = Bed::new("");
    bed.ok(&["pool", "fill", "--size", "3", "--yes"]);
    let standbys: BTreeSet<u64> = list(&bed).into_iter().map(|(_, id)| id).collect();
    let deploys: Vec<_> =
        (0..20).map(|n| bed.start(&["deploy", &format!("user{n}"), "--yes"], &format!("story{n}"))).collect();
    for (n, mut deploy) in deploys.into_iter().enumerate() {
        let story = || super::bed::read(&bed.path(&format!("story{n}")));
        assert!(deploy.wait().unwrap().success(), "{}", story());
    }
    let all = list(&bed);
    let names: BTreeSet<&str> = all.iter().map(|(name, _)| name.as_str()).collect();
    assert!(all.len() == 20 && names.iter().all(|name| name.starts_with("user")), "{all:?}");
    let ids: BTreeSet<u64> = all.iter().map(|(_, id)| *id).collect();
    assert_eq!(ids.len(), 20, "two have the same server: {all:?}");
    assert_eq!(ids.intersection(&standbys).count(), 3, "of {standbys:?}: {all:?}");
    let there = bed.get("/servers?per_page=50")["servers"].clone();
    let there: BTreeSet<u64> =
        there.as_array().unwrap().iter().map(|one| one["id"].as_u64().unwrap()).collect();
    assert_eq!(there, ids, "no server is nobody's");
    assert_eq!(told(&bed, &["reconcile"]).2, "no drift\n");
}
