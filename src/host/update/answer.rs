//! What the parts of an update say: lines of `KEY=VALUE`.

use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context as _, Result};
use jiff::Timestamp;
use serde::Deserialize;

use super::Part;
use crate::model::observed::{Releases, Trial};
use crate::model::release::{NodeVersion, OpenClawVersion};
use crate::ssh::Output;

/// Beside what a release, its download and npm's work take: 650 MB installed, and as much again while it is made.
const RELEASE_KB: u64 = 1_500_000;
/// What stays free in any case.
const SPARE_KB: u64 = 300_000;
/// A second gateway beside the one that runs.
const GATEWAY_KB: u64 = 1_200_000;

/// A part that did not end well.
#[derive(Debug, thiserror::Error)]
#[error("{part}: {reason}")]
pub struct Failed {
    /// Which one.
    pub part: Part,
    /// Why, in the server's words.
    pub reason: String,
    /// What the gateway or the log said about it.
    pub log: String,
    /// The release that this failure was gone back from: the one before serves again.
    pub reverted: Option<OpenClawVersion>,
}

/// What every look at a server tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The release that it is to serve.
    pub serving: OpenClawVersion,
    /// What the gateway says that it is; none where it does not answer.
    pub version: Option<OpenClawVersion>,
    /// Whether it says that it is ready.
    pub ready: bool,
    /// An update that nobody has confirmed yet.
    pub trial: Option<Trial>,
    /// The release of the last update, where that was gone back from.
    pub reverted: Option<OpenClawVersion>,
    /// A part runs just now.
    pub busy: bool,
}

/// The answer to [`Part::Preflight`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preflight {
    /// What stands.
    pub facts: Facts,
    /// The Node that the gateway runs on.
    pub node: NodeVersion,
    /// The release is there already, with its Node.
    pub staged: bool,
    /// Size of the state.
    pub state_kb: u64,
    /// Free on the disk.
    pub disk_free_kb: u64,
    /// Free memory, with what of the swap is free.
    pub memory_free_kb: u64,
    /// What the gateway is at; none where it did not say.
    pub runs: Option<Runs>,
}

/// What a restart would interrupt, in the gateway's words.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Runs {
    /// Nothing.
    pub safe: bool,
    /// How much.
    pub counts: Counts,
}

/// Part of [`Runs`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// All that is going on.
    pub total_active: u64,
}

/// The answer to [`Part::Status`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// What stands.
    pub facts: Facts,
    /// The timer runs.
    pub armed: bool,
    /// The releases that are installed.
    pub releases: Vec<OpenClawVersion>,
    /// The states that are kept: what can be rolled back to.
    pub saved: Vec<Saved>,
}

/// A kept state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Saved {
    /// Whose it is.
    pub release: OpenClawVersion,
    /// Since when it is not continued.
    pub at: Timestamp,
    /// Its size.
    pub kb: u64,
}

/// The answer to [`Part::Switch`] and [`Part::Rollback`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Switched {
    /// What serves now.
    pub serving: OpenClawVersion,
    /// From the order to stop until the new gateway was ready, as the server measured; none where it had been done before.
    pub down: Option<Duration>,
    /// What was written since then is set aside with the release that ran.
    pub lost_since: Option<Timestamp>,
}

impl Preflight {
    /// Reads the answer.
    ///
    /// # Errors
    /// [`Failed`], or an answer of another shape.
    pub fn parse(output: &Output) -> Result<Self> {
        let answer = Answer::of(Part::Preflight, output)?;
        Ok(Self {
            facts: Facts::of(&answer)?,
            node: answer.parse("node")?,
            staged: answer.yes("staged")?,
            state_kb: answer.parse("state_kb")?,
            disk_free_kb: answer.parse("disk_free_kb")?,
            memory_free_kb: answer.parse("memory_free_kb")?,
            runs: serde_json::from_str(answer.get("runs")?).ok(),
        })
    }

    /// What speaks against an update; work that goes on does not, because the gateway ends it first.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let facts = &self.facts;
        if let Some(Trial { from, to }) = facts.trial {
            problems.push(format!("its update from {from} to {to} is not confirmed"));
        }
        if !facts.ready {
            problems.push("its gateway is not ready".to_owned());
        }
        if let Some(version) = facts.version.filter(|version| *version != facts.serving) {
            problems.push(format!("its gateway is {version}, although {} is in use", facts.serving));
        }
        // the copy of the rehearsal, the saved state, and what a failed one leaves
        let needed = SPARE_KB + 3 * self.state_kb + if self.staged { 0 } else { RELEASE_KB };
        if self.disk_free_kb < needed {
            let (free, needed) = (self.disk_free_kb / 1000, needed / 1000);
            problems.push(format!("its disk has {free} MB free, and {needed} MB are needed"));
        }
        if self.memory_free_kb < GATEWAY_KB {
            let (free, needed) = (self.memory_free_kb / 1000, GATEWAY_KB / 1000);
            problems
                .push(format!("it has {free} MB of memory and swap free, and a rehearsal needs {needed} MB"));
        }
        problems
    }
}

