//! The state: an SQLite file, or a PostgreSQL database for teams, in which every intent and every outcome is durable before
//! the next step.
//!
//! It holds no secret: of key pairs only the public halves, of gateways no token. Whoever wants to write takes a [`Lease`].

mod check;
mod creation;
mod database;
mod document;
mod error;
mod file;
mod fleet;
mod instance;
mod intent;
mod lease;
mod mount;
mod rollout;
mod schema;
mod seal;
mod session;
#[cfg(test)]
mod tests;

use std::sync::{Arc, OnceLock};

use sqlx::any::AnyRow;
use tokio::sync::OnceCell;

pub use creation::Creation;
pub use document::Document;
pub use error::{Obstacle, StoreError};
pub use fleet::FleetRow;
pub use intent::{Entry, Intent, InterruptedCreate, Naming, UNKNOWN};
pub use lease::{FLEET, Held, Lease};
pub use rollout::{Asked, ROLLOUT, ROLLOUT_REQUEST};
pub use session::Session;

use crate::model::fleet::FleetId;
use crate::model::place::Place;
use database::{Database, Purpose, Statement};
use file::Found;

/// An open state. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    database: Database,
    fleet: FleetId,
    moved: Option<String>,
    session: Option<Session>,
    /// Filled when the session is written down, before the first lease.
    begun: OnceCell<()>,
    heartbeat: OnceLock<tokio::task::JoinHandle<()>>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(task) = self.heartbeat.get() {
            task.abort();
        }
    }
}

impl Store {
    /// Opens the state for writing, making it where there is none, and brings an older one up to date. `fresh` is the id that a
    /// new fleet gets.
    ///
    /// # Errors
    /// [`StoreError`]: not writable, not a state, written by a newer version, or moved elsewhere. Nothing is changed then.
    pub async fn open(place: &Place, fresh: &FleetId, session: Session) -> Result<Self, StoreError> {
        Self::open_to_replace(place, fresh, session).await?.not_moved()
    }

