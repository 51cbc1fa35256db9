//! The whole state as one document: to be read by people, kept, and moved between files and databases.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::database::Statement;
use super::{Creation, Entry, FLEET, FleetRow, Session, Store, StoreError};
use crate::model::instance::Instance;
use crate::model::rollout::Rollout;

/// The format that this version writes.
const FORMAT: u32 = 1;

/// Everything that the state knows. Stable: fields are added, not changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// The format: 1.
    pub format: u32,
    /// Whose state it is.
    pub fleet: FleetRow,
    /// The instances, by name.
    pub instances: Vec<Instance>,
    /// The host keys that creates injected, by the creates' ids.
    pub creations: Vec<Creation>,
    /// Who worked on it, the oldest first.
    pub sessions: Vec<Session>,
    /// What was done, the oldest first.
    pub history: Vec<Entry>,
    /// The rollouts, the oldest first; left out where there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rollouts: Vec<Rollout>,
}

impl Document {
    /// Whether this version can read it.
    pub fn is_readable(&self) -> bool {
        self.format == FORMAT
    }

    /// Whether it says all that another one says; it may know of more sessions, such as the one that copied it.
    pub fn says_what(&self, other: &Self) -> bool {
        let same = (&self.fleet, &self.instances, &self.creations, &self.history, &self.rollouts)
            == (&other.fleet, &other.instances, &other.creations, &other.history, &other.rollouts);
        same && other.sessions.iter().all(|session| self.sessions.contains(session))
    }
}

impl Store {
    /// Everything, as one document.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn document(&self) -> Result<Document, StoreError> {
        Ok(Document {
            format: FORMAT,
            fleet: FleetRow { moved_to: None, ..self.fleet_row().await? },
            instances: self.instances().await?,
            creations: self.creations().await?,
            sessions: self.sessions().await?,
            history: self.history(None).await?,
            rollouts: self.rollouts().await?,
        })
    }

    /// Whether nothing is lost by [`Store::replace`]: it has no instance, or was moved elsewhere, or everything that was ever
    /// done here is in the document, too.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn may_be_replaced_by(&self, document: &Document) -> Result<bool, StoreError> {
        let row = self.fleet_row().await?;
        if row.moved_to.is_some() || self.instances().await?.is_empty() {
            return Ok(true);
        }
        let known: BTreeSet<&str> = document.history.iter().map(|entry| entry.id.as_str()).collect();
        let here = self.history(None).await?;
        Ok(row.id == document.fleet.id && here.iter().all(|entry| known.contains(entry.id.as_str())))
    }

    /// Replaces everything by a document, in one transaction. Nobody may be working on it; `now` is RFC 3339.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn replace(&self, document: &Document, now: &str) -> Result<(), StoreError> {
        let lease = self.lease(FLEET, now, |_| {}).await?;
        // leases before the fleet, as everybody else locks them
        let mut all = seal_subjects(&document.history, &document.creations);
        all.extend(self.replace_rollouts(&document.rollouts)?);
        all.extend(
            ["DELETE FROM intent", "DELETE FROM creation", "DELETE FROM instance", "DELETE FROM fleet"]
                .map(Statement::new),
        );
        all.push(document.fleet.insert());
        all.extend(document.sessions.iter().flat_map(Session::insert));
        all.extend(document.creations.iter().map(Creation::insert));
        all.extend(document.history.iter().map(Entry::insert));
        for instance in &document.instances {
            all.extend(self.change_instance(instance)?);
        }
        lease.write(all).await?;
        lease.release().await
    }
}

/// Seals all that there is of every subject, in place of what the seals were of.
pub(super) fn seal_subjects(history: &[Entry], creations: &[Creation]) -> Vec<Statement> {
    let mut seals = BTreeMap::<&str, (i64, i64)>::new();
    for entry in history {
        seals.entry(&entry.subject).or_default().0 ^= entry.hash();
    }
    for creation in creations {
        seals.entry(&creation.instance).or_default().1 ^= creation.hash();
    }
    let mut all = vec![Statement::new("UPDATE lease SET history = 0, host_keys = 0")];
    all.extend(seals.into_iter().map(|(subject, (history, host_keys))| {
        Statement::new(
            "INSERT INTO lease (subject, fence, expires, history, host_keys) VALUES ($1, 0, 0, $2, $3)
             ON CONFLICT (subject) DO UPDATE SET history = excluded.history, host_keys = excluded.host_keys",
        )
        .bind(subject)
        .bind(history)
        .bind(host_keys)
    }));
    all
}
