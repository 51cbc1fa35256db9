//! The file behind the memory: each change is written through to one SQLite table.
//!
//! Written, not synced: what the process wrote survives its kill; the lab makes no promise about power cuts.

use std::path::Path;
use std::str::FromStr;

use anyhow::{Context, Result, anyhow};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{Connection, Row};
use tokio::sync::{mpsc, oneshot};

use super::table::PER_PROJECT;

/// One row to write, or to remove where `json` is `None`.
#[derive(Debug)]
pub(crate) struct Change {
    pub(crate) kind: &'static str,
    pub(crate) id: u64,
    pub(crate) json: Option<String>,
}

/// One row as it was read.
#[derive(Debug)]
pub(crate) struct StoredRow {
    pub(crate) kind: String,
    pub(crate) id: u64,
    pub(crate) json: String,
}

impl StoredRow {
    /// The place of the project whose row it is.
    pub(crate) fn project(&self) -> usize {
        usize::try_from(self.id / PER_PROJECT).unwrap_or(usize::MAX)
    }
}

/// Sends changes to the one task that writes, in the order they are handed in.
#[derive(Debug)]
pub(crate) struct Store {
    writer: mpsc::UnboundedSender<Batch>,
}

#[derive(Debug)]
struct Batch {
    changes: Vec<Change>,
    done: oneshot::Sender<()>,
}

impl Store {
    /// Opens or makes the file and reads all of it.
    pub(crate) async fn open(path: &Path) -> Result<(Self, Vec<StoredRow>)> {
        let mut connection =
            connect(path).await.with_context(|| format!("cannot open {}", path.display()))?;
        let rows = read(&mut connection).await.with_context(|| format!("cannot read {}", path.display()))?;
        let (writer, batches) = mpsc::unbounded_channel();
        tokio::spawn(write_all(connection, batches));
        Ok((Self { writer }, rows))
    }

    /// Hands changes to the writer. The order of calls is the order of writes; the future ends once they are written.
    pub(crate) fn write(&self, changes: Vec<Change>) -> impl Future<Output = Result<()>> + use<> {
        let (done, written) = oneshot::channel();
        let nothing = changes.is_empty();
        let sent = nothing || self.writer.send(Batch { changes, done }).is_ok();
        async move {
            match (nothing, sent) {
                (true, _) => Ok(()),
                (false, true) => written.await.map_err(|_| anyhow!("the lab's state was not written")),
                (false, false) => Err(anyhow!("the lab's state is closed")),
            }
        }
    }
}

async fn connect(path: &Path) -> Result<SqliteConnection> {
    let options = SqliteConnectOptions::from_str("sqlite:")?
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Off);
    let mut connection = SqliteConnection::connect_with(&options).await?;
    sqlx::query(
        "CREATE TABLE IF NOT EXISTS resource (kind TEXT, id INTEGER, json TEXT NOT NULL, PRIMARY KEY (kind, id)) \
         WITHOUT ROWID",
    )
    .execute(&mut connection)
    .await?;
    Ok(connection)
}

async fn read(connection: &mut SqliteConnection) -> Result<Vec<StoredRow>> {
    let rows =
        sqlx::query("SELECT kind, id, json FROM resource ORDER BY kind, id").fetch_all(connection).await?;
    rows.iter()
        .map(|row| {
            let id: i64 = row.try_get(1)?;
            Ok(StoredRow { kind: row.try_get(0)?, id: u64::try_from(id)?, json: row.try_get(2)? })
        })
        .collect()
}

/// Writes until the last sender is gone; batches that wait already share one transaction.
async fn write_all(mut connection: SqliteConnection, mut batches: mpsc::UnboundedReceiver<Batch>) {
    let mut waiting = Vec::new();
    while batches.recv_many(&mut waiting, 256).await > 0 {
        let taken = std::mem::take(&mut waiting);
        match write(&mut connection, &taken).await {
            // who asked may have gone; it is written all the same
            Ok(()) => taken.into_iter().for_each(|batch| batch.done.send(()).unwrap_or(())),
            Err(error) => tracing::error!("the lab's state was not written: {error:#}"),
        }
    }
}

async fn write(connection: &mut SqliteConnection, batches: &[Batch]) -> Result<()> {
    let mut transaction = connection.begin().await?;
    for change in batches.iter().flat_map(|batch| &batch.changes) {
        let id = i64::try_from(change.id)?;
        let query = match &change.json {
            Some(json) => sqlx::query("INSERT OR REPLACE INTO resource (kind, id, json) VALUES (?, ?, ?)")
                .bind(change.kind)
                .bind(id)
                .bind(json),
            None => sqlx::query("DELETE FROM resource WHERE kind = ? AND id = ?").bind(change.kind).bind(id),
        };
        query.execute(&mut *transaction).await?;
    }
    transaction.commit().await?;
    Ok(())
}
