//! Where an instance stands, and how it gets on.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::Server;
use crate::model::fleet::OpId;
use crate::model::name::InstanceName;
use crate::model::policy::Enacted;
use crate::model::release::Release;

/// Where an instance stands. Each stage holds what it guarantees.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "stage", content = "server", rename_all = "snake_case")]
pub enum Stage {
    /// Decided; nothing of it is known to exist.
    Planned,
    /// The server exists.
    Created(Server),
    /// SSH answers with the pinned host key.
    Reachable(Server),
    /// Logged in, and the server is the one that was created.
    Trusted(Server),
    /// The host is set up and the gateway was started.
    Installed(Server),
    /// The gateway was seen serving from outside.
    Serving(Server),
    /// Being removed.
    Destroying(Option<Server>),
    /// Removed; only the history remembers it.
    Gone,
}

/// What a step achieved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// A server was created or found.
    Created(Server),
    /// A standby's server became its own.
    Claimed {
        /// The server.
        server: Server,
        /// Whose it was.
        standby: InstanceName,
    },
    /// Its server bears its name.
    Renamed,
    /// Nothing is left on its server of the standby that it was.
    Renewed,
    /// Its labels are right.
    Labelled,
    /// The cloud firewall is before it.
    Guarded,
    /// Its DNS records are in place.
    Named,
    /// Its server cannot be deleted by mistake.
    Protected,
    /// SSH answered with the pinned key.
    Reached,
    /// Logged in to the right server.
    Trusted,
    /// It has a host key of its own, this one, and does not show it yet.
    HostKeyMade {
        /// Its public half.
        key: String,
        /// The key that signed it, where one did.
        signer: Option<String>,
    },
    /// Its labels name its host keys.
    HostKeyLabelled,
    /// It shows its own host key, and no other.
    HostKeySwitched,
    /// Its root lets these keys in, and no others.
    KeysSeen(BTreeSet<String>),
    /// The key that is to be the fleet's own logs in.
    KeyProved,
    /// The host lets the admin networks in.
    Admitted,
    /// The set-up on the host is done.
    Installed,
    /// Every check from outside holds.
    Served,
    /// Its server has what it takes to change its release.
    Equipped,
    /// Nothing speaks against a change.
    Surveyed,
    /// The next release is beside the one in use.
    Staged,
    /// The next release started on a copy of the state.
    Rehearsed,
    /// Another release serves, on trial.
    Switched,
    /// The release that serves stays.
    Kept(Release),
    /// The release before the trial serves again.
    Reverted,
    /// What is not needed any more of old releases is gone.
    Pruned,
    /// Its operating system has its security updates.
    Upgraded,
    /// It runs what its updates installed.
    Rebooted,
    /// A policy is in force, on trial.
    Enacted,
    /// The policy that is in force stays.
    Upheld(Box<Enacted>),
    /// The policy of this change is taken back.
    Repealed(OpId),
    /// Its gateway has a new token, and the old one is dead.
    Rotated,
    /// Its removal was decided.
    Condemned,
    /// Its certificate was revoked, or could not be.
    Revoked,
    /// Its servers can be deleted.
    Unprotected,
    /// No server of an interrupted create is left.
    Swept,
    /// Its DNS records are gone.
    Unnamed,
    /// Its server is gone.
    Deleted,
}

/// A step claims what cannot be at this stage: a fault of the program.
#[derive(Debug, thiserror::Error)]
#[error("an instance that is {stage} cannot become {outcome}")]
pub struct Impossible {
    stage: &'static str,
    outcome: &'static str,
}

