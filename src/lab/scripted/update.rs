//! The parts of an update, as a server's own `update` does and answers them.

use tokio::time::sleep;

use super::clock::{millis, now, until};
use super::fault::{Harm, Stand};
use super::host::{Host, Output};
use super::look;
use super::releases::{Release, Trial};
use super::script::{Rule, Script};
use super::set_up::Standing;
use super::ssh::NOT_FOUND;
use super::state::State;

/// What becomes of a part.
pub(super) enum Turn {
    /// It goes on then.
    Wait(u64),
    Said(Output),
}

/// A part that somebody asked for, and how far it is.
struct Call<'a> {
    script: &'a Script,
    part: &'a str,
    argument: &'a str,
    /// Until when it is at work, once it is.
    until: Option<u64>,
    /// When it stopped the gateway.
    stopped: Option<u64>,
    /// What it goes back from, and why.
    failed: Option<(String, String)>,
    /// What it has said already.
    told: String,
}

/// Does a part to its end. That its caller goes away is not its business; that the power goes, is.
pub(super) async fn run(host: &Host, rule: &Rule, command: &str) -> Output {
    let groups = rule.command.0.captures(command);
    let group =
        |number| groups.as_ref().and_then(|groups| groups.get(number)).map_or("", |found| found.as_str());
    let mut call = Call::new(&host.script, group(1), group(2));
    loop {
        match host.change(|state| call.turn(state, now())) {
            Turn::Wait(time) => sleep(until(time)).await,
            Turn::Said(output) => return output,
        }
    }
}

impl<'a> Call<'a> {
    fn new(script: &'a Script, part: &'a str, argument: &'a str) -> Self {
        Self { script, part, argument, until: None, stopped: None, failed: None, told: String::new() }
    }

    fn turn(&mut self, state: &mut State, now: u64) -> Turn {
        if state.on.is_none() {
            // nobody is there to hear it
            return Turn::Said(Output::default());
        }
        let Some(next) = state.releases.next.as_ref().map(|next| next.release.clone()) else {
            let stderr = "bash: line 1: /usr/local/lib/clawberth/update: No such file or directory\n";
            return Turn::Said(Output { stderr: stderr.to_owned(), status: NOT_FOUND, ..Output::default() });
        };
        match self.part {
            "preflight" => return said(look::preflight(state, self.script, now)),
            "status" => return said(look::status(state, self.script, now)),
            "look" | "gate" => {
                return look::gate(state, self.script, self.argument, now).map_or_else(fail, said);
            }
            "stage" | "rehearse" | "switch" | "rollback" | "confirm" | "revert" | "prune" => {}
            part => return fail(format!("there is no part {part}")),
        }
        if let Some(until) = self.until {
            return self.go_on(state, next, until, now);
        }
        if let Some(until) = state.busy(self.script, now) {
            return Turn::Wait(until);
        }
        if matches!(state.set_up.standing(now), Some(Standing::Before | Standing::Running)) {
            return fail("the set-up runs".to_owned());
        }
        self.begin(state, next, now)
    }

    /// Does what takes no time, and begins what does.
    fn begin(&mut self, state: &mut State, next: Release, now: u64) -> Turn {
        let staged = state.has(&next.version);
        match self.part {
            "stage" if staged => say("staged", &next.version),
            "stage" => self.work(state, now.saturating_add(millis(self.script.update.stage))),
            "rehearse" => {
                state.releases.reverted = None;
                if !staged {
                    return fail(format!("OpenClaw {} refuses a copy of the state", next.version));
                }
                self.work(state, now.saturating_add(millis(self.script.update.rehearse)))
            }
            "switch" => self.switch(state, next, now),
            "rollback" => self.roll_back(state, now),
            "revert" => self.revert(state, now),
            "confirm" => confirm(state, self.argument, now),
            _ => prune(state, self.argument),
        }
    }

    /// Is at work until then, and nobody else is.
    fn work(&mut self, state: &mut State, until: u64) -> Turn {
        state.releases.busy = Some(until);
        self.until = Some(until);
        Turn::Wait(until)
    }

    /// The release that was sent takes over.
    fn switch(&mut self, state: &mut State, next: Release, now: u64) -> Turn {
        if let Some(turn) = self.again(state, &next.version, now) {
            return turn;
        }
        if let Some(reverted) = &state.releases.reverted {
            return fail(format!("OpenClaw {reverted} was gone back from"));
        }
        if !state.has(&next.version) {
            return fail(format!("OpenClaw {} is not staged", next.version));
        }
        self.change(state, next, now)
    }

    /// A kept release comes back.
    fn roll_back(&mut self, state: &mut State, now: u64) -> Turn {
        let wanted = self.argument;
        if let Some(turn) = self.again(state, wanted, now) {
            return turn;
        }
        let Some(saved) = state.releases.saved.get(wanted) else {
            return fail(format!("no state of OpenClaw {wanted} is kept on this server"));
        };
        self.told = format!("lost_since={}\n", saved.at / 1000);
        let release = saved.release.clone();
        self.change(state, release, now)
    }

