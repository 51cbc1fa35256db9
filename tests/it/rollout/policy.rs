//! Policies go the way of updates: in waves, with gate and revert, resumed after a kill.

use std::process::Command;

use clawberth::apply::Point;
use serde_json::Value;

use super::fleet::{AT_ONCE, deploy, ends, rollout, statuses};
use crate::bed::{Cloud, Operator};

const POLICY: &str = "\
[policy]
model = 'openai/gpt'
providers.openai.key = 'file:key'
channels.telegram = { token = 'env:BOT', allow = ['111', '222'] }
owners = ['telegram:111']

[instance.b.policy]
channels.telegram.deny = ['222']
";

const APPLY: [&str; 5] = ["apply", "--all", "--bake", "0s", "--yes"];

fn access(operator: &Operator<'_>) -> Vec<Value> {
    serde_json::from_str(&operator.ok(&["access", "--json"]).unwrap()).unwrap()
}

fn governed(cloud: &Cloud) -> Operator<'_> {
    let operator = cloud.operator().unwrap().with("BOT", "123:canary-bot");
    deploy(&operator, &["a", "b", "c"]);
    operator.write("key", "sk-canary\n").unwrap();
    operator.write("clawberth.toml", POLICY).unwrap();
    operator
}

#[test]
fn each_gets_its_own_and_what_holds_already_is_left_alone() {
    let cloud = Cloud::up(1, AT_ONCE).unwrap();
    let operator = governed(&cloud);
    assert!(access(&operator).iter().all(|one| one["as_in_the_file"] == false));

    let plan = ends(&operator, &["apply", "--all", "--dry-run"], 0);
    assert_eq!(
        plan.stdout,
        "plan: bring the policy of clawberth.toml\n  wave 1: a\n  wave 2: b c\n  1 may fail, 10 at once at most, bake 1m, on failure stop\n"
    );
    assert!(plan.stderr.starts_with("a: channels, model, owners, providers\nb: "), "{plan}");
    ends(&operator, &APPLY, 0);
    assert!(statuses(&operator).values().all(|status| status == "updated"));
    let seen = access(&operator);
    assert!(seen.iter().all(|one| one["as_in_the_file"] == true), "{seen:?}");
    assert_eq!(seen[1]["policy"]["channels"]["telegram"]["deny"][0], "222");
    assert_eq!(seen[0]["shared_secrets"][0], "/channel/telegram with b, c");
    let text = operator.ok(&["access", "b"]).unwrap();
    assert!(text.contains("b  may write on telegram  111\n"), "{text}");

    let nothing = ends(&operator, &APPLY, 0);
    assert_eq!(nothing.stderr, "3 instances already: governed by its policy\nnothing to do\n");
    // another key under the same name is another policy
    operator.write("key", "sk-canary-2\n").unwrap();
    let again = ends(&operator, &APPLY, 0);
    assert!(again.stderr.starts_with("a: secrets\nb: secrets\nc: secrets\n"), "{again}");
}

