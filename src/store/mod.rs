//! The state: one SQLite file, in which every intent and every outcome is durable before the next step.
//!
//! It holds no secret: of key pairs only the public halves, of gateways no token.

mod creation;
mod error;
mod instance;
mod intent;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};

pub use error::StoreError;
pub use intent::IntentId;

use crate::model::fleet::FleetId;

static MIGRATIONS: Migrator = sqlx::migrate!("src/store/migrations");

/// An open state file.
#[derive(Clone, Debug)]
pub struct Store {
    pool: SqlitePool,
    path: PathBuf,
    fleet: FleetId,
}

impl Store {
    /// Opens the state, making it where there is none, and brings an older one up to date. `now` is RFC 3339;
    /// `fresh` is the id that a new fleet gets.
    ///
    /// # Errors
    /// [`StoreError`]: not writable, not a state file, or written by a newer version. Nothing is changed then.
    pub async fn open(path: &Path, now: &str, fresh: FleetId) -> Result<Self, StoreError> {
        if let Some(folder) = path.parent() {
            let denied = |source| StoreError::Folder { path: folder.to_owned(), source };
            std::fs::create_dir_all(folder).map_err(denied)?;
        }
        let store = Self::connect(path, true).await?;
        let failed = |source| store.error(source);
        sqlx::query("INSERT INTO fleet (id, created) SELECT ?, ? WHERE NOT EXISTS (SELECT 1 FROM fleet)")
            .bind(fresh.as_str())
            .bind(now)
            .execute(&store.pool)
            .await
            .map_err(failed)?;
        sqlx::query("INSERT INTO writer (one, version) VALUES (1, ?) ON CONFLICT (one) DO UPDATE SET version = excluded.version WHERE version <> excluded.version")
            .bind(env!("CARGO_PKG_VERSION"))
            .execute(&store.pool)
            .await
            .map_err(failed)?;
        store.with_fleet().await
    }

    /// Opens the state to look at it; none where there is no file yet.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub async fn open_existing(path: &Path) -> Result<Option<Self>, StoreError> {
        match path.try_exists() {
            Ok(false) => Ok(None),
            Ok(true) => Ok(Some(Self::connect(path, false).await?.with_fleet().await?)),
            Err(source) => Err(StoreError::Folder { path: path.to_owned(), source }),
        }
    }

    async fn connect(path: &Path, create: bool) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(create)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(30))
            .foreign_keys(true);
        let failed = |source| StoreError::of(path, source);
        let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await.map_err(failed)?;
        let store = Self { pool, path: path.to_owned(), fleet: FleetId::stored(String::new()) };
        store.refuse_newer().await?;
        MIGRATIONS.run(&store.pool).await.map_err(|source| StoreError::migration(path, source))?;
        Ok(store)
    }

    /// A file with a migration that this program does not have was written by a newer one.
    async fn refuse_newer(&self) -> Result<(), StoreError> {
        let known = MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or(0);
        let table = "SELECT count(*) FROM sqlite_master WHERE name = '_sqlx_migrations'";
        let count: i64 = sqlx::query_scalar(table).fetch_one(&self.pool).await.map_err(|e| self.error(e))?;
        if count == 0 {
            return Ok(());
        }
        let latest: Option<i64> = sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations")
            .fetch_one(&self.pool)
            .await
            .map_err(|e| self.error(e))?;
        if latest.unwrap_or(0) <= known {
            return Ok(());
        }
        let writer: Option<String> =
            sqlx::query_scalar("SELECT version FROM writer").fetch_optional(&self.pool).await.unwrap_or(None);
        Err(StoreError::Newer { path: self.path.clone(), writer: writer.unwrap_or_else(|| "unknown".into()) })
    }

    async fn with_fleet(mut self) -> Result<Self, StoreError> {
        let id: Option<String> = sqlx::query_scalar("SELECT id FROM fleet")
            .fetch_optional(&self.pool)
            .await
            .map_err(|e| self.error(e))?;
        let id = id.ok_or_else(|| StoreError::NotOurs { path: self.path.clone() })?;
        self.fleet = FleetId::stored(id);
        Ok(self)
    }

    /// The fleet that this state is of.
    pub fn fleet(&self) -> &FleetId {
        &self.fleet
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes everything into the file and lets go of it.
    pub async fn close(self) {
        self.pool.close().await;
    }

    fn error(&self, source: sqlx::Error) -> StoreError {
        StoreError::of(&self.path, source)
    }
}
