//! Programs in a sandbox, where a policy has one.

use super::*;

/// What is told where a policy has a sandbox.
const SANDBOX: &str = "\
sandbox.unit=active
sandbox.exposure=2.2
sandbox.made=1795543946
sandbox.run=user=997
sandbox.run=root=read-only
sandbox.run=network=lo 
sandbox.run=home=./.openclaw ./.openclaw/sandboxes 
";

#[test]
fn programs_run_in_a_sandbox_that_is_seen_to_be_shut_or_not_at_all() {
    let mut world = World::new();
    let unasked = told("sandbox.unit=inactive", "sandbox.unit=active");
    let active = "fail sandbox: no policy has a sandbox, and openclaw-sandbox.service is active";
    assert_eq!(world.broken(&unasked), [active]);
    let wanted = told("\"sandbox\":{\"mode\":\"off\"}", "\"sandbox\":{\"mode\":\"all\"}");
    let wants = "fail sandbox: no policy has a sandbox, and the gateway wants one";
    assert_eq!(world.broken(&wanted), [wants]);

    let policy: Policy = toml::from_str("sandbox = true\ntools = 'coding'").unwrap();
    let set = settings(&policy);
    let (id, secrets) = (OpId::from_bytes([0; 8]), BTreeMap::new());
    world.alice.spec.enacted = Some(Box::new(Enacted { id, policy, secrets, stale: false, before: None }));
    let coding = HEALTHY
        .replace("\"profile\":\"messaging\"", "\"profile\":\"coding\"")
        .replace("\"group:runtime\",\"group:fs\",", "")
        .replace(
            "\"sandbox\":{\"mode\":\"off\"}",
            &format!("\"sandbox\":{}", set["agents"]["defaults"]["sandbox"]),
        )
        .replace(
            "\"security\":\"deny\",\"ask\":\"always\"",
            "\"host\":\"sandbox\",\"security\":\"full\",\"ask\":\"off\"",
        )
        .replace("sandbox.unit=inactive\n", SANDBOX);
    assert_eq!(world.broken(&coding), [""; 0]);
    for (from, to, broken) in [
        ("unit=active", "unit=failed", "fail sandbox: openclaw-sandbox.service is failed"),
        ("exposure=2.2", "exposure=4.1", "fail sandbox: its unit is exposed 4.1 of 10, and 2.5 is the limit"),
        ("sandbox.made=1795543946\n", "", "fail sandbox: it has no image"),
        (
            "made=1795543946",
            "made=1785543946",
            "warn sandbox: its image is 115 days old; docs/policy.md says how to make another",
        ),
        ("user=997", "user=0", "fail sandbox: a run in it has 0 for its user"),
        ("network=lo ", "network=lo host0 ", "fail sandbox: a run in it has lo host0 for its network"),
        (
            "./.openclaw/sandboxes ",
            "./.openclaw/sandboxes ./secrets.json ",
            "fail sandbox: a run in it has ./.openclaw ./.openclaw/sandboxes ./secrets.json for its home",
        ),
    ] {
        assert_eq!(world.broken(&changed(&coding, from, to)), [broken]);
    }
    let silent = HEALTHY.replace(
        "sandbox.unit=inactive\n",
        "sandbox.unit=failed\nsandbox.exposure=2.2\nsandbox.made=1795543946\n",
    );
    let broken = world.broken(&silent);
    assert!(
        broken.contains(&"fail sandbox: openclaw-sandbox.service is failed; nothing runs in it".to_owned()),
        "{broken:?}"
    );
}
