//! Intents and outcomes: what was about to be done, and what came of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};
use sqlx::any::AnyRow;

use super::database::{Database, Statement};
use super::{Lease, Store, StoreError, seal};
use crate::model::instance::{Instance, Stage};
use crate::model::name::InstanceName;

/// An intent that waits for its outcome.
#[derive(Debug)]
#[must_use = "an intent without outcome reads as an interruption"]
pub struct Intent(Entry);

/// One line of the history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Its id.
    pub id: String,
    /// Which session; none before sessions were written down.
    pub session: Option<String>,
    /// An instance's name, or the fleet.
    pub subject: String,
    /// The step, in one word.
    pub step: String,
    /// When it began (RFC 3339).
    pub begun: String,
    /// When it ended.
    pub ended: Option<String>,
    /// What came of it; none: it was interrupted, or is going on.
    pub outcome: Option<String>,
}

/// A server that was given a name, for which it then ordered a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Naming {
    /// Whose server.
    pub instance: InstanceName,
    /// When (RFC 3339).
    pub begun: String,
}

/// How the outcome begins of a step that may or may not have been taken.
pub const UNKNOWN: &str = "unknown: ";

/// A create of which nobody knows what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterruptedCreate {
    /// Whose server it was to be.
    pub instance: InstanceName,
    /// When it began (RFC 3339).
    pub begun: String,
}

impl Entry {
    pub(super) fn hash(&self) -> i64 {
        let Self { id, session, subject, step, begun, ended, outcome } = self;
        let columns = [
            Some(id),
            session.as_ref(),
            Some(subject),
            Some(step),
            Some(begun),
            ended.as_ref(),
            outcome.as_ref(),
        ];
        seal::hash(columns.map(|column| column.map(String::as_str)))
    }

    pub(super) fn of(database: &Database, row: &AnyRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: database.get(row, "id")?,
            session: database.get(row, "session")?,
            subject: database.get(row, "subject")?,
            step: database.get(row, "step")?,
            begun: database.get(row, "begun")?,
            ended: database.get(row, "ended")?,
            outcome: database.get(row, "outcome")?,
        })
    }

    /// Puts this entry into its subject's seal, in place of what the row held before; run before the row changes, and
    /// nothing where it has changed already.
    fn reseal(&self, before: i64) -> Statement {
        Statement::new(
            "UPDATE lease SET history = (history | $2) - (history & $2)
             WHERE subject = $1 AND COALESCE((SELECT hash FROM intent WHERE id = $3), 0) = $4",
        )
        .bind(self.subject.as_str())
        .bind(before ^ self.hash())
        .bind(self.id.as_str())
        .bind(before)
    }

    pub(super) fn insert(&self) -> Statement {
        Statement::new(
            "INSERT INTO intent (id, session, subject, step, begun, ended, outcome, hash)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (id) DO NOTHING",
        )
        .bind(self.id.as_str())
        .bind(self.session.clone())
        .bind(self.subject.as_str())
        .bind(self.step.as_str())
        .bind(self.begun.as_str())
        .bind(self.ended.clone())
        .bind(self.outcome.clone())
        .bind(self.hash())
    }
}

impl Lease {
    /// Writes down that a step is about to touch the world. `now` is RFC 3339.
    ///
    /// # Errors
    /// [`StoreError`]; the step must not be taken then.
    pub async fn begin(&self, step: &str, now: &str) -> Result<Intent, StoreError> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let session = self.store.session()?.id.clone();
        let id = format!("{session}-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let entry = Entry {
            id,
            session: Some(session),
            subject: self.subject.clone(),
            step: step.to_owned(),
            begun: now.to_owned(),
            ended: None,
            outcome: None,
        };
        self.write(self.store.database().together(entry.reseal(0), entry.insert())).await?;
        Ok(Intent(entry))
    }

    /// Writes down what came of a step that belongs to no instance, or that failed.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn end(&self, intent: Intent, outcome: &str, now: &str) -> Result<(), StoreError> {
        self.write(intent.ended(outcome, now, self.store.database())).await?;
        Ok(())
    }

    /// Writes down, in one transaction, what came of a step and where the instance stands now; one that is gone is
    /// taken off the list.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn advance(&self, intent: Intent, instance: &Instance, now: &str) -> Result<(), StoreError> {
        let ended = intent.ended(instance.stage.word(), now, self.store.database());
        let change = match instance.stage {
            Stage::Gone => self.store.remove_instance(&instance.name),
            _ => self.store.change_instance(instance)?,
        };
        self.write(ended.into_iter().chain(change)).await?;
        Ok(())
    }

    /// The same for an instance that takes the place of a standby, which is taken off the list in the same transaction: so it becomes
    /// one instance, and no second one.
    ///
    /// # Errors
    /// [`StoreError`], also where somebody else has the right to change the standby by now.
    pub async fn advance_claiming(
        &self,
        intent: Intent,
        instance: &Instance,
        (standby, lease): (&InstanceName, &Self),
        now: &str,
    ) -> Result<(), StoreError> {
        let ended = intent.ended(instance.stage.word(), now, self.store.database());
        let (gone, change) = (self.store.remove_instance(standby), self.store.change_instance(instance)?);
        let all = std::iter::once(lease.renewal()?).chain(gone).chain(ended).chain(change);
        self.write(all).await?;
        Ok(())
    }
}

