//! The commands: which, when they are killed, and that they run, so many at a time.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::Value;

use crate::bed::{Ended, Operator, side_by_side};
use crate::ledger::Ledger;
use crate::options::Options;

/// The zone in which some instances have names.
pub(crate) const ZONE: &str = "example.org";
/// Commands at a time.
const SIDE_BY_SIDE: usize = 6;
/// The names of all instances: few, so that commands meet.
const NAMES: usize = 20;
/// The latest moment of a kill in milliseconds: about as long as a deploy takes. Half of them fall into its first quarter, where
/// most of the requests are.
const LATEST: f64 = 6000.0;
/// Pause between two looks.
const LOOK: Duration = Duration::from_millis(5);
/// Longest wait for a command that is not killed.
const END: Duration = Duration::from_secs(100);
/// A story is told every so many kills.
const OFTEN: usize = 50;

/// All commands, which are more than there are kills: many end first.
pub(crate) struct Load {
    tasks: Vec<Task>,
    kills: usize,
    limit: Duration,
}

/// A command.
struct Task {
    act: Act,
    /// When it is killed; none: it runs to its end.
    kill: Option<Duration>,
}

enum Act {
    Deploy { names: Vec<String>, domain: bool },
    Destroy { names: Vec<String> },
    Reconcile,
}

/// What came of it.
pub(crate) struct Storm {
    pub(crate) kills: usize,
    pub(crate) commands: usize,
    /// What no command may do, whatever happens to it.
    pub(crate) wrong: Vec<String>,
}

impl Load {
    /// The same for the same seed.
    pub(crate) fn of(options: &Options) -> Self {
        let mut chance = StdRng::seed_from_u64(options.seed);
        let tasks = (0..options.kills * 6 + 50).map(|_| Task::draw(&mut chance)).collect();
        let limit = Duration::from_secs(120 + 2 * options.kills as u64);
        Self { tasks, kills: options.kills, limit }
    }

    /// Runs them until so many were killed, or the time is over.
    pub(crate) fn run(
        self,
        operator: &Operator<'_>,
        ledger: &Ledger,
        tell: &(impl Fn(&str) + Sync),
    ) -> Storm {
        let (kills, commands) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let until = Instant::now() + self.limit;
        let played = side_by_side(SIDE_BY_SIDE, self.tasks, |task| {
            if kills.load(Ordering::Relaxed) >= self.kills || Instant::now() >= until {
                return Ok(Vec::new());
            }
            commands.fetch_add(1, Ordering::Relaxed);
            let (ended, wrong) = task.run(operator, ledger)?;
            if ended.code.is_none() {
                let killed = kills.fetch_add(1, Ordering::Relaxed) + 1;
                if killed % OFTEN == 0 {
                    tell(&format!("{killed} kills"));
                }
            }
            Ok(wrong)
        });
        let wrong =
            played.into_iter().flat_map(|(_, wrong)| wrong.unwrap_or_else(|e| vec![format!("{e:#}")]));
        let wrong = wrong.collect();
        Storm { kills: kills.into_inner(), commands: commands.into_inner(), wrong }
    }
}

impl Task {
    fn draw(chance: &mut StdRng) -> Self {
        let act = match chance.random_range(0..10) {
            0..5 => Act::Deploy { names: names(chance), domain: chance.random_ratio(1, 4) },
            5..8 => Act::Destroy { names: names(chance) },
            _ => Act::Reconcile,
        };
        let moment = Duration::from_secs_f64(LATEST / 1000.0 * chance.random_range(0.0..1.0_f64).powi(2));
        Self { act, kill: (!chance.random_ratio(1, 8)).then_some(moment) }
    }

    /// How it ended, and what it did that it must not.
    fn run(&self, operator: &Operator<'_>, ledger: &Ledger) -> Result<(Ended, Vec<String>)> {
        let mut wrong = Vec::new();
        let ended = match &self.act {
            Act::Deploy { names, .. } => {
                let since = ledger.deploy(names);
                let ended = self.play(operator)?;
                if ended.code == Some(0) {
                    wrong.extend(ledger.deployed(&since, &servers(operator)?));
                }
                ended
            }
            Act::Destroy { names } => {
                ledger.destroy(names);
                let ended = self.play(operator);
                ledger.destroyed(names);
                ended?
            }
            Act::Reconcile => self.play(operator)?,
        };
        let known = ended.code.is_none_or(|code| (0..=2).contains(&code));
        ensure!(known && !ended.stderr.contains("panicked"), "{ended}");
        Ok((ended, wrong))
    }

    fn play(&self, operator: &Operator<'_>) -> Result<Ended> {
        let words = self.act.words();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let mut running = operator.start(&words, &[])?;
        let Some(moment) = self.kill else { return running.end(END) };
        let until = Instant::now() + moment;
        while !running.has_ended()? && Instant::now() < until {
            std::thread::sleep(LOOK);
        }
        running.kill()
    }
}

impl Act {
    fn words(&self) -> Vec<String> {
        let (verb, names, more): (&str, &[String], &[&str]) = match self {
            Self::Deploy { names, domain: false } => ("deploy", names, &[]),
            Self::Deploy { names, domain: true } => ("deploy", names, &["--domain", ZONE]),
            Self::Destroy { names } => ("destroy", names, &[]),
            Self::Reconcile => ("reconcile", &[], &["--apply"]),
        };
        let more = more.iter().chain(&["--yes"]).map(|word| (*word).to_owned());
        std::iter::once(verb.to_owned()).chain(names.iter().cloned()).chain(more).collect()
    }
}

/// One to three names.
fn names(chance: &mut StdRng) -> Vec<String> {
    let mut numbers: Vec<usize> =
        (0..chance.random_range(1..=3)).map(|_| chance.random_range(0..NAMES)).collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers.into_iter().map(|number| format!("user{number}")).collect()
}

/// The server of each instance, by the state.
pub(crate) fn servers(operator: &Operator<'_>) -> Result<BTreeMap<String, u64>> {
    let list: Value = serde_json::from_str(&operator.ok(&["list", "--json"])?)?;
    let rows = list.as_array().context("a list that is none")?;
    let server =
        |row: &Value| Some((row.get("name")?.as_str()?.to_owned(), row.pointer("/server/id")?.as_u64()?));
    Ok(rows.iter().filter_map(server).collect())
}
