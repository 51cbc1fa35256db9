//! The whole state as one document: to be read by people, kept, and moved between files and databases.

use serde::{Deserialize, Serialize};

use super::database::Statement;
use super::{Creation, Entry, FLEET, FleetRow, Session, Store, StoreError};
use crate::model::instance::Instance;

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
}

impl Document {
    /// Whether this version can read it.
    pub fn is_readable(&self) -> bool {
        self.format == FORMAT
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
        })
    }

    /// Replaces everything by a document, in one transaction. Nobody may be working on it; `now` is RFC 3339.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn replace(&self, document: &Document, now: &str) -> Result<(), StoreError> {
        let lease = self.lease(FLEET, now, |_| {}).await?;
        let mut all: Vec<Statement> =
            ["DELETE FROM intent", "DELETE FROM creation", "DELETE FROM instance", "DELETE FROM fleet"]
                .map(Statement::new)
                .into();
        all.push(document.fleet.insert());
        all.extend(document.sessions.iter().map(Session::insert));
        all.extend(document.creations.iter().map(Creation::insert));
        all.extend(document.history.iter().map(Entry::insert));
        for instance in &document.instances {
            all.extend(self.change_instance(instance)?);
        }
        lease.write(all).await?;
        lease.release().await
    }
}
