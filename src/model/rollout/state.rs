use std::fmt;

use serde::{Deserialize, Serialize};

/// Where a rollout stands as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", content = "verdict", rename_all = "snake_case")]
pub enum State {
    /// Hosts are started.
    Running,
    /// No host starts until somebody says so.
    Paused,
    /// As many hosts failed as may: no host starts, and those that have to, go back.
    Stopped,
    /// No host starts; those in flight go back.
    Aborting,
    /// It is over.
    Finished(Verdict),
}

/// What came of a rollout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Every host is updated, or was left out for a reason.
    Updated,
    /// Every host had its turn; some failed, but fewer than the budget.
    Incomplete,
    /// As many hosts failed as may. It can go on once somebody has seen to them.
    Stopped,
    /// As many hosts failed as may, and those that had to went back.
    WentBack,
    /// Somebody ended it.
    Aborted,
}

/// What somebody asks of a rollout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// Start no further host.
    Pause,
    /// Go on.
    Resume,
    /// Start no further host, and take back those in flight.
    Abort,
}

impl State {
    /// The state after a request; none where that cannot be. `may_go_on`: whether fewer hosts failed than may, and none has
    /// to go back.
    pub(super) fn after(self, request: Request, may_go_on: bool) -> Option<Self> {
        use Request as R;
        use State as S;
        match (self, request) {
            (S::Running | S::Paused, R::Pause) => Some(S::Paused),
            (S::Running | S::Paused, R::Resume) => Some(S::Running),
            (S::Stopped, R::Resume) => may_go_on.then_some(S::Running),
            (S::Running | S::Paused | S::Stopped | S::Aborting, R::Abort) => Some(S::Aborting),
            (same @ S::Finished(Verdict::Aborted), R::Abort) => Some(same),
            (S::Stopped | S::Aborting, R::Pause) | (S::Aborting, R::Resume) => None,
            (
                S::Finished(Verdict::Updated | Verdict::Incomplete | Verdict::Stopped | Verdict::WentBack),
                R::Pause | R::Resume | R::Abort,
            )
            | (S::Finished(Verdict::Aborted), R::Pause | R::Resume) => None,
        }
    }

    /// The state in one word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Stopped => "stopped",
            Self::Aborting => "aborting",
            Self::Finished(_) => "finished",
        }
    }
}

impl Request {
    /// The request in one word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Abort => "abort",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}
