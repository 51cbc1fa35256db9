//! What goes wrong on hosts: every fault of the scripted hosts' script, at every step that talks to a host.
//!
//! The script is read when the lab starts, so that a fault is for whom its name says: each has an instance of its own.

use std::collections::BTreeSet;
use std::fmt;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::before;
use super::cell::clear;
use super::ground::Ground;
use super::scene::RECONCILE;
use super::update::{self, NEW, OLD};
use crate::bed::{Cloud, Ended, Halt, Operator, Running};

/// How long a command is given to get over a fault that lasts.
const PATIENCE: Duration = Duration::from_secs(6);
/// Longest wait for the end of a command: one that hangs is given up after a minute.
const END: Duration = Duration::from_secs(150);

/// The steps that talk to a host, and the command by which a fault finds each. `reach` and `prove-key` send none.
const STEPS: [(&str, &str); 28] = [
    ("trust", "instance-id"),
    ("make-host-key", "ssh-keygen -q -t ed25519"),
    ("switch-host-key", "systemctl reload ssh"),
    ("admit", "nft -f"),
    ("install", "/var/lib/clawberth/progress"),
    ("serve", "control-ui-config"),
    ("set-up", "systemd-run"),
    ("equip", "clawberth/update 0755"),
    ("survey", "^\\S*update preflight"),
    ("stage", "^\\S*update stage"),
    ("rehearse", "^\\S*update rehearse"),
    ("switch", "^\\S*update switch"),
    ("bake", "^\\S*update gate"),
    ("keep", "^\\S*update confirm"),
    ("prune", "^\\S*update prune"),
    ("roll-back", "^\\S*update rollback"),
    ("revert", "^\\S*update revert"),
    ("enact", " sh enact "),
    ("uphold", " sh confirm "),
    ("repeal", " sh repeal "),
    ("upgrade", "^sh -c .apt-get"),
    ("reboot", "systemctl reboot$"),
    ("reboot", "boot_id"),
    ("renew", "# Makes a standby"),
    ("rotate", "# Replaces the gateway"),
    ("revoke", "^sh -c .# Revokes"),
    ("give-keys", "mkdir -p .\\$\\{file"),
    ("take-keys", "grep -vF -e .\\$\\{key"),
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
        // a standby is known by the name that it is given
        let (hosts, more) = match step {
            Some("renew") => (
                "cb-*-standby-*".to_owned(),
                more.replacen("standby", &format!("standby[\\s\\S]* sh cb-\\S+-{instance}$"), 1),
            ),
            _ => (format!("cb-*-{instance}"), more.to_owned()),
        };
        let mut fault = format!("[[fault]]\nkind = '{kind}'\nhosts = '{hosts}'\n{count}{more}");
        if step == Some("revert") {
            fault += &format!(
                "[[fault]]\nkind = 'broken'\npart = 'gate'\nafter = '1s'\nversion = '{NEW}'\nhosts = 'cb-*-{instance}'\n"
            );
        }
        if step == Some("repeal") {
            fault += &format!(
                "[[fault]]\nkind = 'exec_fails'\nmatch = ' sh look '\nstderr = 'no luck'\nhosts = 'cb-*-{instance}'\n"
            );
        }
        let how_long = if lasts { "for ever" } else { "once" };
        let name = format!("hosts/{}/{kind} {how_long}", step.unwrap_or("any"));
        Self { name, instance, step, fault, lasts }
    }

    /// As the script has it.
    pub(super) fn script(&self) -> &str {
        &self.fault
    }

    /// Whether it is about a step of updates.
    pub(super) fn is_update(&self) -> bool {
        self.step.is_some_and(update::has)
    }

    /// Whether it is about a command that a host may take long for, so that the one who waits does not soon give it up.
    fn is_patient(&self) -> bool {
        self.is_update() || matches!(self.step, Some("rotate" | "renew"))
    }

    /// Brings about what the command finds, and gives that command.
    fn set_up(&self, operator: &Operator<'_>) -> Result<Vec<&str>> {
        let name = self.instance.as_str();
        let bake = if self.step == Some("revert") { "3s" } else { "0s" };
        let to_new = vec!["update", name, "--version", NEW, "--bake", bake, "--yes"];
        let deploy = ["deploy", name, "--yes"];
        if self.is_update() {
            operator.ok(&["deploy", name, "--version", OLD, "--yes"])?;
        }
        Ok(match self.step {
            Some("admit") => {
                operator.ok(&deploy)?;
                deploy.to_vec()
            }
            Some("set-up") => {
                before::run_another_release(name, operator)?;
                RECONCILE.to_vec()
            }
            Some("roll-back") => {
                operator.ok(&to_new)?;
                vec!["rollback", name, "--to", OLD, "--bake", "0s", "--yes"]
            }
            Some("enact" | "uphold" | "repeal") => {
                before::policy(operator)?;
                vec!["apply", name, "--bake", "0s", "--yes"]
            }
            Some("renew") => {
                before::standby(operator)?;
                deploy.to_vec()
            }
            Some("rotate") => {
                operator.ok(&deploy)?;
                vec!["rotate", name, "token", "--yes"]
            }
            Some("revoke") => {
                before::zone(operator)?;
                operator.ok(&["deploy", name, "--domain", "example.org", "--yes"])?;
                vec!["destroy", name, "--yes"]
            }
            Some("give-keys" | "take-keys") => {
                operator.ok(&deploy)?;
                vec!["keys", "rotate", "--yes"]
            }
            Some("upgrade" | "reboot") => vec!["update", name, "--os", "--bake", "0s", "--yes"],
            Some(step) if update::has(step) => to_new,
            _ => deploy.to_vec(),
        })
    }

    /// How long a command may take, and whether it is killed then.
    fn patience(&self) -> (Duration, bool) {
        let hangs = self.is_patient() && self.fault.contains("'hang'");
        if self.lasts || hangs { (PATIENCE, true) } else { (END, false) }
    }

    /// Whether the step is one that takes back what was in vain.
    fn is_in_vain(&self) -> bool {
        matches!(self.step, Some("revert" | "repeal"))
    }

    /// Whether a command that may take long has met the fault.
    fn is_met(&self, operator: &Operator<'_>, cloud: &Cloud) -> Result<bool> {
        // of what is no good beside it
        let more = usize::from(self.is_in_vain());
        Ok(!self.is_patient() || self.hits(operator, cloud)? > more)
    }

    /// Waits until a command that may take long has come to the fault, or to its end: what is cut off before that shows nothing.
    fn until_met(&self, running: &mut Running, operator: &Operator<'_>, cloud: &Cloud) -> Result<()> {
        let late = Instant::now() + END;
        while !self.is_met(operator, cloud)? && !running.has_ended()? && Instant::now() < late {
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// How many faults its server has met, by the lab's own record; none while it has no server.
    fn hits(&self, operator: &Operator<'_>, cloud: &Cloud) -> Result<usize> {
        let list: Value = serde_json::from_str(&operator.ok(&["list", "--json"])?)?;
        let mut all = list.as_array().into_iter().flatten();
        let known = all.find(|row| row["name"] == *self.instance);
        let Some(id) = known.and_then(|row| row["server"]["id"].as_u64()) else { return Ok(0) };
        let host = std::fs::read(cloud.path(&format!("lab/machines/{id}/host.json")))?;
        let host: Value = serde_json::from_slice(&host)?;
        let met = host["met"].as_object().context("a host that notes no faults")?;
        Ok(met.values().filter(|met| met["hits"].as_u64() > Some(0)).count())
    }

    /// What has to be when all is over.
    fn holds(&self, again: &Ended, operator: &Operator<'_>) -> Result<()> {
        let wanted = i32::from(self.is_in_vain());
        ensure!(again.code == Some(wanted), "{again}");
        let stages = operator.list()?;
        if self.step == Some("revoke") {
            ensure!(!stages.contains_key(&self.instance), "{stages:?} after {again}");
            return Ok(());
        }
        ensure!(
            stages.get(&self.instance).is_some_and(|stage| stage == "serving"),
            "{stages:?} after {again}"
        );
        match self.step {
            Some("upgrade" | "reboot" | "roll-back" | "revert") => {
                update::runs(&self.instance, OLD, operator)
            }
            Some("enact" | "uphold") => update::is_governed(&self.instance, operator),
            Some("repeal") => update::is_ungoverned(&self.instance, operator),
            Some(step) if update::has(step) => update::runs(&self.instance, NEW, operator),
            _ => Ok(()),
        }
        .with_context(|| again.to_string())
    }

    /// Deploys, sets up again, or updates, into the fault, goes on afterwards where it does not last, and removes everything.
    pub(super) fn play(&self, ground: &Ground) -> Result<()> {
        let operator = ground.player()?;
        let command = self.set_up(&operator)?;
        let variables: &[(&str, &str)] = if self.step == Some("admit") {
            &[("CLAWBERTH_ADMIN_NETWORKS", "127.0.0.0/8,192.0.2.0/24")]
        } else {
            &[]
        };
        let (patience, is_killed) = self.patience();
        let mut running = operator.start(&command, variables)?;
        self.until_met(&mut running, &operator, &ground.cloud)?;
        let ended = match running.halt(patience)? {
            Halt::TooLate if is_killed => running.kill()?,
            Halt::Stopped | Halt::Ended | Halt::TooLate => running.end(Duration::ZERO)?,
        };
        let met = || -> Result<()> {
            ensure!(self.is_met(&operator, &ground.cloud)?, "no command met the fault");
            Ok(())
        };
        let again = || -> Result<()> {
            let again = match self.is_update() {
                true => update::go_on(&command, variables, &operator)?,
                false => operator.run(&command, variables)?,
            };
            self.holds(&again, &operator)
        };
        let rest = if self.lasts { Ok(()) } else { again() };
        rest.and_then(|()| met())
            .and_then(|()| clear(&operator))
            .with_context(|| format!("{ended}--- and then"))
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
    STEPS.iter().map(|(step, _)| *step).chain(["reach", "prove-key"])
}
