//! Updates and rollbacks: how a user goes on with one that was cut off or failed, and what has to have come of it.

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::bed::{Ended, Operator};

pub(super) const OLD: &str = "2026.9.5";
pub(super) const NEW: &str = "2026.9.6";

/// What is taken in updates only.
const STEPS: [&str; 17] = [
    "equip",
    "survey",
    "stage",
    "rehearse",
    "switch",
    "roll-back",
    "bake",
    "keep",
    "relabel",
    "prune",
    "revert",
    "settle",
    "upgrade",
    "reboot",
    "enact",
    "uphold",
    "repeal",
];

/// Whether a step belongs to updates.
pub(super) fn has(step: &str) -> bool {
    STEPS.contains(&step)
}

/// Looks where the update stands, and does what there is to do: goes on with it; or, where hosts failed, ends it and begins
/// anew; or begins it, where it never was or is over.
pub(super) fn go_on(command: &[&str], variables: &[(&str, &str)], operator: &Operator<'_>) -> Result<Ended> {
    let status = operator.run(&["update", "--status", "--json"], &[])?;
    let state = match status.code {
        Some(0) => serde_json::from_str::<Value>(&status.stdout)?["state"].as_str().map(ToOwned::to_owned),
        _ => None,
    };
    match state.as_deref() {
        None | Some("finished") => operator.run(command, variables),
        Some("stopped") => {
            let aborted = operator.run(&["update", "--abort"], variables)?;
            ensure!(aborted.code.is_some(), "{aborted}");
            operator.run(command, variables).with_context(|| aborted.to_string())
        }
        Some(_) => operator.run(&["update", "--resume"], variables),
    }
}

/// Sees that an instance runs a release, by the state.
pub(super) fn runs(name: &str, release: &str, operator: &Operator<'_>) -> Result<()> {
    let list: Value = serde_json::from_str(&operator.ok(&["list", "--json"])?)?;
    let row = list.as_array().and_then(|rows| rows.iter().find(|row| row["name"] == name));
    ensure!(row.is_some_and(|row| row["openclaw"] == release), "{name} is not at {release}: {list}");
    Ok(())
}

/// Sees that its server did something just once: `switch 2026.9.6`.
pub(super) fn was_done_once(name: &str, what: &str, operator: &Operator<'_>) -> Result<()> {
    let updates = operator.ok(&["ssh", name, "--", "clawberth-lab", "updates"])?;
    let times = updates.lines().filter(|line| line.ends_with(what)).count();
    ensure!(times == 1, "{what} {times} times:\n{updates}");
    Ok(())
}

/// Sees that the policy of the file holds, by the state and on its server.
pub(super) fn is_governed(name: &str, operator: &Operator<'_>) -> Result<()> {
    let access = operator.ok(&["access", name, "--json"])?;
    let said: Value = serde_json::from_str(&access)?;
    ensure!(said[0]["as_in_the_file"] == true && said[0]["policy"]["tools"] == "minimal", "{access}");
    let change = operator.ok(&["ssh", name, "--", "clawberth-lab", "policy"])?;
    ensure!(!change.contains("before"), "{change}");
    Ok(())
}

/// Sees that no policy holds, and that one was taken back.
pub(super) fn is_ungoverned(name: &str, operator: &Operator<'_>) -> Result<()> {
    let access = operator.ok(&["access", name, "--json"])?;
    let said: Value = serde_json::from_str(&access)?;
    ensure!(said[0]["policy"] == serde_json::json!({}), "{access}");
    let change = operator.ok(&["ssh", name, "--", "clawberth-lab", "policy"])?;
    ensure!(change.starts_with("before "), "{change}");
    Ok(())
}

/// Sees that its server does not ask for a new start any more.
pub(super) fn has_started_anew(name: &str, operator: &Operator<'_>) -> Result<()> {
    let look = ["cat", "/proc/sys/kernel/random/boot_id", "/run/reboot-required"];
    let said = operator.ok(&[&["ssh", name, "--"], look.as_slice()].concat())?;
    ensure!(said.ends_with("\nno\n"), "{said}");
    Ok(())
}
