//! What the gateway's configuration says, and the gateway itself.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{Expected, Judge, nothing};
use crate::model::audit::{Facts, Promise, Verdict};
use crate::model::flaw;
use crate::model::release::OpenClawVersion;
use crate::plan::policy::{broken, settings as settings_of};

/// What is judged here, and how.
pub(super) const JUDGES: &[Judge] = &[
    (Promise::Auth, |_, facts| settings(facts, &auth())),
    (Promise::Origins, |expected, facts| settings(facts, &origins(expected))),
    (Promise::Sessions, |expected, facts| settings(facts, &governed(expected, sessions()))),
    (Promise::Shell, |expected, facts| settings(facts, &governed(expected, shell()))),
    (Promise::Skills, |expected, facts| settings(facts, &governed(expected, skills()))),
    (Promise::Policy, policy),
    (Promise::Telemetry, |_, facts| settings(facts, &telemetry())),
    (Promise::Devices, |_, facts| devices(facts)),
    (Promise::OwnAudit, |_, facts| own_audit(facts)),
    (Promise::Release, release),
];

/// What must be set, by its place.
type Wanted = (&'static str, Value);

pub(super) fn config(facts: &Facts) -> Option<Value> {
    facts.one("config").and_then(|text| serde_json::from_str(text).ok())
}

/// What a policy sets is wanted as it sets it.
fn governed(expected: &Expected<'_>, wanted: Vec<Wanted>) -> Vec<Wanted> {
    let Some(enacted) = &expected.instance.spec.enacted else { return wanted };
    let set = settings_of(&enacted.policy);
    let by_policy = |(place, usual): Wanted| {
        let said = set.pointer(&pointer(place)).cloned();
        (place, said.unwrap_or(usual))
    };
    wanted.into_iter().map(by_policy).collect()
}

fn policy(expected: &Expected<'_>, facts: &Facts) -> Verdict {
    match (config(facts), &expected.instance.spec.enacted) {
        (None, _) => Verdict::Fails("the configuration cannot be read".to_owned()),
        (Some(_), None) => nothing(astray(expected, facts), "it has none, and is as it was born"),
        (Some(_), Some(enacted)) if enacted.stale => {
            Verdict::Fails("the gateway went back to an earlier time since it was brought".to_owned())
        }
        (Some(config), Some(enacted)) => {
            let wrong = [broken(&enacted.policy, &config), astray(expected, facts)].concat();
            nothing(wrong, "the gateway's configuration says the same, and the server's")
        }
    }
}

/// What lies otherwise on the server than the policy lays it there.
fn astray(expected: &Expected<'_>, facts: &Facts) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut missing: BTreeSet<&str> = expected.laid.keys().copied().collect();
    for (name, hash) in facts.all("laid").iter().filter_map(|line| line.split_once(' ')) {
        missing.remove(name);
        match expected.laid.get(name) {
            Some(text) if hash != sha256(text) => wrong.push(format!("{name} was changed")),
            Some(_) => {}
            None => wrong.push(format!("{name} is none of it")),
        }
    }
    wrong.extend(missing.iter().map(|name| format!("{name} is gone")));
    wrong
}

pub(super) fn sha256(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn pointer(place: &str) -> String {
    format!("/{}", place.replace('.', "/"))
}

fn settings(facts: &Facts, wanted: &[Wanted]) -> Verdict {
    match config(facts) {
        Some(config) => {
            nothing(wanted.iter().filter_map(|one| differs(&config, one)).collect(), sure(wanted))
        }
        None => Verdict::Fails("the configuration cannot be read".to_owned()),
    }
}

fn differs(config: &Value, (place, wanted): &Wanted) -> Option<String> {
    let is = config.pointer(&pointer(place)).unwrap_or(&Value::Null);
    (is != wanted).then(|| format!("{place} is {is}"))
}

/// What holds, for the eyes of somebody who knows OpenClaw.
fn sure(wanted: &[Wanted]) -> String {
    wanted
        .first()
        .map(|(place, value)| format!("{place} is {value}, and {} more", wanted.len() - 1))
        .unwrap_or_default()
}

fn auth() -> Vec<Wanted> {
    vec![
        ("gateway.auth.mode", json!("token")),
        ("gateway.bind", json!("loopback")),
        ("gateway.auth.allowTailscale", json!(false)),
        ("gateway.allowRealIpFallback", json!(false)),
        ("gateway.tailscale.mode", json!("off")),
        ("gateway.auth.rateLimit.maxAttempts", json!(10)),
    ]
}

fn origins(expected: &Expected<'_>) -> Vec<Wanted> {
    let origin = expected.instance.endpoint().map(|endpoint| endpoint.origin());
    vec![
        ("gateway.controlUi.allowedOrigins", json!([origin])),
        ("gateway.publicOrigin", json!(origin)),
        ("gateway.controlUi.allowExternalEmbedUrls", json!(false)),
        ("gateway.controlUi.embedSandbox", json!("strict")),
    ]
}

fn sessions() -> Vec<Wanted> {
    vec![
        ("session.dmScope", json!("per-channel-peer")),
        ("session.scope", json!("per-sender")),
        ("session.groupScope", json!("per-group")),
        ("tools.sessions.visibility", json!("agent")),
        ("tools.agentToAgent.enabled", json!(false)),
    ]
}

fn shell() -> Vec<Wanted> {
    vec![
        ("gateway.terminal.enabled", json!(false)),
        ("gateway.cliAgents.enabled", json!(false)),
        ("tools.profile", json!("messaging")),
        ("tools.exec.security", json!("deny")),
        ("tools.elevated.enabled", json!(false)),
        ("browser.enabled", json!(false)),
        ("commands.bash", json!(false)),
        ("commands.config", json!(false)),
        ("commands.mcp", json!(false)),
        ("commands.plugins", json!(false)),
        ("commands.debug", json!(false)),
        ("commands.restart", json!(false)),
    ]
}

fn skills() -> Vec<Wanted> {
    vec![
        ("skills.allowBundled", json!([])),
        ("agents.defaults.skills", json!([])),
        ("skills.install.allowUploadedArchives", json!(false)),
    ]
}

fn telemetry() -> Vec<Wanted> {
    vec![
        ("telemetry.enabled", json!(false)),
        ("update.checkOnStart", json!(false)),
        ("update.auto.enabled", json!(false)),
        ("gateway.controlUi.communityInvite", json!(false)),
        ("gateway.controlUi.automaticallyFetchFavicons", json!(false)),
    ]
}

fn devices(facts: &Facts) -> Verdict {
    let count = |key: &str, list: &str| {
        let counts = facts.all(key).iter().filter_map(|line| line.split_once(' '));
        counts.filter(|(name, _)| *name == list).find_map(|(_, count)| count.parse::<u32>().ok())
    };
    match (count("devices", "pending"), count("devices", "paired"), count("nodes", "paired")) {
        (Some(pending @ 1..), ..) => Verdict::Fails(format!("{pending} wait for approval")),
        (_, _, Some(nodes @ 1..)) => Verdict::Fails(format!("{nodes} nodes are paired")),
        (Some(0), Some(devices), Some(0)) => Verdict::Holds(format!("{devices} paired, none waits")),
        _ => Verdict::Fails("the gateway does not tell of its devices".to_owned()),
    }
}

fn own_audit(facts: &Facts) -> Verdict {
    let answer: Option<Value> = facts.one("own_audit").and_then(|text| serde_json::from_str(text).ok());
    let Some(answer) = answer else { return Verdict::Fails("it did not end".to_owned()) };
    let count = |key: &str| answer.get(key).and_then(Value::as_u64);
    match (count("critical"), count("warn")) {
        (Some(0), Some(warnings)) => Verdict::Holds(format!("nothing critical, {warnings} warnings")),
        (Some(critical), _) => {
            let checks = answer.get("checks").map(Value::to_string).unwrap_or_default();
            Verdict::Fails(format!("{critical} critical: {checks}"))
        }
        (None, _) => Verdict::Fails("its answer cannot be read".to_owned()),
    }
}

fn release(expected: &Expected<'_>, facts: &Facts) -> Verdict {
    let recorded = expected.instance.spec.release.openclaw;
    match facts.one("version").map(str::parse::<OpenClawVersion>) {
        Some(Ok(runs)) if runs != recorded => {
            Verdict::Fails(format!("it runs {runs}, and its record has {recorded}"))
        }
        Some(Ok(runs)) => match flaw::of(expected.flaws, runs) {
            Some(open) => Verdict::Fails(format!("{runs} has holes that are known and used: {open}")),
            None => Verdict::Holds(format!("OpenClaw {runs}")),
        },
        Some(Err(_)) | None => Verdict::Fails("the gateway does not say what it is".to_owned()),
    }
}