    /// Where the wanted release runs already, or another one is on trial.
    fn again(&mut self, state: &mut State, wanted: &str, now: u64) -> Option<Turn> {
        match &state.releases.trial {
            Some(Trial { to, .. }) if to == wanted => {
                let until = state.try_out(self.script, now);
                Some(self.work(state, until))
            }
            Some(Trial { from, to, .. }) => {
                Some(fail(format!("an update from {} to {to} is not confirmed yet", from.version)))
            }
            None => (state.current().version == wanted).then(|| say("serving", wanted)),
        }
    }

    fn change(&mut self, state: &mut State, to: Release, now: u64) -> Turn {
        self.stopped = Some(now);
        let until = state.change(self.script, self.part, to, now);
        self.work(state, until)
    }

    fn revert(&mut self, state: &mut State, now: u64) -> Turn {
        if state.releases.trial.is_none() {
            return say("serving", &state.current().version);
        }
        state.revert(self.script, "revert", now);
        self.until = Some(now);
        self.switched(state, now)
    }

    /// What was begun goes on, unless the power went meanwhile.
    fn go_on(&mut self, state: &mut State, next: Release, until: u64, now: u64) -> Turn {
        let cut = state.releases.busy != Some(until);
        match self.part {
            "stage" | "rehearse" if cut => Turn::Said(Output::default()),
            "stage" => {
                state.releases.note(now, "stage", &next.version);
                state.releases.installed.insert(next.version.clone());
                say("staged", &next.version)
            }
            "rehearse" => self.rehearsed(state, &next.version, now),
            _ => self.switched(state, now),
        }
    }

    fn rehearsed(&self, state: &mut State, to: &str, now: u64) -> Turn {
        let concerns = |harm: &Harm| {
            matches!(harm, Harm::Broken { at: Stand::Rehearse, version, .. }
                if version.as_ref().is_none_or(|version| version == to))
        };
        if let Some(Harm::Broken { log, .. }) = state.harms(self.script, concerns).first() {
            return fail(format!("OpenClaw {to} ended with 1, on a copy of the state\n{log}"));
        }
        state.releases.note(now, "rehearse", to);
        said(format!("ready_s={}\nrehearsed={to}\n", self.script.update.rehearse.as_secs()))
    }

    /// The end of a change, or the way back.
    fn switched(&mut self, state: &State, now: u64) -> Turn {
        let current = state.current().version;
        match &state.releases.trial {
            Some(trial) if trial.reverting => {
                let why = trial.fails.clone().unwrap_or_else(|| "nobody confirmed it".to_owned());
                self.failed = Some((trial.to.clone(), why));
                // where it is not known, somebody who waits asks again
                return Turn::Wait(state.busy(self.script, now).unwrap_or(now.saturating_add(100)));
            }
            Some(_) => {
                if let (Some(stopped), Some(until)) = (self.stopped, self.until) {
                    self.told += &format!("down_ms={}\n", until.saturating_sub(stopped));
                }
            }
            None => {}
        }
        // it went back between two looks, or before somebody who had lost the connection came again
        let met = match (&state.releases.reverted, &state.releases.trial) {
            (Some(to), None) if self.part != "revert" => Some((to.clone(), state.releases.why.clone())),
            _ => None,
        };
        let Some((to, why)) = self.failed.take().or(met) else {
            return said(format!("{}serving={current}\n", self.told));
        };
        let stdout = format!("{}reverted={to}\nserving={current}\n", self.told);
        if self.part == "revert" {
            return said(stdout);
        }
        Turn::Said(Output { stdout, stderr: format!("{}\n", why.trim_end()), status: 1 })
    }
}

/// The new release stays.
fn confirm(state: &mut State, wanted: &str, now: u64) -> Turn {
    let current = state.current().version;
    if current != wanted {
        return fail(format!("this server is back at OpenClaw {current}"));
    }
    if state.releases.trial.take().is_some() {
        state.releases.note(now, "confirm", wanted);
    }
    state.releases.saved.remove(wanted);
    say("serving", wanted)
}

/// Only so many releases are kept.
fn prune(state: &mut State, count: &str) -> Turn {
    if let Some(Trial { from, to, .. }) = &state.releases.trial {
        return fail(format!("an update is not confirmed yet: {} {to}", from.version));
    }
    let Ok(count) = count.parse() else {
        return fail(format!("{count:?} is no number of releases"));
    };
    let current = state.current().version;
    state.releases.prune(count, &current);
    said(look::releases(state))
}

fn say(key: &str, value: &str) -> Turn {
    said(format!("{key}={value}\n"))
}

fn said(stdout: String) -> Turn {
    Turn::Said(Output { stdout, ..Output::default() })
}

fn fail(why: String) -> Turn {
    Turn::Said(Output { stderr: format!("{}\n", why.trim_end()), status: 1, ..Output::default() })
}

#[cfg(test)]
mod tests;
