//! What goes wrong on hosts: every fault of the scripted hosts' script, at every step that talks to a host.
//!
//! The script is read when the lab starts, so that a fault is for whom its name says: each has an instance of its own.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use super::before;
use super::cell::clear;
use super::ground::Ground;
use super::scene::RECONCILE;
use crate::bed::{Cloud, Halt};

/// How long a command is given to get over a fault that lasts.
const PATIENCE: Duration = Duration::from_secs(6);
/// Longest wait for the end of a command: one that hangs is given up after a minute.
const END: Duration = Duration::from_secs(150);

/// The steps that talk to a host, and the command by which a fault finds each. `reach` sends none.
const STEPS: [(&str, &str); 5] = [
    ("trust", "instance-id"),
    ("admit", "nft -f"),
    ("install", "/var/lib/clawberth/progress"),
    ("serve", "control-ui-config"),
    ("set-up", "systemd-run"),
];

/// The kinds that strike a command, with what they need.
const AT_COMMANDS: [(&str, &str); 4] = [
    ("ssh_reset", ""),
    ("slow", "delay = '700ms'\n"),
    ("hang", ""),
    ("exec_fails", "stderr = 'no such luck'\n"),
];

/// The other kinds, with what they need.
const AT_HOSTS: [(&str, &str); 5] = [
    ("ssh_refused", ""),
    ("wrong_host_key", ""),
    ("part_failed", "part = 'node'\nlog = 'no luck'\n"),
    ("unready", "delay = '700ms'\n"),
    ("broken", "part = 'switch'\n"),
];

/// A fault, and the instance that it befalls.
pub(super) struct HostCell {
    name: String,
    instance: String,
    step: Option<&'static str>,
    fault: String,
    lasts: bool,
}

/// All of them; those that take long come first.
pub(super) fn cells() -> Vec<HostCell> {
    let mut cells = Vec::new();
    for lasts in [false, true] {
        for (kind, more) in AT_COMMANDS {
            for (step, command) in STEPS {
                cells.push(HostCell::new(
                    cells.len(),
                    kind,
                    &format!("match = '{command}'\n{more}"),
                    Some(step),
                    lasts,
                ));
            }
        }
        for (kind, more) in AT_HOSTS {
            cells.push(HostCell::new(cells.len(), kind, more, None, lasts));
        }
    }
    cells.sort_by_key(|cell| !cell.fault.contains("'hang'"));
    cells
}

impl HostCell {
    fn new(number: usize, kind: &str, more: &str, step: Option<&'static str>, lasts: bool) -> Self {
        let instance = format!("h{number}");
        let count = if lasts { "" } else { "count = 1\n" };
        let fault = format!("[[fault]]\nkind = '{kind}'\nhosts = 'cb-*-{instance}'\n{count}{more}");
        let how_long = if lasts { "for ever" } else { "once" };
        let name = format!("hosts/{}/{kind} {how_long}", step.unwrap_or("any"));
        Self { name, instance, step, fault, lasts }
    }

    /// As the script has it.
    pub(super) fn script(&self) -> &str {
        &self.fault
    }

    /// Deploys, or sets up again, into the fault, goes on afterwards where it does not last, and removes everything.
    pub(super) fn play(&self, ground: &Ground) -> Result<()> {
        let operator = ground.player()?;
        let deploy: &[&str] = &["deploy", &self.instance, "--yes"];
        let mut variables: Vec<(&str, &str)> = Vec::new();
        if self.step == Some("admit") {
            operator.ok(deploy)?;
            variables.push(("CLAWBERTH_ADMIN_NETWORKS", "127.0.0.0/8,192.0.2.0/24"));
        }
        let command = if self.step == Some("set-up") {
            before::run_another_release(&self.instance, &operator)?;
            RECONCILE
        } else {
            deploy
        };
        let mut running = operator.start(command, &variables)?;
        let ended = match running.halt(if self.lasts { PATIENCE } else { END })? {
            Halt::Stopped | Halt::Ended => running.end(Duration::ZERO)?,
            Halt::TooLate if self.lasts => running.kill()?,
            Halt::TooLate => running.end(Duration::ZERO)?,
        };
        let again = || -> Result<()> {
            let again = operator.run(command, &variables)?;
            ensure!(again.code == Some(0), "{again}");
            let stages = operator.list()?;
            ensure!(
                stages.get(&self.instance).is_some_and(|stage| stage == "serving"),
                "{stages:?} after {again}"
            );
            Ok(())
        };
        let rest = if self.lasts { Ok(()) } else { again() };
        rest.and_then(|()| clear(&operator)).with_context(|| format!("{ended}--- and then"))
    }
}

impl fmt::Display for HostCell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// The list is whole: what the lab says against a script with a kind that it does not have names all kinds.
pub(super) fn nothing_is_missing() -> Result<()> {
    let refusal =
        Cloud::up(1, "[[fault]]\nkind = 'none'\n").err().context("a lab took a fault that there is not")?;
    let said = format!("{refusal:#}");
    let kinds = said.split("expected one of").nth(1).unwrap_or_default();
    let kinds: BTreeSet<&str> = kinds.split('`').skip(1).step_by(2).collect();
    let known = AT_COMMANDS.iter().chain(&AT_HOSTS).map(|(kind, _)| *kind).collect();
    ensure!(kinds == known, "scripted hosts have the faults {kinds:?}, the matrix {known:?}: {said}");
    Ok(())
}

/// Every step that neither asks the API for anything nor is only written down has to be here.
pub(super) fn steps() -> impl Iterator<Item = &'static str> {
    STEPS.iter().map(|(step, _)| *step).chain(["reach"])
}
