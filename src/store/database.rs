//! One way to both kinds of database: a connection pool, statements as values, transactions that are sent again when the
//! connection was lost.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::any::{AnyConnectOptions, AnyPoolOptions, AnyRow};
use sqlx::{Any, AnyConnection, AnyPool, AssertSqlSafe, Connection as _, Executor as _};

use super::StoreError;
use crate::backoff::Backoff;
use crate::model::place::Place;

/// Longest wait for another process that is writing to the file.
const BUSY: &str = "PRAGMA busy_timeout = 30000";
/// Longest wait for a database that went away while it was used.
const AWAY: Duration = Duration::from_secs(120);
/// Longest wait for a connection to a database.
const CONNECT: Duration = Duration::from_secs(35);
/// Connections to one PostgreSQL database: a few, since each is used for milliseconds.
const CONNECTIONS: u32 = 4;
/// A process that is stopped in a transaction keeps others from the rows for as long, and no longer.
const IDLE: &str = "SET idle_in_transaction_session_timeout = '60s'";

/// A statement with the time by the database's clock in it, in milliseconds: as SQLite and as PostgreSQL have it.
macro_rules! by_clock {
    ($before:literal, $after:literal) => {
        [
            concat!($before, "CAST(unixepoch('subsec') * 1000 AS INTEGER)", $after),
            concat!($before, "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)", $after),
        ]
    };
}
pub(super) use by_clock;

/// What a database is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A file is made where there is none.
    Create,
    /// It must be there.
    Use,
    /// Everything is read as it was at one moment, whoever writes meanwhile.
    Copy,
}

/// Which kind of database it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Engine {
    Sqlite,
    Postgres,
}

/// A connected database.
#[derive(Clone, Debug)]
pub(super) struct Database {
    pub(super) pool: AnyPool,
    pub(super) engine: Engine,
    pub(super) place: Place,
}

/// One statement, with what it is about.
#[derive(Clone, Debug)]
pub(super) struct Statement {
    sql: Cow<'static, str>,
    values: Vec<Value>,
    guards: bool,
}

/// What a statement is about.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Text(String),
    Maybe(Option<String>),
    Number(i64),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Option<String>> for Value {
    fn from(text: Option<String>) -> Self {
        Self::Maybe(text)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl Statement {
    pub(super) fn new(sql: &'static str) -> Self {
        Self { sql: Cow::Borrowed(sql), values: Vec::new(), guards: false }
    }

    /// The next of `$1`, `$2`, …
    pub(super) fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }

    /// Makes it a guard: where it changes no row, the transaction is undone.
    pub(super) fn guard(mut self) -> Self {
        self.guards = true;
        self
    }

    /// This one in the place of `first`, which PostgreSQL carries out along with it: neither sees what the other changes.
    fn joined(self, first: Self) -> Self {
        let shift = first.values.len();
        let mut parts = self.sql.split('$');
        let mut sql = format!("WITH first AS ({}) {}", first.sql, parts.next().unwrap_or_default());
        for part in parts {
            let digits = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
            let (number, rest) = part.split_at(digits);
            let number =
                number.parse::<usize>().map_or_else(|_| number.to_owned(), |n| (n + shift).to_string());
            sql.extend(["$", &number, rest]);
        }
        let values = first.values.into_iter().chain(self.values).collect();
        Self { sql: Cow::Owned(sql), values, guards: self.guards }
    }

    fn query(&self) -> sqlx::query::Query<'static, Any, sqlx::any::AnyArguments> {
        let query = match &self.sql {
            Cow::Borrowed(sql) => sqlx::query(*sql),
            // put together of two that are written in these sources
            Cow::Owned(sql) => sqlx::query(AssertSqlSafe(sql.clone())),
        };
        self.values.iter().cloned().fold(query, |query, value| match value {
            Value::Text(text) => query.bind(text),
            Value::Maybe(text) => query.bind(text),
            Value::Number(number) => query.bind(number),
        })
    }
}

/// How a transaction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a transaction that was refused changed nothing"]
pub(super) enum Written {
    /// It is durable. How many rows its last statement changed.
    Done(u64),
    /// A guard found nothing; nothing was changed.
    Refused,
}

