//! A rollout: a change that is made to the hosts of a fleet, wave by wave, and how far it got.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use bake::Bake;
pub use budget::Budget;
pub use event::{Event, Impossible};
pub use settings::{OnFailure, Settings};
pub use state::{Request, State, Verdict};
pub use status::{Fact, Status};
pub use waves::Waves;
pub use window::Window;

pub use crate::model::invalid::Invalid;

use crate::model::fleet::OpId;
use crate::model::name::InstanceName;
use crate::model::policy::Policies;
use crate::model::release::{OpenClawVersion, Release};

mod bake;
mod budget;
mod event;
mod settings;
mod share;
mod state;
mod status;
#[cfg(test)]
mod tests;
mod waves;
mod window;

/// A change of a fleet's hosts, and how far it got.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rollout {
    /// Its id.
    pub id: RolloutId,
    /// What is done to each host; resolved once, and the same for all.
    pub change: Change,
    /// When it was begun.
    pub begun: Timestamp,
    /// How it goes about the hosts.
    pub settings: Settings,
    /// Where it stands.
    pub state: State,
    /// The hosts, in the order in which they start.
    pub hosts: Vec<Host>,
}

/// The id of a rollout: 8 characters of `a-z0-9`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RolloutId(String);

/// What is done to a host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case", deny_unknown_fields)]
pub enum Change {
    /// It gets a release.
    Release {
        /// Which.
        release: Release,
    },
    /// It goes back to a release that it kept, with the state of that time.
    Rollback {
        /// Which.
        to: OpenClawVersion,
    },
    /// It gets the security updates of its operating system, and is started anew where they ask for it.
    Os,
    /// Its gateway gets its policy.
    Policy {
        /// By which a server knows this change.
        id: OpId,
        /// Whose is which.
        policies: Box<Policies>,
    },
}

/// A host in a rollout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Host {
    /// Whose it is.
    pub name: InstanceName,
    /// In which wave it starts; the first one is 1. What is known to be left out or down before anything begins is in none: 0.
    pub wave: usize,
    /// Where it stands.
    pub status: Status,
    /// It failed, and somebody has seen that: it no longer counts.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub acknowledged: bool,
    /// For how long nobody was answered while the change was made, in milliseconds, as seen from outside at 10 Hz; none where
    /// nobody looked, or it was not made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unanswered_ms: Option<u64>,
}

impl Change {
    /// The release that it brings, where it brings one.
    pub fn version(&self) -> Option<OpenClawVersion> {
        match self {
            Self::Release { release } => Some(release.openclaw),
            Self::Rollback { to } => Some(*to),
            Self::Os | Self::Policy { .. } => None,
        }
    }
}

impl Host {
    /// A host that was not touched yet.
    pub fn waiting(name: InstanceName, wave: usize) -> Self {
        Self { name, wave, status: Status::Waiting, acknowledged: false, unanswered_ms: None }
    }

    /// For how long nobody was answered while the change was made, where that is known.
    pub fn unanswered(&self) -> Option<Duration> {
        self.unanswered_ms.map(Duration::from_millis)
    }

    fn counts(&self) -> bool {
        self.status.is_failed() && !self.acknowledged
    }
}

impl Rollout {
    /// A rollout that has not touched anything yet.
    pub fn new(
        id: RolloutId,
        change: Change,
        settings: Settings,
        hosts: Vec<Host>,
        begun: Timestamp,
    ) -> Self {
        Self { id, change, begun, settings, state: State::Running, hosts }
    }

    /// Notes for how long a host did not answer. Going forward and back again takes as long as both.
    pub fn unanswered(&mut self, name: &InstanceName, time: Duration) {
        for host in self.hosts.iter_mut().filter(|host| host.name == *name) {
            let time = host.unanswered().unwrap_or_default() + time;
            host.unanswered_ms = Some(u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
        }
    }

    /// How many hosts failed that nobody has acknowledged.
    pub fn failed(&self) -> usize {
        self.hosts.iter().filter(|host| host.counts()).count()
    }

    /// How many hosts may not be serving because of what is done to them now.
    pub fn in_flight(&self) -> usize {
        self.hosts.iter().filter(|host| host.status.is_in_flight()).count()
    }

    /// How many hosts have failed if everything in flight fails.
    pub fn exposed(&self) -> usize {
        self.failed() + self.in_flight()
    }

    /// How many hosts are not serving if nothing in flight is.
    pub fn dark(&self) -> usize {
        let down = |host: &&Host| matches!(host.status, Status::Down { .. }) && !host.acknowledged;
        self.hosts.iter().filter(down).count() + self.in_flight()
    }

    /// How many hosts may fail, of all hosts of the rollout.
    pub fn budget(&self) -> usize {
        self.settings.budget.of(self.hosts.len())
    }

    /// How many hosts may fail now: the budget, but only one as long as none is updated, beside those that were down before
    /// anything began. So the first host goes alone, and a change that works nowhere is tried once.
    pub fn allowance(&self) -> usize {
        let proven = self.hosts.iter().any(|host| matches!(host.status, Status::Updated { .. }));
        let before = self.hosts.iter().filter(|host| host.wave == 0 && host.counts()).count();
        if proven { self.budget() } else { self.budget().min(1 + before) }
    }

    /// The last wave of which a host was started.
    pub fn current_wave(&self) -> Option<usize> {
        let started = |host: &&Host| !matches!(host.status, Status::Waiting | Status::Skipped { .. });
        self.hosts.iter().filter(started).map(|host| host.wave).max()
    }

    /// The hosts that are updated and have to go back after a failure, the last one first.
    pub fn to_return(&self) -> impl Iterator<Item = &Host> {
        let current = self.current_wave();
        let goes_back = move |wave| match self.settings.on_failure {
            OnFailure::Stop => false,
            OnFailure::RevertWave => Some(wave) == current,
            OnFailure::RevertAll => true,
        };
        let updated = |host: &&Host| matches!(host.status, Status::Updated { .. });
        self.hosts.iter().rev().filter(updated).filter(move |host| goes_back(host.wave))
    }

    /// What came of it, if it ends now.
    pub fn verdict(&self) -> Verdict {
        match self.state {
            State::Running | State::Paused => {
                let failed = self.hosts.iter().any(|host| host.status.is_failed());
                if failed { Verdict::Incomplete } else { Verdict::Updated }
            }
            State::Stopped => {
                let stays = self.settings.on_failure == OnFailure::Stop || self.to_return().next().is_some();
                if stays { Verdict::Stopped } else { Verdict::WentBack }
            }
            State::Aborting => Verdict::Aborted,
            State::Finished(verdict) => verdict,
        }
    }

    /// Whether it is over, so that another one may begin.
    pub fn is_over(&self) -> bool {
        matches!(self.state, State::Finished(_))
    }
}

impl RolloutId {
    /// Makes an id from eight random bytes.
    pub fn from_bytes(bytes: [u8; 8]) -> Self {
        Self(OpId::from_bytes(bytes).to_string())
    }

    /// An id as it was stored.
    pub fn stored(text: String) -> Self {
        Self(text)
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RolloutId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}
