//! What a host has of releases: those beside the one that runs, and an update that nobody has confirmed. That goes on as time
//! goes, while nobody looks.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use super::clock::millis;
use super::fault::{Harm, Stand};
use super::script::{NODE, RELEASE, REVERT_AFTER, Script, VERSION};
use super::state::State;

/// How long a timer waits for a confirmation where the update does not say, in seconds.
const USUAL: u64 = 600;

/// The releases of a host. Times are milliseconds since 1970.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Releases {
    /// What was sent last.
    pub(super) next: Option<Next>,
    /// Those that lie on the disk, by version; the one that it was born with may be missing.
    pub(super) installed: BTreeSet<String>,
    /// Those whose state is kept, by version.
    pub(super) saved: BTreeMap<String, Saved>,
    pub(super) trial: Option<Trial>,
    /// What was gone back from last.
    pub(super) reverted: Option<String>,
    /// From when on the release that runs is not ready, and what it says about that.
    ill: Option<(u64, String)>,
    /// Until when a part is at work.
    pub(super) busy: Option<u64>,
    journal: Vec<Entry>,
}

/// A release, as far as a host knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Release {
    pub(super) version: String,
    pub(super) node: String,
    /// As it is written down on the server.
    record: String,
}

/// What an update goes to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Next {
    pub(super) release: Release,
    /// How long somebody has to confirm it.
    revert_after: u64,
}

/// A state that is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Saved {
    pub(super) release: Release,
    /// Since when it is not continued.
    pub(super) at: u64,
}

/// An update that is not confirmed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Trial {
    pub(super) from: Release,
    pub(super) to: String,
    /// When it is gone back from.
    due: u64,
    /// Why, where the release does not get ready; else because nobody confirmed it.
    pub(super) fails: Option<String>,
    /// Whether it is being gone back from.
    pub(super) reverting: bool,
}

/// Something that an update did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    time: u64,
    part: String,
    version: String,
}

impl Releases {
    /// Takes what was sent, if it names a release.
    pub(super) fn take(&mut self, facts: &BTreeMap<String, String>) {
        let fact = |name: &str| facts.get(name).cloned().unwrap_or_default();
        let release = Release { version: fact(VERSION), node: fact(NODE), record: fact(RELEASE) };
        let seconds = fact(REVERT_AFTER).parse().unwrap_or(USUAL);
        self.next = (!release.version.is_empty())
            .then(|| Next { release, revert_after: seconds.saturating_mul(1000) });
    }

    /// Notes what was done.
    pub(super) fn note(&mut self, time: u64, part: &str, version: &str) {
        self.journal.push(Entry { time, part: part.to_owned(), version: version.to_owned() });
    }

    /// What was done, a line each.
    pub(super) fn journal(&self) -> String {
        self.journal.iter().fold(String::new(), |mut text, Entry { time, part, version }| {
            // a String takes whatever is written to it
            let _ = writeln!(text, "{} {part} {version}", time / 1000);
            text
        })
    }

    /// The power goes, and with it whatever was at work.
    pub(super) fn cut(&mut self) {
        self.busy = None;
    }

    /// What the release that runs says about not being ready.
    pub(super) fn illness(&self, now: u64) -> Option<&str> {
        self.ill.as_ref().filter(|(since, _)| *since <= now).map(|(_, log)| log.as_str())
    }

    pub(super) fn is_ill(&self, now: u64) -> bool {
        self.illness(now).is_some()
    }

    /// Keeps so many releases, the one that runs among them.
    pub(super) fn prune(&mut self, count: usize, current: &str) {
        let mut newest: Vec<(u64, String)> =
            self.saved.iter().map(|(version, saved)| (saved.at, version.clone())).collect();
        newest.sort_unstable_by(|a, b| b.cmp(a));
        let kept: BTreeSet<String> =
            newest.into_iter().take(count.saturating_sub(1)).map(|(_, version)| version).collect();
        self.saved.retain(|version, _| kept.contains(version));
        self.installed.retain(|version| kept.contains(version) || version == current);
    }
}

impl State {
    /// The release that runs.
    pub(super) fn current(&self) -> Release {
        let value = |name| self.value(name).to_owned();
        Release { version: value(VERSION), node: value(NODE), record: value(RELEASE) }
    }

    /// Whether a release lies on its disk.
    pub(super) fn has(&self, version: &str) -> bool {
        self.releases.installed.contains(version) || self.value(VERSION) == version
    }

    /// Until when nobody else can do a part of an update.
    pub(super) fn busy(&self, script: &Script, now: u64) -> Option<u64> {
        let reverting = self.releases.trial.as_ref().is_some_and(|trial| trial.reverting);
        let ready = reverting.then(|| self.ready(script)).flatten();
        self.releases.busy.max(ready).filter(|until| *until > now)
    }

