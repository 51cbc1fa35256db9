//! A rollout in words.

use serde_json::{Value, json};

use crate::cli::Failure;
use crate::cli::context::Context;
use crate::clock::tenths;
use crate::model::rollout::{Change, Host, Rollout, State, Status, Verdict};
use crate::ui::{counted, table};

/// What is done to each instance.
pub(super) fn change(change: &Change) -> String {
    match change {
        Change::Release { release } => format!("update to {release}"),
        Change::Rollback { to } => format!("go back to OpenClaw {to}, with the state that it had"),
        Change::Os => "install the security updates of the system".to_owned(),
        Change::Policy { .. } => "bring the policy of clawberth.toml".to_owned(),
    }
}

/// What is going to be done: the waves, and the rules.
pub(super) fn plan(rollout: &Rollout) -> Vec<String> {
    let Rollout { settings, hosts, .. } = rollout;
    let mut lines = vec![format!("plan: {}", change(&rollout.change))];
    let last = hosts.iter().map(|host| host.wave).max().unwrap_or(0);
    for wave in 1..=last {
        let names: Vec<&str> =
            hosts.iter().filter(|host| host.wave == wave).map(|host| host.name.as_str()).collect();
        lines.push(format!("  wave {wave}: {}", names.join(" ")));
    }
    for host in hosts.iter().filter(|host| host.wave == 0) {
        let (name, why) = (&host.name, host.status.why().unwrap_or_default());
        let becomes = if host.status.is_failed() { "counted as failed" } else { "left out" };
        lines.push(format!("  {becomes}: {name}, {why}"));
    }
    let window = settings.window.as_ref().map(|window| format!(", only {window}")).unwrap_or_default();
    lines.push(format!(
        "  {} may fail, {} at once at most, bake {}, on failure {}{window}",
        rollout.budget(),
        settings.max_parallel,
        settings.bake,
        settings.on_failure
    ));
    lines
}

/// The answer: where each host stands.
pub(super) fn answer(rollout: &Rollout, context: &mut Context) -> Result<(), Failure> {
    if context.ui.style().json {
        let host = |host: &Host| {
            json!({
                "name": host.name,
                "wave": host.wave,
                "status": host.status.word(),
                "since": host.status.since().map(|at| at.to_string()),
                "why": host.status.why(),
                "acknowledged": host.acknowledged,
                "downtime_ms": host.unanswered_ms,
            })
        };
        let hosts: Vec<Value> = rollout.hosts.iter().map(host).collect();
        let verdict = if let State::Finished(verdict) = rollout.state { Some(verdict) } else { None };
        context.ui.json(&json!({
            "rollout": rollout.id,
            "change": rollout.change,
            "state": rollout.state.word(),
            "verdict": verdict,
            "begun": rollout.begun.to_string(),
            "hosts": hosts,
        }))?;
        return Ok(());
    }
    let mut rows = vec![["NAME", "WAVE", "STATUS", "NO ANSWER FOR", "WHY"].map(str::to_owned).to_vec()];
    rows.extend(rollout.hosts.iter().map(|host| {
        let wave = if host.wave == 0 { "-".to_owned() } else { host.wave.to_string() };
        let time = host.unanswered().map_or_else(|| "-".to_owned(), tenths);
        let why = host.status.why().unwrap_or("-").to_owned();
        vec![host.name.to_string(), wave, host.status.word().to_owned(), time, why]
    }));
    context.ui.answer(&table(&rows))?;
    context.ui.note(&summary(rollout));
    Ok(())
}

/// The rollout in one line.
fn summary(rollout: &Rollout) -> String {
    let mut counts: Vec<(&'static str, usize)> = Vec::new();
    for host in &rollout.hosts {
        let word = host.status.word();
        match counts.iter_mut().find(|(known, _)| *known == word) {
            Some((_, count)) => *count += 1,
            None => counts.push((word, 1)),
        }
    }
    let counts: Vec<String> = counts.into_iter().map(|(word, count)| format!("{count} {word}")).collect();
    let is = match rollout.state {
        State::Finished(verdict) => verdict_in_words(verdict),
        state => state.word(),
    };
    format!("rollout {}: {is}; {}", rollout.id, counts.join(", "))
}

fn verdict_in_words(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Updated => "done",
        Verdict::Incomplete => "done, but for those that failed",
        Verdict::Stopped => "stopped",
        Verdict::WentBack => "went back",
        Verdict::Aborted => "aborted",
    }
}

/// What to do about a rollout that did not end as it was to.
pub(super) fn advice(rollout: &Rollout) -> String {
    let down: Vec<&str> = rollout
        .hosts
        .iter()
        .filter(|host| matches!(host.status, Status::Down { .. }))
        .map(|host| host.name.as_str())
        .collect();
    let what = match rollout.state {
        State::Stopped => format!("stopped: {} failed", counted(rollout.failed(), "instance")),
        State::Finished(verdict) => verdict_in_words(verdict).to_owned(),
        state => state.word().to_owned(),
    };
    let hint = match (down.as_slice(), rollout.state) {
        ([first, ..], _) => format!("look at {}: `clawberth ssh {first}`", down.join(", ")),
        ([], State::Stopped) => {
            "once you have seen why, `clawberth update --resume --acknowledge` goes on with \
             the others, and `clawberth update --abort` ends it"
                .to_owned()
        }
        ([], State::Finished(_)) if matches!(rollout.change, Change::Policy { .. }) => {
            "`clawberth apply` again tries those that are left".to_owned()
        }
        ([], State::Finished(Verdict::Updated)) => {
            "`clawberth reconcile --apply` mends what is left".to_owned()
        }
        ([], _) => "`clawberth update` again tries those that are left".to_owned(),
    };
    format!("{what}\nhint: {hint}")
}