    /// The same also where the fleet was moved elsewhere, to which it may come back.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub async fn open_to_replace(
        place: &Place,
        fresh: &FleetId,
        session: Session,
    ) -> Result<Self, StoreError> {
        if let Place::File(path) = place {
            file::make_folder(path)?;
            file::is_writable(path)?;
            file::found(path).await?;
        }
        let database = Database::connect(place, Purpose::Create).await?;
        schema::bring_up_to_date(&database).await?;
        schema::note_writer(&database).await?;
        fleet::begin(&database, fresh, &session.begun).await?;
        let incomplete = StoreError::NotOurs { place: place.clone() };
        Self::of(database, Some(session)).await?.ok_or(incomplete)
    }

    /// Opens the state to look at it; none where there is none yet, or one that a kill left half made: what is there
    /// then is completed by the next [`Store::open`].
    ///
    /// # Errors
    /// As [`Store::open`].
    pub async fn open_existing(place: &Place) -> Result<Option<Self>, StoreError> {
        match Self::look(place, Purpose::Use).await? {
            Some(store) => store.not_moved().map(Some),
            None => Ok(None),
        }
    }

    /// Opens the state as it is at one moment, whoever writes meanwhile; also one that was moved elsewhere.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub async fn open_snapshot(place: &Place) -> Result<Option<Self>, StoreError> {
        // what is brought up to date first need not be written in the snapshot
        match Self::look(place, Purpose::Use).await? {
            Some(store) => store.close().await?,
            None => return Ok(None),
        }
        Self::look(place, Purpose::Copy).await
    }

    async fn look(place: &Place, purpose: Purpose) -> Result<Option<Self>, StoreError> {
        if let Place::File(path) = place
            && file::found(path).await? == Found::Nothing
        {
            return Ok(None);
        }
        let database = Database::connect(place, purpose).await?;
        if schema::of(&database).await?.is_none() {
            return Ok(None);
        }
        schema::bring_up_to_date(&database).await?;
        Self::of(database, None).await
    }

    async fn of(database: Database, session: Option<Session>) -> Result<Option<Self>, StoreError> {
        let Some(row) = fleet::read(&database).await? else { return Ok(None) };
        let inner = Inner {
            database,
            fleet: FleetId::stored(row.id),
            moved: row.moved_to,
            session,
            begun: OnceCell::new(),
            heartbeat: OnceLock::new(),
        };
        Ok(Some(Self { inner: Arc::new(inner) }))
    }

    fn not_moved(self) -> Result<Self, StoreError> {
        match &self.inner.moved {
            None => Ok(self),
            Some(to) => Err(StoreError::Moved { place: self.place().clone(), to: to.clone() }),
        }
    }

    /// The fleet that this state is of.
    pub fn fleet(&self) -> &FleetId {
        &self.inner.fleet
    }

    /// Where the state lies.
    pub fn place(&self) -> &Place {
        &self.inner.database.place
    }

    /// Frees what this process has, writes everything down and lets go of it.
    ///
    /// # Errors
    /// [`StoreError`] where the leases could not be freed: they end by themselves.
    pub async fn close(self) -> Result<(), StoreError> {
        let freed = self.release_all().await;
        self.inner.database.pool.close().await;
        freed
    }

    fn database(&self) -> &Database {
        &self.inner.database
    }

    fn me(&self) -> Option<&Session> {
        self.inner.begun.get().and(self.inner.session.as_ref())
    }

    fn session(&self) -> Result<&Session, StoreError> {
        let reading = || StoreError::ReadOnly { place: self.place().clone() };
        self.inner.session.as_ref().ok_or_else(reading)
    }

    /// Writes the session down, once, and begins to renew its leases.
    async fn begin_session(&self) -> Result<(), StoreError> {
        let session = self.session()?;
        let write = async || self.database().write(&session.insert()).await.map(|_| ());
        self.inner.begun.get_or_try_init(write).await?;
        self.inner.heartbeat.get_or_init(|| self.start_heartbeat());
        Ok(())
    }

    /// All sessions, the oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn sessions(&self) -> Result<Vec<Session>, StoreError> {
        let database = self.database();
        // one statement, so that both are of one moment
        let all = "SELECT writer.seal, session.* FROM writer LEFT JOIN session ON TRUE ORDER BY session.begun, session.id";
        let rows = database.rows(Statement::new(all)).await?;
        let missing = || self.damaged("the list of sessions".to_owned());
        let seal: i64 = database.get(rows.first().ok_or_else(missing)?, "seal")?;
        let mut sessions = Vec::new();
        for row in &rows {
            if database.get::<Option<String>>(row, "id")?.is_some() {
                sessions.push(self.session_of(row)?);
            }
        }
        let all = sessions.iter().fold(0, |all, session| all ^ session.hash());
        if all == seal { Ok(sessions) } else { Err(missing()) }
    }

    fn session_of(&self, row: &AnyRow) -> Result<Session, StoreError> {
        let text = |column: &str| self.database().get::<String>(row, column);
        let number = |column: &str| self.database().get::<i64>(row, column);
        let session = Session {
            id: text("id")?,
            who: text("who")?,
            host: text("host")?,
            machine: text("machine")?,
            pid: number("pid")?,
            started: number("started")?,
            command: text("command")?,
            version: text("version")?,
            begun: text("begun")?,
        };
        if number("hash")? != session.hash() {
            return Err(self.damaged("the entry for a session".to_owned()));
        }
        Ok(session)
    }

    fn damaged(&self, what: String) -> StoreError {
        StoreError::Damaged { place: self.place().clone(), what }
    }
}

impl Session {
    /// The statements that write it down; they change nothing where it is there.
    fn insert(&self) -> [Statement; 2] {
        let seal = Statement::new(
            "UPDATE writer SET seal = (seal | $1) - (seal & $1) WHERE NOT EXISTS (SELECT 1 FROM session WHERE id = $2)",
        );
        let insert = Statement::new(
            "INSERT INTO session (id, who, host, machine, pid, started, command, version, begun, hash)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (id) DO NOTHING",
        )
        .bind(self.id.as_str())
        .bind(self.who.as_str())
        .bind(self.host.as_str())
        .bind(self.machine.as_str())
        .bind(self.pid)
        .bind(self.started)
        .bind(self.command.as_str())
        .bind(self.version.as_str())
        .bind(self.begun.as_str())
        .bind(self.hash());
        [seal.bind(self.hash()).bind(self.id.as_str()), insert]
    }
}
