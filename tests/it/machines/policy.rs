//! A policy on a real gateway: it is in force there, not only written down; what its user has set stays; and what does not work is
//! gone back from. People write by a stand-in for Telegram, and a stand-in for a model answers.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::bed::Bed;
use super::breakage::{Shows, break_it, mend_it};
use super::parts::NAME;

const POLICY: &str = "\
[policy]
owners = ['telegram:111']
model = 'local/small'
providers.local = { url = 'http://127.0.0.1:28999/v1', api = 'openai-completions', key = 'file:model.key' }
senders = { 'telegram:111' = 'full', 'telegram:222' = 'none', '*' = 'read-only' }

[policy.channels.telegram]
token = 'env:BOT_TOKEN'
allow = ['111', '222']
groups = ['-100500']
";

pub(super) const KEY: &str = "sk-canary-model";
const TOKEN: &str = "123:canary-bot-token";

#[test]
#[ignore = "four minutes: `make test-policy`"]
fn a_policy_is_in_force_and_what_does_not_work_is_gone_back_from() {
    let Some(bed) = Bed::up() else { return };
    bed.ok(&["deploy", NAME, "--yes"]);
    stand_ins(&bed);
    std::fs::write(bed.scratch("model.key"), format!("{KEY}\n")).unwrap();
    write(&bed, POLICY);
    applied(&bed);
    all_promises_hold(&bed);
    who_is_let_in_is_answered_and_nobody_else(&bed);
    no_secret_is_anywhere_else(&bed);
    a_kill_on_the_server_costs_nothing(&bed);
    what_does_not_start_is_gone_back_from(&bed);
    what_the_release_does_not_know_is_refused_before_anything_changes(&bed);
    without_a_policy_all_is_as_at_birth(&bed);
    bed.ok(&["destroy", NAME, "--yes"]);
}

pub(super) fn write(bed: &Bed, policy: &str) {
    std::fs::write(bed.scratch("clawberth.toml"), policy).unwrap();
}

/// The stand-ins; and what a user has set in the dashboard: where Telegram is, and a label.
pub(super) fn stand_ins(bed: &Bed) {
    let program = include_str!("stand_ins.js");
    bed.on(NAME, &format!("cat >/root/stand_ins.js <<'END'\n{program}\nEND\nsystemd-run --quiet --unit=stand-ins /opt/node/current/bin/node /root/stand_ins.js"));
    let own = json!({
        "channels": { "telegram": {
            "enabled": false, "apiRoot": "http://127.0.0.1:28998", "network": { "dangerouslyAllowPrivateNetwork": true },
        } },
        "gateway": { "controlUi": { "environment": { "label": "mine", "color": "teal" } } },
    });
    bed.on(NAME, &format!("echo '{own}' | openclaw config patch --stdin"));
}

pub(super) fn apply(bed: &Bed, code: i32) -> String {
    let mut command = bed.command(&["apply", NAME, "--bake", "5s", "--yes"]);
    let output = command.env("BOT_TOKEN", TOKEN).env("CLAWBERTH_LOG", "trace").output().unwrap();
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{said}");
    for secret in [KEY, TOKEN] {
        assert!(!said.contains(secret), "a secret was told");
    }
    said
}

pub(super) fn setting(bed: &Bed, place: &str) -> String {
    let read = format!(
        "/opt/node/current/bin/node -p 'JSON.stringify(require(\"/var/lib/openclaw/.openclaw/openclaw.json\").{place})'"
    );
    bed.on(NAME, &read).trim().to_owned()
}

fn applied(bed: &Bed) {
    let said = apply(bed, 0);
    let line = said.lines().find(|line| line.contains("policy in force")).unwrap();
    eprintln!("{line}");
    assert_eq!(setting(bed, "channels.telegram.apiRoot"), "\"http://127.0.0.1:28998\"", "the user's own");
    assert_eq!(setting(bed, "gateway.controlUi.environment.label"), "\"mine\"");
    assert_eq!(setting(bed, "channels.telegram.botToken.id"), "\"/channel/telegram\"");
    let nothing = apply(bed, 0);
    assert!(nothing.contains("1 instance already: governed by its policy"), "{nothing}");
}

