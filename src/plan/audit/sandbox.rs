//! Whether programs run in a sandbox, or not at all.

use super::config::config;
use super::{Expected, nothing};
use crate::model::audit::{Facts, Verdict};

/// `systemd-analyze security`, from 0 (shut in) to 10: what its podman was seen to work with.
const EXPOSURE: f64 = 2.5;
/// What an older image has in it was mended since: in seconds.
const IMAGE_LASTS: u64 = 60 * 24 * 3600;

pub(super) fn judge(expected: &Expected<'_>, facts: &Facts) -> Verdict {
    let wanted = expected.instance.spec.enacted.as_ref().is_some_and(|enacted| enacted.policy.sandbox);
    if wanted { works(facts) } else { is_not_there(facts) }
}

fn is_not_there(facts: &Facts) -> Verdict {
    let mut wrong = Vec::new();
    let mode = config(facts).and_then(|config| config.pointer("/agents/defaults/sandbox/mode").cloned());
    if mode.as_ref().and_then(|mode| mode.as_str()) != Some("off") {
        wrong.push("no policy has a sandbox, and the gateway wants one".to_owned());
    }
    match facts.one("sandbox.unit") {
        Some("inactive") => {}
        Some(state) => {
            wrong.push(format!("no policy has a sandbox, and openclaw-sandbox.service is {state}"))
        }
        None => wrong.push("whether something runs programs cannot be seen".to_owned()),
    }
    nothing(wrong, "no policy has one, and nothing runs programs")
}

fn works(facts: &Facts) -> Verdict {
    let mut wrong = Vec::new();
    let state = facts.one("sandbox.unit").unwrap_or("nothing that can be seen");
    if state != "active" {
        wrong.push(format!("openclaw-sandbox.service is {state}"));
    }
    match facts.one("sandbox.exposure").map(str::parse::<f64>) {
        Some(Ok(exposure)) if exposure <= EXPOSURE => {}
        Some(Ok(exposure)) => {
            wrong.push(format!("its unit is exposed {exposure} of 10, and {EXPOSURE} is the limit"));
        }
        Some(Err(_)) | None => wrong.push("systemd does not say how its unit is shut in".to_owned()),
    }
    wrong.extend(unlike(facts));
    let number = |key: &str| facts.one(key).and_then(|text| text.parse::<u64>().ok());
    let age = number("now").zip(number("sandbox.made")).map(|(now, made)| now.saturating_sub(made));
    match age {
        Some(age) if wrong.is_empty() && age > IMAGE_LASTS => {
            let days = age / 86400;
            Verdict::Warns(format!("its image is {days} days old; docs/policy.md says how to make another"))
        }
        Some(_) => nothing(wrong, "a run in it sees no network and none of the gateway's state"),
        None => {
            wrong.push("it has no image".to_owned());
            nothing(wrong, "")
        }
    }
}

/// What a run in it sees otherwise than it should.
fn unlike(facts: &Facts) -> Vec<String> {
    let seen = facts.all("sandbox.run");
    if seen.is_empty() {
        return vec!["nothing runs in it".to_owned()];
    }
    let accounts = facts.all("account").iter().filter_map(|account| account.strip_prefix("openclaw "));
    let user = accounts.filter_map(|account| account.split(' ').next()).next().unwrap_or("unknown");
    let wanted = [
        format!("user={user}"),
        "root=read-only".to_owned(),
        "network=lo".to_owned(),
        "home=./.openclaw ./.openclaw/sandboxes".to_owned(),
    ];
    let missing = wanted.iter().filter(|line| !seen.contains(line));
    let is = |line: &str| {
        let key = line.split('=').next().unwrap_or_default();
        let own = seen.iter().find_map(|seen| seen.strip_prefix(key)?.strip_prefix('='));
        format!("a run in it has {} for its {key}", own.unwrap_or("nothing"))
    };
    missing.map(|line| is(line)).collect()
}
