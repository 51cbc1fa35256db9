//! The schema of the state, and how an older state gets it.

use sqlx::migrate::{MigrateError, Migrator};

use super::creation::Creation;
use super::database::{Database, Engine, Statement};
use super::document::seal_subjects;
use super::fleet::FleetRow;
use super::intent::Entry;
use super::seal::hash_of_bytes;
use super::{StoreError, file, instance};
use crate::model::place::Place;

static SQLITE: Migrator = sqlx::migrate!("src/store/migrations/sqlite");
static POSTGRES: Migrator = sqlx::migrate!("src/store/migrations/postgres");

/// The hash of SQLite's own text of the schema after the last migration. A flipped bit there can rename a column, and then a
/// query reads something else.
const SQLITE_SCHEMA: i64 = -6_897_531_957_808_715_779;

/// The hash of a row that has none yet; SHA-256 never gives it in practice.
const UNHASHED: i64 = 0;

fn migrations(engine: Engine) -> &'static Migrator {
    match engine {
        Engine::Sqlite => &SQLITE,
        Engine::Postgres => &POSTGRES,
    }
}

/// The latest migration that the state has seen; none: it has no schema.
pub(super) async fn of(database: &Database) -> Result<Option<i64>, StoreError> {
    let tables = match database.engine {
        Engine::Sqlite => "SELECT count(*) AS n FROM sqlite_master WHERE name = '_sqlx_migrations'",
        // the views of information_schema take it longer than everything else here
        Engine::Postgres => {
            "SELECT count(*) AS n FROM pg_class
             WHERE oid = to_regclass(quote_ident(current_schema()) || '._sqlx_migrations')"
        }
    };
    if number(database, tables).await? == 0 {
        return Ok(None);
    }
    let latest = number(database, "SELECT COALESCE(max(version), 0) AS n FROM _sqlx_migrations").await?;
    Ok((latest > 0).then_some(latest))
}

/// Brings the schema up to date. One process at a time: sqlx takes no lock of its own while it migrates SQLite.
pub(super) async fn bring_up_to_date(database: &Database) -> Result<(), StoreError> {
    let known = migrations(database.engine).iter().map(|migration| migration.version).max();
    let current = of(database).await?;
    if current > known {
        return Err(newer(database).await);
    }
    if current == known {
        is_as_made(database).await?;
        if !has_unhashed(database).await? {
            return Ok(());
        }
    }
    let _lock = match &database.place {
        Place::File(path) => Some(file::lock(path).await?),
        Place::Postgres(_) => None,
    };
    if of(database).await? > known {
        return Err(newer(database).await);
    }
    let failed = |error| match error {
        MigrateError::Execute(source) | MigrateError::ExecuteMigration(source, _) => {
            StoreError::of(&database.place, source)
        }
        other => StoreError::of(&database.place, sqlx::Error::Migrate(Box::new(other))),
    };
    migrations(database.engine).run(&database.pool).await.map_err(failed)?;
    is_as_made(database).await?;
    hash_everything(database).await
}

/// Refuses tables that are not as the migrations make them. PostgreSQL has checksums of its own.
async fn is_as_made(database: &Database) -> Result<(), StoreError> {
    if database.engine == Engine::Postgres || schema_hash(database).await? == SQLITE_SCHEMA {
        return Ok(());
    }
    Err(StoreError::Damaged { place: database.place.clone(), what: "the schema".into() })
}

/// The hash of SQLite's text of our tables; sqlx's own one is as its version makes it.
async fn schema_hash(database: &Database) -> Result<i64, StoreError> {
    let ours = "SELECT CAST(type AS BLOB) AS type, CAST(name AS BLOB) AS name, CAST(tbl_name AS BLOB) AS tbl_name,
         CAST(COALESCE(sql, '') AS BLOB) AS sql FROM sqlite_schema WHERE tbl_name <> '_sqlx_migrations' ORDER BY name";
    let mut columns: Vec<Vec<u8>> = Vec::new();
    for row in database.rows(Statement::new(ours)).await? {
        for column in ["type", "name", "tbl_name", "sql"] {
            columns.push(database.get(&row, column)?);
        }
    }
    Ok(hash_of_bytes(columns.iter().map(|column| Some(column.as_slice()))))
}