impl Database {
    /// Connects.
    pub(super) async fn connect(place: &Place, purpose: Purpose) -> Result<Self, StoreError> {
        sqlx::any::install_default_drivers();
        let failed = |source| StoreError::of(place, source);
        let (engine, url) = match place {
            Place::File(path) => {
                (Engine::Sqlite, file_url(path, purpose).map_err(|e| StoreError::folder(path, e))?)
            }
            Place::Postgres(database) => {
                let url = database.url().expose();
                let unread = |(path, error): (PathBuf, _)| StoreError::authority(place, &path, &error);
                unreadable_authority(url).map_or(Ok(()), |found| Err(unread(found)))?;
                (Engine::Postgres, url.to_owned())
            }
        };
        let options: AnyConnectOptions = url.parse().map_err(failed)?;
        let begin = engine.begin(purpose);
        // a pool tries again for as long as it may wait, and then tells only that: what is wrong is asked before
        try_out(&options, begin).await.map_err(failed)?;
        // one connection: SQLite has one writer, and our reads are short; and a moment is seen by one connection only
        let alone = engine == Engine::Sqlite || purpose == Purpose::Copy;
        let connections = if alone { 1 } else { CONNECTIONS };
        // a connection that was lost is noticed by whoever uses it next, who asks again: no need to ask before each use. None of them
        // is ever too old: who would look for such counts idle ones wrongly at times, and then turns in circles for ever, also
        // when the command has ended (sqlx#3645, in 0.9.0 still)
        let pool = AnyPoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(CONNECT)
            .max_lifetime(None)
            .idle_timeout(None)
            .test_before_acquire(false);
        let pool = pool.after_connect(move |connection, _| {
            Box::pin(async move {
                for statement in begin {
                    connection.execute(*statement).await?;
                }
                Ok(())
            })
        });
        let pool = pool.connect_with(options).await.map_err(failed)?;
        Ok(Self { pool, engine, place: place.clone() })
    }

    /// Reads rows.
    pub(super) async fn rows(&self, statement: Statement) -> Result<Vec<AnyRow>, StoreError> {
        let mut pauses = away();
        loop {
            match statement.query().fetch_all(&self.pool).await {
                Ok(rows) => return Ok(rows),
                Err(error) => self.lost(error, &mut pauses).await?,
            }
        }
    }

    /// Reads one row, if there is one.
    pub(super) async fn row(&self, statement: Statement) -> Result<Option<AnyRow>, StoreError> {
        Ok(self.rows(statement).await?.into_iter().next())
    }

    /// Carries statements out in one transaction. They are sent again where the connection was lost, perhaps after they
    /// were done: each has to be one that changes nothing the second time.
    pub(super) async fn write(&self, statements: &[Statement]) -> Result<Written, StoreError> {
        let mut pauses = away();
        loop {
            match self.try_write(statements).await {
                Ok(written) => return Ok(written),
                Err(error) => self.lost(error, &mut pauses).await?,
            }
        }
    }

    /// Two statements of which neither needs what the other changes, for a transaction; to PostgreSQL they go as one, since
    /// each costs a way there and back.
    pub(super) fn together(&self, first: Statement, second: Statement) -> Vec<Statement> {
        match self.engine {
            Engine::Sqlite => vec![first, second],
            Engine::Postgres => vec![second.joined(first)],
        }
    }

    async fn try_write(&self, statements: &[Statement]) -> Result<Written, sqlx::Error> {
        // SQLite: a transaction that first reads and then writes would not wait for another writer
        let begin = match self.engine {
            Engine::Sqlite => "BEGIN IMMEDIATE",
            Engine::Postgres => "BEGIN",
        };
        let mut transaction = self.pool.begin_with(begin).await?;
        let mut changed = 0;
        for statement in statements {
            changed = statement.query().execute(&mut *transaction).await?.rows_affected();
            if statement.guards && changed == 0 {
                transaction.rollback().await?;
                return Ok(Written::Refused);
            }
        }
        transaction.commit().await?;
        Ok(Written::Done(changed))
    }

    /// Waits a little where the database went away, and may come back.
    async fn lost(&self, error: sqlx::Error, pauses: &mut Backoff) -> Result<(), StoreError> {
        if self.engine == Engine::Postgres && StoreError::passes(&error) {
            tracing::debug!(%error, "the database went away, or asks to try again");
            if pauses.pause().await.is_ok() {
                return Ok(());
            }
        }
        Err(StoreError::of(&self.place, error))
    }