impl Standing {
    /// Reads the answer.
    ///
    /// # Errors
    /// [`Failed`], or an answer of another shape.
    pub fn parse(output: &Output) -> Result<Self> {
        let answer = Answer::of(Part::Status, output)?;
        let releases = answer.all("release").map(str::parse).collect::<Result<_, _>>();
        Ok(Self {
            facts: Facts::of(&answer)?,
            armed: answer.yes("armed")?,
            releases: releases.context("the server's releases")?,
            saved: answer
                .all("saved")
                .map(saved)
                .collect::<Result<_>>()
                .context("the server's saved states")?,
        })
    }
}

impl From<Standing> for Releases {
    fn from(standing: Standing) -> Self {
        let mut saved = standing.saved;
        saved.sort_by_key(|saved| std::cmp::Reverse(saved.at));
        let kept = saved.into_iter().map(|saved| saved.release).collect();
        Self { serving: standing.facts.serving, trial: standing.facts.trial, kept }
    }
}

impl Switched {
    /// Reads the answer to a part that switched.
    ///
    /// # Errors
    /// [`Failed`], or an answer of another shape.
    pub fn parse(part: Part, output: &Output) -> Result<Self> {
        let answer = Answer::of(part, output)?;
        let down: Option<u64> = answer.maybe("down_ms")?;
        let lost_since: Option<i64> = answer.maybe("lost_since")?;
        Ok(Self {
            serving: answer.parse("serving")?,
            down: down.map(Duration::from_millis),
            lost_since: lost_since.map(Timestamp::from_second).transpose()?,
        })
    }
}

/// How the schemas of the databases change with the release that was staged, the state's and the agents': `17/21 to 18/23`. None
/// where they do not, or nobody says so.
///
/// # Errors
/// [`Failed`].
pub fn migration(output: &Output) -> Result<Option<String>, Failed> {
    let answer = Answer::of(Part::Stage, output)?;
    let schemas = answer.all("schemas").last().and_then(|schemas| schemas.split_once(' '));
    Ok(schemas.filter(|(from, to)| from != to).map(|(from, to)| format!("{from} to {to}")))
}

/// Sees that a part without an answer of its own ended well.
///
/// # Errors
/// [`Failed`].
pub fn ended(part: Part, output: &Output) -> Result<(), Failed> {
    Answer::of(part, output).map(drop)
}

impl Facts {
    fn of(answer: &Answer) -> Result<Self> {
        Ok(Self {
            serving: answer.parse("serving")?,
            version: answer.maybe("version")?,
            ready: answer.yes("ready")?,
            trial: answer.all("trial").next().map(trial).transpose()?,
            reverted: answer.maybe("reverted")?,
            busy: answer.yes("busy")?,
        })
    }
}

fn trial(text: &str) -> Result<Trial> {
    let (from, to) = text.split_once(' ').context("the unconfirmed update is unreadable")?;
    Ok(Trial { from: from.parse()?, to: to.parse()? })
}

fn saved(text: &str) -> Result<Saved> {
    let mut words = text.split(' ');
    let mut word = || words.next().with_context(|| format!("unreadable: {text}"));
    let (release, at, kb) = (word()?.parse()?, word()?.parse()?, word()?.parse()?);
    Ok(Saved { release, at: Timestamp::from_second(at)?, kb })
}

