//! Actions: what Hetzner does after it has answered.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use serde::Deserialize;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::{Client, Error};
use crate::backoff::GaveUp;

/// Ids per poll; what hcloud-go asks for at most.
const IDS_PER_POLL: usize = 25;
/// Between two polls at least: the shortest actions take half a second.
const SOONEST: Duration = Duration::from_millis(500);
/// The same at most.
const LATEST: Duration = Duration::from_secs(5);

/// A piece of work at Hetzner.
#[derive(Clone, Debug, Deserialize)]
pub struct Action {
    /// Its id.
    pub id: u64,
    /// What is done, such as `delete_server`.
    pub command: String,
    /// How far it is.
    pub status: ActionStatus,
    /// Why it failed.
    pub error: Option<ActionError>,
}

/// How far an action is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActionStatus {
    /// Not finished.
    Running,
    /// Done.
    Success,
    /// Failed.
    Error,
    /// A word that this version does not know: not finished.
    #[serde(other)]
    Unknown,
}

/// Why an action failed.
#[derive(Clone, Debug, Deserialize)]
pub struct ActionError {
    /// The code, such as `action_failed`.
    pub code: String,
    /// The message.
    pub message: String,
}

/// Why waiting for actions ended without success.
#[derive(Debug, thiserror::Error)]
pub enum WaitError {
    /// One of them failed.
    #[error("{command} failed: {message} ({code}, action {id})")]
    Failed {
        /// The action.
        id: u64,
        /// What it was.
        command: String,
        /// Hetzner's code.
        code: String,
        /// Hetzner's message.
        message: String,
    },
    /// They took too long.
    #[error("{still} still running")]
    TooLong {
        /// Which ones.
        still: String,
        /// For how long they were watched.
        source: GaveUp,
    },
    /// They could not be asked for.
    #[error(transparent)]
    Asking(#[from] Error),
}

#[derive(Deserialize)]
struct Actions {
    actions: Vec<Action>,
}

#[derive(Deserialize)]
pub(super) struct Answer {
    pub(super) action: Action,
}

#[derive(Deserialize)]
pub(super) struct OptionalAnswer {
    #[serde(default)]
    pub(super) action: Option<Action>,
}

/// What everybody waits for, so that many are asked for at once.
#[derive(Debug, Default)]
pub(super) struct Watch {
    waiting: Mutex<Vec<Weak<Awaited>>>,
    /// Whose turn it is to ask, and when somebody did last.
    turn: tokio::sync::Mutex<Option<Instant>>,
}

/// What one of them waits for.
#[derive(Debug)]
struct Awaited {
    since: Instant,
    running: Mutex<BTreeMap<u64, Action>>,
}

impl Client {
    /// Waits until all of these actions are done. Whoever waits at the same time is asked for in the same request.
    ///
    /// # Errors
    /// [`WaitError`], naming the action that failed or those that still run after `limit`.
    pub async fn wait_for(&self, actions: Vec<Action>, limit: Duration) -> Result<(), WaitError> {
        let awaited = Awaited::new(actions);
        if awaited.are_done()? {
            return Ok(());
        }
        let deadline = awaited.since + limit;
        let awaited = self.watch.add(awaited);
        while Instant::now() < deadline {
            let turn = timeout_at(deadline, self.watch.turn.lock()).await;
            // somebody else may have asked meanwhile
            if awaited.are_done()? {
                return Ok(());
            }
            let Ok(mut asked) = turn else { break };
            let due = asked.map_or(awaited.since, |asked| asked.max(awaited.since)) + self.watch.pause();
            sleep_until(due.min(deadline)).await;
            let answer = self.ask_for_all().await;
            *asked = Some(Instant::now());
            answer?;
            if awaited.are_done()? {
                return Ok(());
            }
        }
        Err(WaitError::TooLong { still: awaited.still(), source: GaveUp(limit) })
    }

    async fn ask_for_all(&self) -> Result<(), Error> {
        let everybody = self.watch.everybody();
        let ids: BTreeSet<u64> = everybody.iter().flat_map(|one| one.ids()).collect();
        let ids: Vec<String> = ids.iter().map(u64::to_string).collect();
        for batch in ids.chunks(IDS_PER_POLL) {
            let query: Vec<(&str, &str)> = batch.iter().map(|id| ("id", id.as_str())).collect();
            let answer: Actions = self.get("/actions", &query).await?;
            for action in answer.actions {
                everybody.iter().for_each(|one| one.heard(&action));
            }
        }
        Ok(())
    }
}

impl Watch {
    fn add(&self, awaited: Awaited) -> Arc<Awaited> {
        let awaited = Arc::new(awaited);
        locked(&self.waiting).push(Arc::downgrade(&awaited));
        awaited
    }

    /// Those who still wait.
    fn everybody(&self) -> Vec<Arc<Awaited>> {
        let mut waiting = locked(&self.waiting);
        waiting.retain(|one| one.strong_count() > 0);
        waiting.iter().filter_map(Weak::upgrade).collect()
    }

    /// Until the next look: the longer, the longer ago the last one came.
    fn pause(&self) -> Duration {
        let youngest = self.everybody().iter().map(|one| one.since.elapsed()).min().unwrap_or_default();
        (youngest / 2).clamp(SOONEST, LATEST)
    }
}

impl Awaited {
    fn new(actions: Vec<Action>) -> Self {
        let running = actions.into_iter().map(|action| (action.id, action)).collect();
        Self { since: Instant::now(), running: Mutex::new(running) }
    }

    /// Whether nothing of it runs any more; fails where one of them has failed.
    fn are_done(&self) -> Result<bool, WaitError> {
        let mut running = locked(&self.running);
        running.values().try_for_each(failed)?;
        running.retain(|_, action| action.status != ActionStatus::Success);
        Ok(running.is_empty())
    }

    fn ids(&self) -> Vec<u64> {
        locked(&self.running).keys().copied().collect()
    }

    fn heard(&self, action: &Action) {
        if let Some(known) = locked(&self.running).get_mut(&action.id) {
            *known = action.clone();
        }
    }

    fn still(&self) -> String {
        let of_one = |action: &Action| format!("{} ({})", action.command, action.id);
        locked(&self.running).values().map(of_one).collect::<Vec<_>>().join(", ")
    }
}

/// Nobody leaves it half changed.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn failed(action: &Action) -> Result<(), WaitError> {
    if action.status != ActionStatus::Error {
        return Ok(());
    }
    let (code, message) = match &action.error {
        Some(error) => (error.code.clone(), error.message.clone()),
        None => ("unknown".to_owned(), "no reason was given".to_owned()),
    };
    Err(WaitError::Failed { id: action.id, command: action.command.clone(), code, message })
}