    /// The time by the database's clock, in milliseconds.
    pub(super) async fn now(&self) -> Result<i64, StoreError> {
        let [sqlite, postgres] = by_clock!("SELECT ", " AS now");
        let row = self.row(self.either(sqlite, postgres)).await?;
        row.map_or(Ok(0), |row| self.get(&row, "now"))
    }

    /// A statement that the two kinds of database spell differently.
    pub(super) fn either(&self, sqlite: &'static str, postgres: &'static str) -> Statement {
        Statement::new(match self.engine {
            Engine::Sqlite => sqlite,
            Engine::Postgres => postgres,
        })
    }

    /// A column of a row.
    pub(super) fn get<'r, T>(&self, row: &'r AnyRow, column: &str) -> Result<T, StoreError>
    where
        T: sqlx::Decode<'r, Any> + sqlx::Type<Any>,
    {
        sqlx::Row::try_get(row, column).map_err(|source| StoreError::of(&self.place, source))
    }
}

/// Connects once, and waits a little where the server has no room for one more or is about to be there.
async fn try_out(options: &AnyConnectOptions, begin: &[&'static str]) -> Result<(), sqlx::Error> {
    let mut pauses = Backoff::new(Duration::from_millis(100), Duration::from_secs(2), CONNECT);
    let mut connection = loop {
        match AnyConnection::connect_with(options).await {
            Ok(connection) => break connection,
            Err(error) if !StoreError::is_full_or_starting(&error) => return Err(error),
            Err(error) if pauses.pause().await.is_err() => return Err(error),
            Err(_) => {}
        }
    };
    for statement in begin {
        connection.execute(*statement).await?;
    }
    connection.close().await
}

/// The file of certificates that a URL names, where it cannot be read: sqlx would say no more than that no file is there.
fn unreadable_authority(url: &str) -> Option<(PathBuf, std::io::Error)> {
    let url = url::Url::parse(url).ok()?;
    let named =
        url.query_pairs().filter(|(key, _)| matches!(&**key, "sslrootcert" | "ssl-root-cert" | "ssl-ca"));
    let file = named.last()?.1.into_owned();
    let path = (!file.contains("-----BEGIN")).then(|| PathBuf::from(file))?;
    let error = std::fs::File::open(&path).err()?;
    Some((path, error))
}

fn away() -> Backoff {
    Backoff::new(Duration::from_millis(100), Duration::from_secs(2), AWAY)
}

impl Engine {
    /// What each connection begins with.
    fn begin(self, purpose: Purpose) -> &'static [&'static str] {
        static FILE: [&str; 5] = [
            BUSY,
            "PRAGMA journal_mode = WAL",
            "PRAGMA synchronous = FULL",
            "PRAGMA foreign_keys = ON",
            "BEGIN",
        ];
        match (self, purpose) {
            (Self::Sqlite, Purpose::Copy) => &FILE,
            (Self::Sqlite, Purpose::Create | Purpose::Use) => {
                FILE.split_last().map_or(&[], |(_, before)| before)
            }
            (Self::Postgres, Purpose::Copy) => &["BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"],
            (Self::Postgres, Purpose::Create | Purpose::Use) => &[IDLE],
        }
    }
}

/// SQLite's URL of a file.
fn file_url(path: &Path, purpose: Purpose) -> std::io::Result<String> {
    let path = std::path::absolute(path)?;
    let url = url::Url::from_file_path(&path).map_err(|()| std::io::Error::other("not a path"))?;
    let mode = if purpose == Purpose::Create { "rwc" } else { "rw" };
    Ok(format!("sqlite://{}?mode={mode}", url.path()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_statements_for_postgresql_are_one() {
        let first = Statement::new("UPDATE a SET x = $2 WHERE y = $1").bind("y").bind(2);
        let second = Statement::new("INSERT INTO b VALUES ($1, $1, $2)").bind("one").bind(3);
        let joined = second.joined(first);
        let expected = "WITH first AS (UPDATE a SET x = $2 WHERE y = $1) INSERT INTO b VALUES ($3, $3, $4)";
        assert_eq!((joined.sql.as_ref(), joined.values.len()), (expected, 4));
    }
}