/// Which program writes, so that an older one can name the one to use.
pub(super) async fn note_writer(database: &Database) -> Result<(), StoreError> {
    let note = Statement::new(
        "INSERT INTO writer (one, version) VALUES (1, $1)
         ON CONFLICT (one) DO UPDATE SET version = excluded.version WHERE writer.version <> excluded.version",
    );
    let _ = database.write(&[note.bind(env!("CARGO_PKG_VERSION"))]).await?;
    Ok(())
}

async fn newer(database: &Database) -> StoreError {
    let writer = database.row(Statement::new("SELECT version FROM writer")).await;
    let writer = writer.ok().flatten().and_then(|row| database.get::<String>(&row, "version").ok());
    StoreError::Newer { place: database.place.clone(), writer: writer.unwrap_or_else(|| "unknown".into()) }
}

async fn number(database: &Database, sql: &'static str) -> Result<i64, StoreError> {
    let row = database.row(Statement::new(sql)).await?;
    row.map_or(Ok(0), |row| database.get(&row, "n"))
}

/// Whether this is a state from before rows had hashes, whose migration was cut off before they got them.
async fn has_unhashed(database: &Database) -> Result<bool, StoreError> {
    Ok(number(database, "SELECT hash AS n FROM fleet UNION ALL SELECT 1 AS n").await? == UNHASHED)
}

/// Gives the rows of an older state their hashes; in one transaction, whose last statement says that it was done.
async fn hash_everything(database: &Database) -> Result<(), StoreError> {
    let fleet =
        database.row(Statement::new("SELECT id, created, public_key, moved_to, hash FROM fleet")).await?;
    let Some(row) = fleet else { return Ok(()) };
    if database.get::<i64>(&row, "hash")? != UNHASHED {
        return Ok(());
    }
    let fleet = FleetRow {
        id: database.get(&row, "id")?,
        created: database.get(&row, "created")?,
        public_key: database.get(&row, "public_key")?,
        moved_to: database.get(&row, "moved_to")?,
        keys: Vec::new(),
    };
    let (mut all, mut creations, mut history) = (Vec::new(), Vec::new(), Vec::new());
    let mut seal = 0;
    for row in database.rows(Statement::new("SELECT name, spec, stage, created FROM instance")).await? {
        let text = |column: &str| database.get::<String>(&row, column);
        let hash = instance::row_hash(&text("name")?, &text("spec")?, &text("stage")?, &text("created")?);
        seal ^= hash;
        all.push(
            Statement::new("UPDATE instance SET hash = $2 WHERE name = $1").bind(text("name")?).bind(hash),
        );
    }
    for row in database.rows(Statement::new("SELECT op, instance, host_key, created FROM creation")).await? {
        let text = |column: &str| database.get::<String>(&row, column);
        let (op, instance) = (text("op")?, text("instance")?);
        let creation = Creation { op, instance, host_key: text("host_key")?, created: text("created")? };
        let set = Statement::new("UPDATE creation SET hash = $2 WHERE op = $1");
        all.push(set.bind(creation.op.as_str()).bind(creation.hash()));
        creations.push(creation);
    }
    let intents = "SELECT id, session, subject, step, begun, ended, outcome FROM intent";
    for row in database.rows(Statement::new(intents)).await? {
        let entry = Entry::of(database, &row)?;
        all.push(
            Statement::new("UPDATE intent SET hash = $2 WHERE id = $1")
                .bind(entry.id.as_str())
                .bind(entry.hash()),
        );
        history.push(entry);
    }
    all.extend(seal_subjects(&history, &creations));
    let done = Statement::new("UPDATE fleet SET hash = $2, seal = $3 WHERE id = $1");
    all.push(done.bind(fleet.id.as_str()).bind(fleet.hash()).bind(seal));
    let _ = database.write(&all).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::database::Purpose;

    /// Who adds a migration writes the new number down.
    #[tokio::test]
    async fn the_schema_is_the_one_that_the_last_migration_makes() {
        let dir = tempfile::tempdir().unwrap();
        let place = Place::File(dir.path().join("state.sqlite"));
        let database = Database::connect(&place, Purpose::Create).await.unwrap();
        SQLITE.run(&database.pool).await.unwrap();
        assert_eq!(schema_hash(&database).await.unwrap(), SQLITE_SCHEMA);
    }
}