/// All that is promised holds, what the policy says among it.
pub(super) fn holds(bed: &Bed) {
    let output = bed.run(&["audit", NAME]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

fn all_promises_hold(bed: &Bed) {
    holds(bed);
    bed.on(NAME, "echo '{ channels: { telegram: { allowFrom: [\"*\"], dmPolicy: \"open\" } } }' | openclaw config patch --stdin");
    let output = bed.run(&["audit", NAME, "--json"]);
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    let broken: Vec<&str> = answer["instances"][0]["promises"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|finding| finding["verdict"] == "fail")
        .map(|finding| finding["promise"].as_str().unwrap())
        .collect();
    assert!(broken.contains(&"policy"), "{broken:?}");
    bed.on(NAME, "echo '{ channels: { telegram: { allowFrom: [\"111\", \"222\"], dmPolicy: \"allowlist\" } } }' | openclaw config patch --stdin");
    holds(bed);
}

/// Somebody writes, in private or in a group.
pub(super) fn writes(bed: &Bed, who: u32, group: Option<i64>, text: &str) {
    let chat = match group {
        Some(id) => json!({ "id": id, "type": "supergroup", "title": "g" }),
        None => json!({ "id": who, "type": "private", "first_name": format!("u{who}") }),
    };
    let mut message = json!({ "from": { "id": who, "is_bot": false, "first_name": format!("u{who}") }, "chat": chat, "text": text });
    if text.starts_with("@claw_bot") {
        message["entities"] = json!([{ "type": "mention", "offset": 0, "length": 9 }]);
    }
    bed.on(NAME, &format!("curl -fsS -d '{message}' http://127.0.0.1:28998/push"));
}

pub(super) fn seen(bed: &Bed) -> Value {
    serde_json::from_str(&bed.on(NAME, "curl -fsS http://127.0.0.1:28998/seen")).unwrap()
}

/// What the model was asked about a text.
fn asked(bed: &Bed, text: &str) -> Vec<Value> {
    let all = seen(bed)["asked"].as_array().unwrap().clone();
    all.into_iter().filter(|one| one["said"].as_str().unwrap().contains(text)).collect()
}

/// Waits for the answer to what somebody has written.
pub(super) fn answered(bed: &Bed, text: &str) -> Value {
    let late = Instant::now() + Duration::from_secs(90);
    loop {
        if let Some(one) = asked(bed, text).first() {
            return one.clone();
        }
        assert!(Instant::now() < late, "nobody asked the model about {text}: {}", seen(bed));
        std::thread::sleep(Duration::from_millis(500));
    }
}

fn who_is_let_in_is_answered_and_nobody_else(bed: &Bed) {
    writes(bed, 333, None, "stranger-word");
    writes(bed, 111, Some(-100_500), "unmentioned-word");
    writes(bed, 111, Some(-100_777), "@claw_bot elsewhere-word");
    writes(bed, 333, Some(-100_500), "@claw_bot strangers-mention");
    writes(bed, 111, None, "owner-word");
    let owner = answered(bed, "owner-word");
    assert_eq!((&owner["model"], &owner["key"]), (&json!("small"), &json!(format!("Bearer {KEY}"))));
    assert!(!owner["tools"].as_array().unwrap().is_empty(), "the owner has tools: {owner}");
    writes(bed, 222, None, "guest-word");
    let guest = answered(bed, "guest-word");
    assert_eq!(guest["tools"], json!([]), "a guest has none: {guest}");
    assert!(!guest["said"].as_str().unwrap().contains("owner-word"), "two senders share a session: {guest}");
    writes(bed, 111, Some(-100_500), "@claw_bot mentioned-word");
    let mentioned = answered(bed, "mentioned-word");
    assert!(
        !mentioned["said"].as_str().unwrap().contains("owner-word"),
        "a group shares a session: {mentioned}"
    );
    for text in ["stranger-word", "elsewhere-word", "strangers-mention"] {
        assert!(asked(bed, text).is_empty(), "{text} was answered");
    }
    // heard in the group it may be, as what was said before; it was not answered by itself
    let alone = asked(bed, "unmentioned-word");
    assert!(alone.iter().all(|one| one["said"].as_str().unwrap().contains("mentioned-word")), "{alone:?}");
    let late = Instant::now() + Duration::from_secs(30);
    let to = |who: &str| seen(bed)["sent"].as_array().unwrap().iter().any(|one| one["to"] == who);
    while !(to("111") && to("222") && to("-100500")) {
        assert!(Instant::now() < late, "{}", seen(bed)["sent"]);
        std::thread::sleep(Duration::from_millis(500));
    }
    assert!(!to("333") && !to("-100777"), "{}", seen(bed)["sent"]);
    assert_eq!(seen(bed)["sent"][0]["token"], format!("bot{TOKEN}"));
}

/// On the server they are in one file, its owner's alone, and in what is kept to go back to; elsewhere nowhere.
fn no_secret_is_anywhere_else(bed: &Bed) {
    for secret in [KEY, TOKEN] {
        for file in
            ["state.sqlite", "state.sqlite-wal", "lab/requests.jsonl", "lab/cloud.db", "lab/cloud.db-wal"]
        {
            let bytes = std::fs::read(bed.scratch(file)).unwrap_or_default();
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "a secret is in {file}");
        }
        let journal = format!("journalctl --no-pager | grep -c -- '{secret}' || true");
        assert_eq!(bed.on(NAME, &journal), "0\n", "a secret is in the journal");
        let places = format!(
            "grep -rlIs -- '{secret}' /etc /var /run /root /opt/node /usr/local --exclude-dir=journal || true"
        );
        assert_eq!(bed.on(NAME, &places), "/var/lib/openclaw/secrets.json\n");
    }
    assert_eq!(bed.on(NAME, "stat -c '%a %U' /var/lib/openclaw/secrets.json"), "600 openclaw\n");
    let listed = bed.on(NAME, "ps axww; cat /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n'");
    assert!(![KEY, TOKEN].iter().any(|secret| listed.contains(secret)), "a secret is in a process");
    for command in [
        vec!["access", NAME, "--json"],
        vec!["list", "--json"],
        vec!["state", "export"],
        vec!["update", "--status", "--json"],
    ] {
        let said = bed.ok(&command);
        assert!(![KEY, TOKEN].iter().any(|secret| said.contains(secret)), "{command:?} tells a secret");
    }
}

/// The script is killed in the middle of bringing another policy; the next one brings it.
fn a_kill_on_the_server_costs_nothing(bed: &Bed) {
    write(bed, &POLICY.replace("'111', '222'", "'111'"));
    let mut command = bed.command(&["apply", NAME, "--bake", "0s", "--yes"]);
    let apply = command.env("BOT_TOKEN", TOKEN).stderr(std::process::Stdio::null()).spawn().unwrap();
    bed.on(NAME, "timeout 60 sh -c 'until [ -e /var/lib/clawberth/policy/before ]; do sleep 0.05; done'; pkill -KILL -f '^sh -c # [B]rings a policy' || true");
    let output = apply.wait_with_output().unwrap();
    eprintln!("after a kill on the server: {}", output.status);
    if !output.status.success() {
        bed.run(&["update", "--abort"]);
        self::apply(bed, 0);
    }
    assert_eq!(setting(bed, "channels.telegram.allowFrom"), "[\"111\"]");
    write(bed, POLICY);
    self::apply(bed, 0);
    assert_eq!(setting(bed, "channels.telegram.allowFrom"), "[\"111\",\"222\"]");
}

/// A release that does not start with it.
fn what_does_not_start_is_gone_back_from(bed: &Bed) {
    break_it(
        bed,
        "import { readFileSync } from \"node:fs\";
        if (readFileSync(\"/var/lib/openclaw/.openclaw/openclaw.json\", \"utf8\").includes(\"per-account\")) process.exit(78);",
        Shows::Always,
    );
    write(
        bed,
        &format!("{}\n", POLICY.replace("[policy]\n", "[policy]\nsessions = 'per-account-channel-peer'\n")),
    );
    let said = apply(bed, 1);
    eprintln!("{}", said.lines().find(|line| line.contains("policy does not work")).unwrap());
    assert!(said.contains("ended with 78") && said.contains("what served before serves again"), "{said}");
    mend_it(bed);
    assert_eq!(setting(bed, "session.dmScope"), "\"per-channel-peer\"");
    bed.run(&["update", "--abort"]);
    write(bed, POLICY);
    holds(bed);
    assert!(
        !bed.run(&["ssh", NAME, "--", "test", "-e", "/var/lib/clawberth/policy/before"]).status.success()
    );
}

/// The release's own check says no: here because somebody has written what it does not know into its configuration, which the
/// gateway that runs passes over.
fn what_the_release_does_not_know_is_refused_before_anything_changes(bed: &Bed) {
    let file = "/var/lib/openclaw/.openclaw/openclaw.json";
    bed.on(NAME, &format!("cp -p {file} /root/own.json; sed -i '0,/{{/s//{{ \"totallyUnknown\": 1,/' {file}; chown openclaw:openclaw {file}; sleep 3"));
    let life = format!(
        "systemctl show --property=MainPID openclaw.service; md5sum {file} /var/lib/openclaw/secrets.json"
    );
    let before = bed.on(NAME, &life);
    write(bed, &POLICY.replace("'111', '222'", "'111'"));
    let said = apply(bed, 1);
    assert!(said.contains("refuses the policy: ") && said.contains("totallyUnknown"), "{said}");
    assert_eq!(bed.on(NAME, &life), before, "the gateway was touched");
    bed.on(NAME, &format!("cp -p /root/own.json {file}; sleep 3"));
    bed.run(&["update", "--abort"]);
    write(bed, POLICY);
    holds(bed);
}

fn without_a_policy_all_is_as_at_birth(bed: &Bed) {
    write(bed, "");
    apply(bed, 0);
    for (place, is) in [
        ("channels.telegram", "undefined"),
        ("models?.providers?.local", "undefined"),
        ("agents.defaults.model", "undefined"),
        ("tools.profile", "\"messaging\""),
        ("gateway.controlUi.environment.label", "\"mine\""),
    ] {
        assert_eq!(setting(bed, place), is, "{place}");
    }
    let secrets = bed.on(NAME, "cat /var/lib/openclaw/secrets.json");
    assert!(!secrets.contains(KEY) && !secrets.contains(TOKEN), "secrets that nobody needs are left");
    holds(bed);
}
