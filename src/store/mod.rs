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

use sqlx::Connection as _;
use sqlx::migrate::Migrator;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};

pub use error::StoreError;
pub use intent::IntentId;

use crate::model::fleet::FleetId;

static MIGRATIONS: Migrator = sqlx::migrate!("src/store/migrations");

/// Longest wait for another process that is writing.
const BUSY: Duration = Duration::from_secs(30);

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
        found(path).await?;
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
        let incomplete = StoreError::NotOurs { path: path.to_owned() };
        store.with_fleet().await?.ok_or(incomplete)
    }

    /// Opens the state to look at it; none where there is none yet, or one that a kill left half made: what is there
    /// then is completed by the next [`Store::open`].
    ///
    /// # Errors
    /// As [`Store::open`].
    pub async fn open_existing(path: &Path) -> Result<Option<Self>, StoreError> {
        match found(path).await? {
            Found::Nothing => Ok(None),
            Found::State => Self::connect(path, false).await?.with_fleet().await,
        }
    }

    async fn connect(path: &Path, create: bool) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(create)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY)
            .foreign_keys(true);
        let failed = |source| StoreError::of(path, source);
        let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await.map_err(failed)?;
        let store = Self { pool, path: path.to_owned(), fleet: FleetId::stored(String::new()) };
        store.migrate().await?;
        Ok(store)
    }

    /// Brings the schema up to date; one process at a time, since sqlx takes no lock while it migrates SQLite.
    async fn migrate(&self) -> Result<(), StoreError> {
        let known = MIGRATIONS.iter().map(|migration| migration.version).max();
        if self.schema().await? == known {
            return Ok(());
        }
        let path = self.path.clone();
        let lock = tokio::task::spawn_blocking(move || lock(&path)).await;
        let denied = |source| StoreError::Folder { path: self.path.clone(), source };
        let _lock = lock.map_err(std::io::Error::from).flatten().map_err(denied)?;
        if self.schema().await? > known {
            return Err(self.newer().await);
        }
        MIGRATIONS.run(&self.pool).await.map_err(|source| StoreError::migration(&self.path, source))
    }

    /// The latest migration that the file has seen.
    async fn schema(&self) -> Result<Option<i64>, StoreError> {
        let table = "SELECT count(*) FROM sqlite_master WHERE name = '_sqlx_migrations'";
        let count: i64 = sqlx::query_scalar(table).fetch_one(&self.pool).await.map_err(|e| self.error(e))?;
        if count == 0 {
            return Ok(None);
        }
        let latest = sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations");
        latest.fetch_one(&self.pool).await.map_err(|e| self.error(e))
    }

    /// A file with a migration that this program does not have was written by a newer one.
    async fn newer(&self) -> StoreError {
        let writer: Option<String> =
            sqlx::query_scalar("SELECT version FROM writer").fetch_optional(&self.pool).await.unwrap_or(None);
        StoreError::Newer { path: self.path.clone(), writer: writer.unwrap_or_else(|| "unknown".into()) }
    }

    async fn with_fleet(mut self) -> Result<Option<Self>, StoreError> {
        let id: Option<String> = sqlx::query_scalar("SELECT id FROM fleet")
            .fetch_optional(&self.pool)
            .await
            .map_err(|e| self.error(e))?;
        Ok(id.map(|id| {
            self.fleet = FleetId::stored(id);
            self
        }))
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

/// Waits for the lock beside a state file; it ends with the returned file. Not on the state file itself: closing that
/// would end SQLite's own locks.
fn lock(state: &Path) -> std::io::Result<std::fs::File> {
    let file = std::fs::File::create(beside(state, ".lock"))?;
    file.lock()?;
    Ok(file)
}

fn beside(state: &Path, ending: &str) -> PathBuf {
    let mut name = state.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// What lies at a path, apart from what is none of ours.
enum Found {
    Nothing,
    State,
}

/// Looks at a file without changing it. One that holds other tables than ours is refused, and so stays as it is.
async fn found(path: &Path) -> Result<Found, StoreError> {
    match std::fs::metadata(path) {
        Ok(file) if file.len() == 0 => return Ok(Found::Nothing),
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Found::Nothing),
        Err(source) => return Err(StoreError::Folder { path: path.to_owned(), source }),
    }
    let failed = |source| StoreError::of(path, source);
    // what a kill left half written is undone from its journal by whoever reads the file next, which takes writing
    let whole = !beside(path, "-journal").exists();
    let options = SqliteConnectOptions::new().filename(path).read_only(whole).busy_timeout(BUSY);
    let mut connection = SqliteConnection::connect_with(&options).await.map_err(failed)?;
    let tables: Vec<String> = sqlx::query_scalar("SELECT name FROM sqlite_master WHERE type = 'table'")
        .fetch_all(&mut connection)
        .await
        .map_err(failed)?;
    connection.close().await.map_err(failed)?;
    if tables.is_empty() {
        Ok(Found::Nothing)
    } else if tables.iter().any(|name| name == "_sqlx_migrations") {
        Ok(Found::State)
    } else {
        Err(StoreError::NotOurs { path: path.to_owned() })
    }
}