    /// Starts a release in the place of another one.
    fn start(&mut self, script: &Script, release: Release, now: u64) {
        let Release { version, node, record } = release;
        self.values.insert(VERSION.to_owned(), version);
        self.values.insert(NODE.to_owned(), node);
        self.values.insert(RELEASE.to_owned(), record);
        self.releases.ill = None;
        self.restart(script, now);
    }

    /// Goes to a release, on trial; returns when that is decided.
    pub(super) fn change(&mut self, script: &Script, part: &str, to: Release, now: u64) -> u64 {
        let (from, version) = (self.current(), to.version.clone());
        self.releases.installed.extend([from.version.clone(), version.clone()]);
        self.releases.saved.insert(from.version.clone(), Saved { release: from.clone(), at: now });
        self.releases.note(now, part, &version);
        self.start(script, to, now);
        self.fall_ill(script, &version, now);
        let trial = Trial { from, to: version, due: 0, fails: None, reverting: false };
        self.releases.trial = Some(trial);
        self.try_out(script, now)
    }

    /// What is wrong with a release shows, now or later.
    fn fall_ill(&mut self, script: &Script, to: &str, now: u64) {
        let next = self.releases.next.as_ref().is_some_and(|next| next.release.version == to);
        let concerns = |harm: &Harm| {
            let Harm::Broken { at, version, .. } = harm else { return false };
            next && *at != Stand::Rehearse && version.as_ref().is_none_or(|version| version == to)
        };
        let ready = self.ready(script).unwrap_or(now);
        let illness = |harm: &Harm| match harm {
            Harm::Broken { at: Stand::Switch, log, .. } => Some((now, log.clone())),
            Harm::Broken { at: Stand::Gate(after), log, .. } => {
                Some((ready.saturating_add(millis(*after)), log.clone()))
            }
            _ => None,
        };
        self.releases.ill = self.harms(script, concerns).into_iter().filter_map(illness).min();
    }

    /// Gives the release on trial its time; returns when it is ready, or has had time enough.
    pub(super) fn try_out(&mut self, script: &Script, now: u64) -> u64 {
        let patience = now.saturating_add(millis(script.update.patience));
        let ready = self.ready(script).map_or(u64::MAX, |ready| ready.max(now));
        let after = self.releases.next.as_ref().map_or(USUAL * 1000, |next| next.revert_after);
        let illness = self.releases.illness(now).map(ToOwned::to_owned);
        let Some(trial) = &mut self.releases.trial else { return now };
        let to = &trial.to;
        let (due, fails) = match illness {
            // it ends where another one would be ready
            Some(log) if ready > now && ready <= patience => {
                (ready, Some(format!("OpenClaw {to} ended with 1\n{log}")))
            }
            Some(log) => (patience, Some(not_ready(to, script, &log))),
            None if ready > patience => (patience, Some(not_ready(to, script, ""))),
            None => (ready.saturating_add(after), None),
        };
        let decided = if fails.is_some() { due } else { ready };
        (trial.due, trial.fails) = (due, fails);
        decided
    }

    /// Begins to go back to the release before.
    pub(super) fn revert(&mut self, script: &Script, part: &str, now: u64) {
        let Some(trial) = &mut self.releases.trial else { return };
        trial.reverting = true;
        let (from, to) = (trial.from.clone(), trial.to.clone());
        self.releases.note(now, part, &to);
        self.start(script, from, now);
    }

    /// A boot goes back, too.
    pub(super) fn boots(&mut self, script: &Script) {
        if let (Some(booted), Some(false)) =
            (self.booted(script), self.releases.trial.as_ref().map(|trial| trial.reverting))
        {
            self.revert(script, "expired", booted);
        }
    }

    /// Does what a host does by itself as time goes; whether that was anything.
    pub(super) fn catch_up(&mut self, script: &Script, now: u64) -> bool {
        let Some(trial) = self.releases.trial.clone().filter(|_| self.on.is_some()) else { return false };
        let begins = !trial.reverting && trial.due <= now;
        if begins {
            self.revert(script, if trial.fails.is_some() { "revert" } else { "expired" }, trial.due);
        }
        let ends = (begins || trial.reverting) && self.is_ready(script, now);
        if ends {
            self.releases.saved.remove(&trial.from.version);
            self.releases.reverted = Some(trial.to);
            self.releases.trial = None;
        }
        begins || ends
    }
}

fn not_ready(version: &str, script: &Script, log: &str) -> String {
    format!("OpenClaw {version} was not ready after {} s\n{log}", script.update.patience.as_secs())
}
