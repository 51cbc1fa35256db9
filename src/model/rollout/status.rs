use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Where a host stands in a rollout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case", deny_unknown_fields)]
pub enum Status {
    /// Not touched.
    Waiting,
    /// Started; what came of it is not known yet.
    Running,
    /// The change is made, and the gate held.
    Updated {
        /// Since when.
        at: Timestamp,
    },
    /// The change failed; what served before serves again.
    Reverted {
        /// Since when.
        at: Timestamp,
        /// Why it failed.
        why: String,
    },
    /// Something failed, and it was not seen serving since.
    Down {
        /// Since when.
        at: Timestamp,
        /// What failed.
        why: String,
    },
    /// Told to go back; what came of it is not known yet.
    Returning,
    /// Went back because it was told to, and serves.
    Returned {
        /// Since when.
        at: Timestamp,
    },
    /// Left out.
    Skipped {
        /// Why.
        why: String,
    },
}

/// What came to be known of a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// It is about to be changed.
    Started,
    /// The change is made, and the gate held.
    Updated,
    /// The change failed for this reason; what served before serves again.
    Reverted(String),
    /// It does not serve, for this reason.
    Down(String),
    /// It is about to go back.
    Recalled,
    /// It went back, and serves.
    Returned,
    /// It is left out for this reason.
    Skipped(String),
    /// Somebody has seen that it failed, and it no longer counts.
    Acknowledged,
}

impl Status {
    /// The status after a fact; none where that cannot be. A fact that is known already changes nothing.
    ///
    /// A host can go down at any time once it is looked at, also before its turn, and one that is down can be found
    /// serving what it served before.
    pub(super) fn after(self, fact: Fact, at: Timestamp) -> Option<Self> {
        use Fact as F;
        use Status as S;
        match (self, fact) {
            (S::Waiting, F::Started) => Some(S::Running),
            (S::Waiting, F::Skipped(why)) => Some(S::Skipped { why }),

            (S::Running, F::Updated) => Some(S::Updated { at }),
            (S::Running | S::Down { .. }, F::Reverted(why)) => Some(S::Reverted { at, why }),

            (S::Running | S::Updated { .. }, F::Recalled) => Some(S::Returning),
            (S::Returning, F::Returned) => Some(S::Returned { at }),

            (
                S::Waiting
                | S::Running
                | S::Updated { .. }
                | S::Reverted { .. }
                | S::Returning
                | S::Returned { .. },
                F::Down(why),
            ) => Some(S::Down { at, why }),

            (same @ S::Running, F::Started)
            | (same @ S::Updated { .. }, F::Updated)
            | (same @ S::Reverted { .. }, F::Reverted(_) | F::Acknowledged)
            | (same @ S::Down { .. }, F::Down(_) | F::Acknowledged)
            | (same @ S::Returning, F::Recalled)
            | (same @ S::Returned { .. }, F::Returned)
            | (same @ S::Skipped { .. }, F::Skipped(_)) => Some(same),

            (S::Waiting, F::Updated | F::Reverted(_) | F::Recalled | F::Returned | F::Acknowledged)
            | (S::Running, F::Returned | F::Skipped(_) | F::Acknowledged)
            | (
                S::Updated { .. },
                F::Started | F::Reverted(_) | F::Returned | F::Skipped(_) | F::Acknowledged,
            )
            | (S::Reverted { .. }, F::Started | F::Updated | F::Recalled | F::Returned | F::Skipped(_))
            | (S::Down { .. }, F::Started | F::Updated | F::Recalled | F::Returned | F::Skipped(_))
            | (S::Returning, F::Started | F::Updated | F::Reverted(_) | F::Skipped(_) | F::Acknowledged)
            | (
                S::Returned { .. },
                F::Started | F::Updated | F::Reverted(_) | F::Recalled | F::Skipped(_) | F::Acknowledged,
            )
            | (
                S::Skipped { .. },
                F::Started
                | F::Updated
                | F::Reverted(_)
                | F::Down(_)
                | F::Recalled
                | F::Returned
                | F::Acknowledged,
            ) => None,
        }
    }

    /// Whether it may not be serving at this moment because of what is done to it.
    pub fn is_in_flight(&self) -> bool {
        matches!(self, Self::Running | Self::Returning)
    }

    /// Whether it failed.
    pub fn is_failed(&self) -> bool {
        matches!(self, Self::Reverted { .. } | Self::Down { .. })
    }

    /// Whether nothing further is done to it as long as the rollout goes on.
    pub fn is_settled(&self) -> bool {
        !matches!(self, Self::Waiting) && !self.is_in_flight()
    }

    /// Since when it is as it is, where something was done to it.
    pub fn since(&self) -> Option<Timestamp> {
        match self {
            Self::Updated { at }
            | Self::Reverted { at, .. }
            | Self::Down { at, .. }
            | Self::Returned { at } => Some(*at),
            Self::Waiting | Self::Running | Self::Returning | Self::Skipped { .. } => None,
        }
    }

    /// Why it is as it is, where that is not the way it should be.
    pub fn why(&self) -> Option<&str> {
        match self {
            Self::Reverted { why, .. } | Self::Down { why, .. } | Self::Skipped { why } => Some(why),
            Self::Waiting
            | Self::Running
            | Self::Updated { .. }
            | Self::Returning
            | Self::Returned { .. } => None,
        }
    }

    /// The status in one word.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Updated { .. } => "updated",
            Self::Reverted { .. } => "reverted",
            Self::Down { .. } => "down",
            Self::Returning => "returning",
            Self::Returned { .. } => "returned",
            Self::Skipped { .. } => "skipped",
        }
    }
}

impl Fact {
    /// The fact in one word.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Updated => "updated",
            Self::Reverted(_) => "reverted",
            Self::Down(_) => "down",
            Self::Recalled => "recalled",
            Self::Returned => "returned",
            Self::Skipped(_) => "skipped",
            Self::Acknowledged => "acknowledged",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}