impl Intent {
    fn ended(self, outcome: &str, now: &str, database: &Database) -> Vec<Statement> {
        let Self(mut entry) = self;
        let before = entry.hash();
        entry.ended = Some(now.to_owned());
        entry.outcome = Some(outcome.to_owned());
        let (seal, hash) = (entry.reseal(before), entry.hash());
        let end = Statement::new("UPDATE intent SET ended = $2, outcome = $3, hash = $4 WHERE id = $1");
        database.together(seal, end.bind(entry.id).bind(now).bind(outcome).bind(hash))
    }
}

impl Store {
    /// What was done for one subject, the oldest first; everything where none is named.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn history(&self, subject: Option<&str>) -> Result<Vec<Entry>, StoreError> {
        // one statement each, so that the seals are of the same moment; a subject or an entry that the other side lacks
        // is not left out
        let statement = match subject {
            None => Statement::new(
                "SELECT lease.subject AS sealed, lease.history, intent.* FROM lease
                 FULL JOIN intent ON intent.subject = lease.subject ORDER BY intent.seq",
            ),
            Some(subject) => Statement::new(
                "SELECT asked.sealed, lease.history, intent.* FROM (SELECT CAST($1 AS TEXT) AS sealed) AS asked
                 LEFT JOIN lease ON lease.subject = asked.sealed
                 LEFT JOIN intent ON intent.subject = asked.sealed ORDER BY intent.seq",
            )
            .bind(subject),
        };
        let database = self.database();
        let (mut entries, mut seals) = (Vec::new(), BTreeMap::<String, i64>::new());
        let mut sealed = BTreeMap::new();
        for row in database.rows(statement).await? {
            if let Some(subject) = database.get::<Option<String>>(&row, "sealed")? {
                sealed.insert(subject, database.get::<Option<i64>>(&row, "history")?.unwrap_or_default());
            }
            if database.get::<Option<String>>(&row, "id")?.is_none() {
                continue;
            }
            let entry = Entry::of(database, &row)?;
            if database.get::<i64>(&row, "hash")? != entry.hash() {
                return Err(self.damaged(format!("the history of {}", entry.subject)));
            }
            *seals.entry(entry.subject.clone()).or_default() ^= entry.hash();
            entries.push(entry);
        }
        sealed.retain(|_, seal| *seal != 0);
        match sealed == seals {
            true => Ok(entries),
            false => Err(self.damaged("the history".to_owned())),
        }
    }

    /// All servers that were given a name, in the order in which that was begun, also of instances that are gone. One that was given it
    /// again is told once.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn namings(&self) -> Result<Vec<Naming>, StoreError> {
        let (mut unnamed, mut found) = (BTreeSet::new(), Vec::new());
        for Entry { subject, step, begun, .. } in self.history(None).await? {
            if step == "create" {
                unnamed.insert(subject);
            } else if step == "name"
                && unnamed.remove(&subject)
                && let Ok(instance) = subject.parse()
            {
                found.push(Naming { instance, begun });
            }
        }
        Ok(found)
    }

    /// The creates of these instances of which nobody knows whether they made a server: they were interrupted, or got no answer.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn interrupted_creates(
        &self,
        instances: &[Instance],
    ) -> Result<Vec<InterruptedCreate>, StoreError> {
        let mut found = Vec::new();
        for instance in instances.iter().filter(|instance| instance.stage.server().is_none()) {
            let last =
                self.history(Some(instance.name.as_str())).await?.into_iter().rfind(|e| e.step == "create");
            let unknown =
                |entry: &Entry| entry.outcome.as_deref().is_none_or(|outcome| outcome.starts_with(UNKNOWN));
            if let Some(entry) = last.filter(unknown) {
                found.push(InterruptedCreate { instance: instance.name.clone(), begun: entry.begun });
            }
        }
        Ok(found)
    }
}
