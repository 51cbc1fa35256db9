//! Leases: who may work on an instance, or on what the fleet has in common. Only a lease can write.
//!
//! A lease is a row with a fence that counts its holders. A holder that is known to be dead is replaced at once, any other when it
//! has not renewed for [`TERM`]; each write renews, and is refused where somebody else has the lease by then.

use std::sync::Weak;
use std::time::Duration;

use super::database::{Statement, Written, by_clock};
use super::session::Session;
use super::{Inner, Store, StoreError};
use crate::backoff::Backoff;

/// How long a lease lasts without being renewed, in milliseconds.
const TERM: i64 = 30_000;
/// How often all leases of a process are renewed.
const HEARTBEAT: Duration = Duration::from_secs(8);
/// Longest wait for somebody else's work: more than a whole deploy may take.
const WAIT: Duration = Duration::from_secs(45 * 60);
/// The subject of what the fleet has in common.
pub const FLEET: &str = "fleet:";

/// The right to change one instance, or what the fleet has in common. It ends with [`Lease::release`], or with the process.
#[derive(Debug)]
#[must_use = "nobody else can work on it meanwhile"]
pub struct Lease {
    pub(super) store: Store,
    pub(super) subject: String,
    pub(super) fence: i64,
}

/// Somebody else has the lease.
#[derive(Debug)]
pub struct Held {
    /// Of what: an instance's name, or [`FLEET`].
    pub subject: String,
    /// Who has it; none where it changed hands just now.
    pub by: Option<Session>,
    /// Since when (RFC 3339).
    pub since: String,
}

/// What came of one attempt.
enum Attempt {
    Taken(i64),
    Held(Box<Held>),
    Again,
}

impl Store {
    /// Takes the lease of a subject, waiting while somebody else has it; `told` hears who that is, once for each
    /// holder. `now` is RFC 3339.
    ///
    /// # Errors
    /// [`StoreError::Held`] after 45 minutes; or what the database says.
    pub async fn lease(
        &self,
        subject: &str,
        now: &str,
        mut told: impl FnMut(&Held) + Send,
    ) -> Result<Lease, StoreError> {
        self.begin_session().await?;
        let mut pauses = Backoff::new(Duration::from_millis(50), Duration::from_secs(1), WAIT);
        let mut last = None;
        loop {
            let held = match self.attempt(subject, now).await? {
                Attempt::Taken(fence) => {
                    return Ok(Lease { store: self.clone(), subject: subject.to_owned(), fence });
                }
                Attempt::Again => continue,
                Attempt::Held(held) => held,
            };
            let holder = held.by.as_ref().map(|session| session.id.clone());
            if last != Some(holder.clone()) {
                told(&held);
                last = Some(holder);
            }
            if pauses.pause().await.is_err() {
                return Err(StoreError::Held { subject: held.subject, by: held.by.map(|by| by.to_string()) });
            }
        }
    }