impl Stage {
    /// The stage after an outcome. Steps may run twice, so an outcome that was already reached changes nothing.
    ///
    /// # Errors
    /// [`Impossible`] where the outcome needs something that the stage does not guarantee.
    pub fn after(self, outcome: Outcome) -> Result<Self, Impossible> {
        use Outcome as O;
        use Stage as S;
        let refused = Impossible { stage: self.word(), outcome: outcome.word() };
        match (self, outcome) {
            (
                S::Planned
                | S::Created(_)
                | S::Reachable(_)
                | S::Trusted(_)
                | S::Installed(_)
                | S::Serving(_),
                O::Created(server),
            ) => Ok(S::Created(server)),

            (S::Planned, O::Claimed { server, standby }) => {
                Ok(S::Installed(Server { standby: Some(standby), ..server }))
            }
            (stage @ (S::Installed(_) | S::Serving(_)), O::Renewed) => {
                Ok(stage.with_server(|server| Server { standby: None, ..server }))
            }

            (
                stage @ (S::Created(_) | S::Reachable(_) | S::Trusted(_) | S::Installed(_) | S::Serving(_)),
                O::Renamed | O::Labelled | O::Guarded | O::Named | O::Protected,
            ) => Ok(stage),

            (
                stage @ S::Serving(_),
                O::Equipped
                | O::Surveyed
                | O::Staged
                | O::Rehearsed
                | O::Switched
                | O::Kept(_)
                | O::Reverted
                | O::Pruned
                | O::Upgraded
                | O::Rebooted
                | O::Enacted
                | O::Upheld(_)
                | O::Repealed(_)
                | O::Rotated,
            ) => Ok(stage),

            (S::Created(server), O::Reached) => Ok(S::Reachable(server)),
            (stage @ (S::Reachable(_) | S::Trusted(_) | S::Installed(_) | S::Serving(_)), O::Reached) => {
                Ok(stage)
            }

            (S::Reachable(server), O::Trusted) => Ok(S::Trusted(server)),
            (stage @ (S::Trusted(_) | S::Installed(_) | S::Serving(_)), O::Trusted) => Ok(stage),

            (stage @ (S::Trusted(_) | S::Installed(_) | S::Serving(_)), O::Admitted | O::KeyProved) => {
                Ok(stage)
            }
            (stage @ (S::Trusted(_) | S::Installed(_) | S::Serving(_)), O::KeysSeen(keys)) => {
                Ok(stage.with_server(|server| Server { admitted: Some(keys), ..server }))
            }
            (stage @ (S::Trusted(_) | S::Installed(_) | S::Serving(_)), O::HostKeyMade { key, signer }) => {
                Ok(stage.with_server(|server| server.has_made(key, signer)))
            }
            (stage @ (S::Trusted(_) | S::Installed(_) | S::Serving(_)), O::HostKeyLabelled) => {
                Ok(stage.with_server(Server::has_labels))
            }
            (stage @ (S::Trusted(_) | S::Installed(_) | S::Serving(_)), O::HostKeySwitched) => {
                Ok(stage.with_server(Server::has_switched))
            }

            (S::Trusted(server), O::Installed) => Ok(S::Installed(server)),
            (stage @ (S::Installed(_) | S::Serving(_)), O::Installed) => Ok(stage),

            (S::Installed(server) | S::Serving(server), O::Served) => Ok(S::Serving(server)),

            (S::Planned, O::Condemned) => Ok(S::Destroying(None)),
            (
                S::Created(server)
                | S::Reachable(server)
                | S::Trusted(server)
                | S::Installed(server)
                | S::Serving(server),
                O::Condemned,
            ) => Ok(S::Destroying(Some(server))),
            (stage @ (S::Destroying(_) | S::Gone), O::Condemned) => Ok(stage),

            (stage @ (S::Destroying(_) | S::Gone), O::Revoked | O::Swept | O::Unnamed | O::Unprotected) => {
                Ok(stage)
            }
            (S::Destroying(_) | S::Gone, O::Deleted) => Ok(S::Gone),

            (
                S::Created(_)
                | S::Reachable(_)
                | S::Trusted(_)
                | S::Installed(_)
                | S::Serving(_)
                | S::Destroying(_)
                | S::Gone,
                O::Claimed { .. },
            )
            | (
                S::Planned | S::Created(_) | S::Reachable(_) | S::Trusted(_) | S::Destroying(_) | S::Gone,
                O::Renewed,
            )
            | (
                S::Planned,
                O::Renamed
                | O::Labelled
                | O::Guarded
                | O::Named
                | O::Protected
                | O::Reached
                | O::Trusted
                | O::HostKeyMade { .. }
                | O::HostKeyLabelled
                | O::HostKeySwitched
                | O::KeysSeen(_)
                | O::KeyProved
                | O::Admitted
                | O::Installed
                | O::Served
                | O::Revoked
                | O::Unprotected
                | O::Swept
                | O::Unnamed
                | O::Deleted,
            )
            | (
                S::Created(_),
                O::Trusted
                | O::HostKeyMade { .. }
                | O::HostKeyLabelled
                | O::HostKeySwitched
                | O::KeysSeen(_)
                | O::KeyProved
                | O::Admitted
                | O::Installed
                | O::Served
                | O::Revoked
                | O::Unprotected
                | O::Swept
                | O::Unnamed
                | O::Deleted,
            )
            | (
                S::Reachable(_),
                O::HostKeyMade { .. }
                | O::HostKeyLabelled
                | O::HostKeySwitched
                | O::KeysSeen(_)
                | O::KeyProved
                | O::Admitted
                | O::Installed
                | O::Served
                | O::Revoked
                | O::Unprotected
                | O::Swept
                | O::Unnamed
                | O::Deleted,
            )
            | (S::Trusted(_), O::Served | O::Revoked | O::Unprotected | O::Swept | O::Unnamed | O::Deleted)
            | (
                S::Installed(_) | S::Serving(_),
                O::Revoked | O::Unprotected | O::Swept | O::Unnamed | O::Deleted,
            )
            | (
                S::Destroying(_) | S::Gone,
                O::Created(_)
                | O::Renamed
                | O::Labelled
                | O::Guarded
                | O::Named
                | O::Protected
                | O::Reached
                | O::Trusted
                | O::HostKeyMade { .. }
                | O::HostKeyLabelled
                | O::HostKeySwitched
                | O::KeysSeen(_)
                | O::KeyProved
                | O::Admitted
                | O::Installed
                | O::Served,
            )
            | (
                S::Planned
                | S::Created(_)
                | S::Reachable(_)
                | S::Trusted(_)
                | S::Installed(_)
                | S::Destroying(_)
                | S::Gone,
                O::Equipped
                | O::Surveyed
                | O::Staged
                | O::Rehearsed
                | O::Switched
                | O::Kept(_)
                | O::Reverted
                | O::Pruned
                | O::Upgraded
                | O::Rebooted
                | O::Enacted
                | O::Upheld(_)
                | O::Repealed(_)
                | O::Rotated,
            ) => Err(refused),
        }
    }