/// The lines of an answer.
struct Answer<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Answer<'a> {
    fn of(part: Part, output: &'a Output) -> Result<Self, Failed> {
        let answer = Self(output.stdout.lines().filter_map(|line| line.split_once('=')).collect());
        if output.status == 0 {
            return Ok(answer);
        }
        let (reason, log) = output.stderr.trim().split_once('\n').unwrap_or((output.stderr.trim(), ""));
        let reverted = answer.maybe("reverted").ok().flatten();
        let reason =
            if reason.is_empty() { format!("ended with {}", output.status) } else { reason.to_owned() };
        Err(Failed { part, reason, log: log.trim().to_owned(), reverted })
    }

    fn all(&self, key: &'static str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(name, _)| *name == key).map(|(_, value)| *value)
    }

    fn get(&self, key: &'static str) -> Result<&'a str> {
        self.all(key).last().with_context(|| format!("the server does not say its {key}"))
    }

    fn yes(&self, key: &'static str) -> Result<bool> {
        Ok(self.get(key)? == "yes")
    }

    fn parse<T: FromStr>(&self, key: &'static str) -> Result<T>
    where
        T::Err: std::error::Error + Send + Sync + 'static,
    {
        self.get(key)?.parse().with_context(|| format!("the server's {key}"))
    }

    /// None where there is no such line, or nothing in it.
    fn maybe<T: FromStr>(&self, key: &'static str) -> Result<Option<T>>
    where
        T::Err: std::error::Error + Send + Sync + 'static,
    {
        let value = self.all(key).last().filter(|value| !value.is_empty());
        value.map(str::parse).transpose().with_context(|| format!("the server's {key}"))
    }
}

#[cfg(test)]
mod tests {
    use super::{Failed, Preflight, Standing, Switched, migration};
    use crate::host::update::Part;
    use crate::ssh::Output;

    fn said(stdout: &str) -> Output {
        Output { status: 0, stdout: stdout.to_owned(), stderr: String::new() }
    }

    const PREFLIGHT: &str = "serving=2026.9.5\nversion=2026.9.5\nready=yes\nbusy=no\nnode=24.21.0\nstaged=no\n\
        state_kb=100000\ndisk_free_kb=30000000\nmemory_free_kb=4000000\n\
        runs={\"safe\":true,\"counts\":{\"queueSize\":0,\"totalActive\":0},\"blockers\":[]}\n";

    #[test]
    fn a_healthy_server_has_no_problems() {
        let preflight = Preflight::parse(&said(PREFLIGHT)).unwrap();
        assert_eq!(preflight.problems(), [""; 0]);
        assert!(preflight.runs.is_some_and(|runs| runs.safe && runs.counts.total_active == 0));
    }

    #[test]
    fn each_problem_is_told() {
        let poor = PREFLIGHT
            .replace("version=2026.9.5\nready=yes", "version=\nready=no\ntrial=2026.9.5 2026.9.6")
            .replace("=30000000", "=2000000")
            .replace("=4000000", "=1000000");
        let preflight = Preflight::parse(&said(&poor)).unwrap();
        let expected = [
            "its update from 2026.9.5 to 2026.9.6 is not confirmed",
            "its gateway is not ready",
            "its disk has 2000 MB free, and 2100 MB are needed",
            "it has 1000 MB of memory and swap free, and a rehearsal needs 1200 MB",
        ];
        assert_eq!(preflight.problems(), expected);
        let other = PREFLIGHT.replace("version=2026.9.5", "version=2026.9.4");
        let problems = Preflight::parse(&said(&other)).unwrap().problems();
        assert_eq!(problems, ["its gateway is 2026.9.4, although 2026.9.5 is in use"]);
    }

    #[test]
    fn what_is_kept_is_read() {
        let text = "serving=2026.9.6\nversion=2026.9.6\nready=yes\nreverted=\nbusy=no\narmed=no\n\
            release=2026.9.5\nrelease=2026.9.6\nsaved=2026.9.5 1795371400 120000\n";
        let standing = Standing::parse(&said(text)).unwrap();
        assert_eq!(standing.releases.len(), 2);
        let saved = standing.saved.first().unwrap();
        assert_eq!((saved.release.to_string().as_str(), saved.kb), ("2026.9.5", 120_000));
        assert!(Standing::parse(&said("serving=2026.9.6\n")).is_err());
    }

    #[test]
    fn a_failure_has_its_reason_and_what_was_gone_back_from() {
        let output = Output {
            status: 1,
            stdout: "reverted=2026.9.6\nserving=2026.9.5\n".to_owned(),
            stderr: "OpenClaw 2026.9.6 ended: exit-code, exit code 78\n{\"level\":\"error\"}\nend\n"
                .to_owned(),
        };
        let error = Switched::parse(Part::Switch, &output).unwrap_err();
        let failed: &Failed = error.downcast_ref().unwrap();
        assert_eq!(failed.reverted.unwrap().to_string(), "2026.9.6");
        assert_eq!(failed.log, "{\"level\":\"error\"}\nend");
        assert!(error.to_string().starts_with("switching: OpenClaw 2026.9.6 ended"), "{error}");
    }

    #[test]
    fn a_switch_tells_how_long_nobody_answered() {
        let switched = Switched::parse(Part::Switch, &said("down_ms=15250\nserving=2026.9.6\n")).unwrap();
        assert_eq!(switched.down.unwrap().as_millis(), 15250);
        let again = Switched::parse(Part::Switch, &said("serving=2026.9.6\n")).unwrap();
        assert_eq!((again.down, again.lost_since), (None, None));
    }

    #[test]
    fn a_release_may_change_the_schemas() {
        let said = |text: &str| Output { status: 0, stdout: text.to_owned(), stderr: String::new() };
        let of = |text: &str| migration(&said(text)).unwrap();
        assert_eq!(of("schemas=17/21 18/23\nstaged=2026.9.6\n").as_deref(), Some("17/21 to 18/23"));
        assert_eq!(of("schemas=17/21 17/21\nstaged=2026.9.6\n"), None);
        assert_eq!(of("staged=2026.9.6\n"), None);
    }
}
