//! The parts of an update that only look.

use std::collections::BTreeSet;

use serde_json::json;

use super::script::Script;
use super::state::State;

/// What speaks for and against an update.
pub(super) fn preflight(state: &State, script: &Script, now: u64) -> String {
    let staged = state.releases.next.as_ref().is_some_and(|next| state.has(&next.release.version));
    let settings = &script.update;
    let runs = if state.is_ready(script, now) {
        json!({ "safe": settings.active == 0, "counts": { "totalActive": settings.active } }).to_string()
    } else {
        String::new()
    };
    format!(
        "{}node={}\nstaged={}\nstate_kb={}\ndisk_free_kb={}\nmemory_free_kb={}\nruns={runs}\n",
        facts(state, script, now),
        state.current().node,
        yes(staged),
        settings.state_kb,
        settings.disk_free_kb,
        settings.memory_free_kb,
    )
}

/// What stands.
pub(super) fn status(state: &State, script: &Script, now: u64) -> String {
    let armed = yes(state.releases.trial.is_some());
    let mut text = format!("{}armed={armed}\n{}", facts(state, script, now), releases(state));
    for (version, saved) in &state.releases.saved {
        text += &format!("saved={version} {} {}\n", saved.at / 1000, script.update.state_kb);
    }
    text
}

/// How the gateway does, or what is wrong with it.
pub(super) fn gate(state: &State, script: &Script, wanted: &str, now: u64) -> Result<String, String> {
    let current = state.current().version;
    if current != wanted {
        return Err(format!("this server is back at OpenClaw {current}"));
    }
    if !state.is_ready(script, now) {
        let log = state.releases.illness(now).unwrap_or_default();
        return Err(format!("OpenClaw {wanted} is not ready\n{log}"));
    }
    Ok(format!("serving={wanted}\nerrors=0\n"))
}

/// The releases that are installed.
pub(super) fn releases(state: &State) -> String {
    let current = state.current().version;
    let all: BTreeSet<&String> = state.releases.installed.iter().chain([&current]).collect();
    all.into_iter().map(|version| format!("release={version}\n")).collect()
}

fn facts(state: &State, script: &Script, now: u64) -> String {
    let serving = state.current().version;
    let ready = state.is_ready(script, now);
    let version = if ready { serving.as_str() } else { "" };
    let mut text = format!("serving={serving}\nversion={version}\nready={}\n", yes(ready));
    if let Some(trial) = &state.releases.trial {
        text += &format!("trial={} {}\n", trial.from.version, trial.to);
    }
    if let Some(reverted) = &state.releases.reverted {
        text += &format!("reverted={reverted}\n");
    }
    text + &format!("busy={}\n", yes(state.busy(script, now).is_some()))
}

fn yes(is: bool) -> &'static str {
    if is { "yes" } else { "no" }
}