    /// The stage in one word.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Created(_) => "created",
            Self::Reachable(_) => "reachable",
            Self::Trusted(_) => "trusted",
            Self::Installed(_) => "installed",
            Self::Serving(_) => "serving",
            Self::Destroying(_) => "destroying",
            Self::Gone => "gone",
        }
    }

    /// The server, at the stages that have one.
    pub fn server(&self) -> Option<&Server> {
        match self {
            Self::Created(server)
            | Self::Reachable(server)
            | Self::Trusted(server)
            | Self::Installed(server)
            | Self::Serving(server) => Some(server),
            Self::Destroying(server) => server.as_ref(),
            Self::Planned | Self::Gone => None,
        }
    }

    /// The same stage, with the server changed where it has one.
    fn with_server(self, change: impl FnOnce(Server) -> Server) -> Self {
        match self {
            Self::Created(server) => Self::Created(change(server)),
            Self::Reachable(server) => Self::Reachable(change(server)),
            Self::Trusted(server) => Self::Trusted(change(server)),
            Self::Installed(server) => Self::Installed(change(server)),
            Self::Serving(server) => Self::Serving(change(server)),
            Self::Destroying(server) => Self::Destroying(server.map(change)),
            Self::Planned => Self::Planned,
            Self::Gone => Self::Gone,
        }
    }
}

impl Outcome {
    fn word(&self) -> &'static str {
        match self {
            Self::Created(_) => "created",
            Self::Claimed { .. } => "claimed",
            Self::Renamed => "renamed",
            Self::Renewed => "renewed",
            Self::Labelled => "labelled",
            Self::Guarded => "guarded",
            Self::Named => "named",
            Self::Protected => "protected",
            Self::Reached => "reachable",
            Self::Trusted => "trusted",
            Self::HostKeyMade { .. } => "with a host key of its own",
            Self::HostKeyLabelled => "with its host keys on labels",
            Self::HostKeySwitched => "showing its own host key",
            Self::KeysSeen(_) => "letting these keys in",
            Self::KeyProved => "letting the next key in",
            Self::Admitted => "admitting",
            Self::Installed => "installed",
            Self::Served => "serving",
            Self::Equipped => "equipped",
            Self::Surveyed => "surveyed",
            Self::Staged => "staged",
            Self::Rehearsed => "rehearsed",
            Self::Switched => "switched",
            Self::Kept(_) => "updated",
            Self::Reverted => "reverted",
            Self::Pruned => "pruned",
            Self::Upgraded => "upgraded",
            Self::Rebooted => "rebooted",
            Self::Enacted => "governed, on trial",
            Self::Upheld(_) => "governed",
            Self::Repealed(_) => "governed as before",
            Self::Rotated => "rotated",
            Self::Condemned => "destroying",
            Self::Revoked => "without a certificate",
            Self::Unprotected => "unprotected",
            Self::Swept => "swept",
            Self::Unnamed => "unnamed",
            Self::Deleted => "gone",
        }
    }
}

#[cfg(test)]
mod tests;