    /// How often the lease of each subject that nobody has right now has changed hands, for who wants to know later whether anybody was
    /// there. Who has one, or died with it, may have written after this look without another change of hands: so those are left out.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn fences(&self) -> Result<std::collections::BTreeMap<String, i64>, StoreError> {
        let database = self.database();
        let rows =
            database.rows(Statement::new("SELECT subject, fence FROM lease WHERE holder IS NULL")).await?;
        rows.iter().map(|row| Ok((database.get(row, "subject")?, database.get(row, "fence")?))).collect()
    }

    /// What is being worked on by other processes that are not known to be dead, and by whom.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn held(&self) -> Result<Vec<Held>, StoreError> {
        let database = self.database();
        let now = database.now().await?;
        let statement = Statement::new(
            "SELECT lease.subject, lease.fence, lease.holder, lease.since, lease.expires, session.* FROM lease
             JOIN session ON session.id = lease.holder WHERE lease.expires > $1 ORDER BY lease.subject",
        );
        let mut held = Vec::new();
        for row in database.rows(statement.bind(now)).await? {
            let session = self.session_of(&row)?;
            if !session.has_ended() && !session.is_here() {
                let (subject, since) = (database.get(&row, "subject")?, database.get(&row, "since")?);
                held.push(Held { subject, by: Some(session), since });
            }
        }
        Ok(held)
    }

    async fn attempt(&self, subject: &str, now: &str) -> Result<Attempt, StoreError> {
        let database = self.database();
        let me = self.session()?.id.clone();
        let statement = Statement::new(
            "SELECT lease.fence, lease.holder, lease.since, lease.expires, session.* FROM lease
             LEFT JOIN session ON session.id = lease.holder WHERE lease.subject = $1",
        );
        let clock = database.now().await?;
        let Some(row) = database.row(statement.bind(subject)).await? else {
            let first = Statement::new(
                "INSERT INTO lease (subject, fence, holder, since, expires) VALUES ($1, 0, NULL, NULL, 0)
                 ON CONFLICT (subject) DO NOTHING",
            );
            let _ = database.write(&[first.bind(subject)]).await?;
            return Ok(Attempt::Again);
        };
        let (fence, expires): (i64, i64) = (database.get(&row, "fence")?, database.get(&row, "expires")?);
        let holder: Option<String> = database.get(&row, "holder")?;
        if holder.as_ref() == Some(&me) && expires > clock {
            return Ok(Attempt::Taken(fence));
        }
        if holder.is_some() && expires > clock {
            let by = self.session_of(&row)?;
            if !by.has_ended() {
                let since: Option<String> = database.get(&row, "since")?;
                let (subject, since) = (subject.to_owned(), since.unwrap_or_default());
                return Ok(Attempt::Held(Box::new(Held { subject, by: Some(by), since })));
            }
        }
        // whoever was faster has changed the fence or renewed it
        let take = Statement::new(
            "UPDATE lease SET fence = fence + 1, holder = $2, since = $3, expires = $4
             WHERE subject = $1 AND fence = $5 AND expires = $6",
        )
        .bind(subject)
        .bind(me)
        .bind(now)
        .bind(clock + TERM)
        .bind(fence)
        .bind(expires);
        match database.write(&[take.guard()]).await? {
            Written::Done(_) => Ok(Attempt::Taken(fence + 1)),
            Written::Refused => Ok(Attempt::Again),
        }
    }

    /// Frees everything that this process has.
    pub(super) async fn release_all(&self) -> Result<(), StoreError> {
        let Some(me) = self.me() else { return Ok(()) };
        let all = Statement::new("UPDATE lease SET holder = NULL, expires = 0 WHERE holder = $1");
        let _ = self.database().write(&[all.bind(me.id.as_str())]).await?;
        Ok(())
    }

    /// Renews, every few seconds, the leases that a long step does not.
    pub(super) fn start_heartbeat(&self) -> tokio::task::JoinHandle<()> {
        let inner = std::sync::Arc::downgrade(&self.inner);
        tokio::spawn(async move {
            let mut ticks = tokio::time::interval(HEARTBEAT);
            ticks.tick().await;
            loop {
                ticks.tick().await;
                if beat(&inner).await.is_none() {
                    return;
                }
            }
        })
    }
}

/// One renewal; none when the store is gone.
async fn beat(inner: &Weak<Inner>) -> Option<()> {
    let store = Store { inner: inner.upgrade()? };
    let me = store.me()?.id.clone();
    // what cannot be renewed is told by the next write, which is refused
    let [sqlite, postgres] = by_clock!("UPDATE lease SET expires = ", " + $2 WHERE holder = $1");
    let renew = store.database().either(sqlite, postgres).bind(me).bind(TERM);
    let _ = store.database().write(&[renew]).await;
    Some(())
}

impl Lease {
    /// Of what it is: an instance's name, or [`FLEET`].
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// The how-manieth holder this is.
    pub fn fence(&self) -> i64 {
        self.fence
    }

    /// Lets others have it.
    ///
    /// # Errors
    /// [`StoreError`]; it is free then as soon as this process has ended or not renewed it for half a minute.
    pub async fn release(&self) -> Result<(), StoreError> {
        let free = Statement::new(
            "UPDATE lease SET holder = NULL, expires = 0 WHERE subject = $1 AND fence = $2 AND holder = $3",
        );
        let session = self.store.session()?.id.as_str();
        let free = free.bind(self.subject.as_str()).bind(self.fence).bind(session);
        let _ = self.store.database().write(&[free]).await?;
        Ok(())
    }

    /// The statement that renews it, and lets nothing after it be done where somebody else has it by now.
    pub(super) fn renewal(&self) -> Result<Statement, StoreError> {
        let [sqlite, postgres] = by_clock!(
            "UPDATE lease SET expires = ",
            " + $4 WHERE subject = $1 AND fence = $2 AND holder = $3"
        );
        let renew = self.store.database().either(sqlite, postgres);
        let renew = renew.bind(self.subject.as_str()).bind(self.fence);
        Ok(renew.bind(self.store.session()?.id.as_str()).bind(TERM).guard())
    }

    /// Carries statements out, if this is still the holder.
    pub(super) async fn write(
        &self,
        statements: impl IntoIterator<Item = Statement>,
    ) -> Result<u64, StoreError> {
        let mut all = vec![self.renewal()?];
        all.extend(statements);
        match self.store.database().write(&all).await? {
            Written::Done(changed) => Ok(changed),
            Written::Refused => Err(StoreError::Overtaken { subject: self.subject.clone() }),
        }
    }
}
