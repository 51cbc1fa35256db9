//! Actions: what Hetzner does after it has answered.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

use super::{Client, Error};
use crate::backoff::{Backoff, GaveUp};

/// Ids per poll; what hcloud-go asks for at most.
const IDS_PER_POLL: usize = 25;

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

impl Client {
    /// Waits until all of these actions are done, asking for up to 25 at once.
    ///
    /// # Errors
    /// [`WaitError`], naming the action that failed or those that still run after `limit`.
    pub async fn wait_for(&self, actions: Vec<Action>, limit: Duration) -> Result<(), WaitError> {
        let mut running: BTreeMap<u64, Action> =
            actions.into_iter().map(|action| (action.id, action)).collect();
        let mut backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(5), limit);
        loop {
            for action in running.values() {
                failed(action)?;
            }
            running.retain(|_, action| action.status != ActionStatus::Success);
            if running.is_empty() {
                return Ok(());
            }
            if let Err(source) = backoff.pause().await {
                let still: Vec<String> =
                    running.values().map(|a| format!("{} ({})", a.command, a.id)).collect();
                return Err(WaitError::TooLong { still: still.join(", "), source });
            }
            let ids: Vec<String> = running.keys().map(u64::to_string).collect();
            for batch in ids.chunks(IDS_PER_POLL) {
                let query: Vec<(&str, &str)> = batch.iter().map(|id| ("id", id.as_str())).collect();
                let answer: Actions = self.get("/actions", &query).await?;
                running.extend(answer.actions.into_iter().map(|action| (action.id, action)));
            }
        }
    }
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