/// By age itself, to a key of its own and to an SSH key, with and without armor.
#[test]
fn a_secret_may_be_encrypted_with_age() {
    let cloud = Cloud::up(1, AT_ONCE).unwrap();
    let operator = governed(&cloud);
    let home = cloud.path(&format!("home-{}", operator.api.project()));
    let run = |script: &str| {
        let output = Command::new("sh").args(["-ec", script]).current_dir(&home).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    run("age-keygen -o own 2>/dev/null; age-keygen -o other 2>/dev/null; ssh-keygen -q -t ed25519 -N '' -f ssh
        age --encrypt -r $(age-keygen -y own) -o own.age key
        age --encrypt --armor -R ssh.pub -o ssh.age key
        cp key plain.age");
    let key =
        |from: &str| std::fs::write(home.join("clawberth.toml"), POLICY.replace("file:key", from)).unwrap();

    key("age:own.age");
    let ended = ends(&operator, &APPLY, 2);
    assert!(
        ended.stderr.contains("age:own.age cannot be read\ncaused by: CLAWBERTH_AGE_IDENTITY is not set\n"),
        "{ended}"
    );
    let operator = operator.with("CLAWBERTH_AGE_IDENTITY", "identity");
    let refused = |said: &str| {
        let ended = ends(&operator, &APPLY, 2);
        assert!(ended.stderr.contains(said), "{ended}");
        assert!(!ended.stderr.contains("sk-canary"), "{ended}");
    };
    refused("identity: No such file or directory");
    run("cp other identity");
    refused("the secret age:own.age cannot be read\ncaused by: age: exit status: 1\n");
    key("age:plain.age");
    refused("caused by: it is not encrypted with age\n");
    key("age:nowhere.age");
    refused("caused by: No such file or directory");

    key("age:own.age");
    run("cp own identity");
    ends(&operator, &APPLY, 0);
    assert!(access(&operator).iter().all(|one| one["as_in_the_file"] == true));
    key("age:ssh.age");
    run("cp ssh identity");
    ends(&operator, &APPLY, 0);
    assert!(access(&operator).iter().all(|one| one["as_in_the_file"] == true));
}

#[test]
fn what_is_not_sound_is_refused_before_anything_begins() {
    let cloud = Cloud::up(1, AT_ONCE).unwrap();
    let operator = governed(&cloud);
    std::fs::remove_file(cloud.path(&format!("home-{}/key", operator.api.project()))).unwrap();
    let ended = ends(&operator, &APPLY, 2);
    assert!(ended.stderr.contains("the secret file:key cannot be read"), "{ended}");
    for (file, said) in [
        ("[policy]\ntols = 'x'\n", "[policy] is not usable"),
        ("[policy]\nmodel = 'openai/x'\n", "openai/x is to be asked of openai, of which nothing is said"),
        ("[policy]\nproviders.openai.key = 'sk-canary'\n", "a secret does not belong in this file"),
        ("[instance.a]\nserver = 'x'\n", "cannot read"),
    ] {
        operator.write("clawberth.toml", file).unwrap();
        let ended = ends(&operator, &APPLY, 2);
        assert!(ended.stderr.contains(said), "{ended}");
        assert!(!ended.stderr.contains("sk-canary"), "{ended}");
    }
    ends(&operator, &["update", "--resume"], 2);
}

/// One gateway does not bear it: it has what was before, and the others are not touched.
#[test]
fn a_policy_that_does_not_work_is_tried_once_and_taken_back() {
    let script = format!(
        "{AT_ONCE}[[fault]]\nkind = 'exec_fails'\nmatch = ' sh look '\nstderr = 'the gateway is not ready'\n"
    );
    let cloud = Cloud::up(1, &script).unwrap();
    let operator = governed(&cloud);
    let ended = ends(&operator, &APPLY, 1);
    assert!(ended.stderr.contains("watching the gateway: the gateway is not ready"), "{ended}");
    let is = statuses(&operator);
    assert_eq!([&*is["a"], &*is["b"], &*is["c"]], ["reverted", "waiting", "waiting"], "{ended}");
    let held = |name| operator.ok(&["ssh", name, "--", "clawberth-lab", "policy"]).unwrap();
    assert!(held("a").starts_with("before "), "{}", held("a"));
    ends(&operator, &["update", "--abort"], 1);
    let seen = access(&operator);
    assert!(seen.iter().all(|one| one["policy"] == serde_json::json!({})), "{seen:?}");
}

#[test]
fn it_is_gone_on_with_after_a_kill_and_can_be_taken_back_as_a_whole() {
    let cloud = Cloud::up(1, AT_ONCE).unwrap();
    let operator = governed(&cloud);
    let mut apply = operator.start_to(&APPLY, "uphold", Point::AfterAct, &[]).unwrap();
    apply.until_stopped().unwrap();
    apply.kill().unwrap();
    ends(&operator, &["update", "--resume"], 0);
    assert_eq!(rollout(&operator)["verdict"], "updated");
    assert!(access(&operator).iter().all(|one| one["as_in_the_file"] == true));
    let whole = std::fs::read(operator.state()).unwrap();
    assert!(!whole.windows(9).any(|part| part == b"sk-canary"), "a secret is in the state");

    operator
        .write(
            "clawberth.toml",
            &POLICY.replace("'111', '222'", "'333'").replace("owners = ['telegram:111']", ""),
        )
        .unwrap();
    let mut apply = operator.start_to(&APPLY, "enact", Point::AfterAct, &[]).unwrap();
    apply.until_stopped().unwrap();
    apply.kill().unwrap();
    ends(&operator, &["update", "--abort"], 1);
    let seen = access(&operator);
    assert!(seen.iter().all(|one| one["policy"]["owners"][0] == "telegram:111"), "{seen:?}");
}
