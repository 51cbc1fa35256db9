//! Why the state cannot be read or written.

use std::path::{Path, PathBuf};

use sqlx::migrate::MigrateError;

/// Why the state cannot be read or written. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The folder is not there and cannot be made.
    #[error("cannot use {} for the state", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file cannot be opened or written.
    #[error("cannot write the state file {}", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        source: sqlx::Error,
    },
    /// The file is damaged, or another kind of file.
    #[error("{} is not a readable state file", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        source: sqlx::Error,
    },
    /// An SQLite file, but without a fleet.
    #[error("{} is no state file of clawberth", path.display())]
    NotOurs {
        /// The file.
        path: PathBuf,
    },
    /// Written by a newer version.
    #[error("the state file {} was written by clawberth {writer}, which is newer than {}", path.display(), env!("CARGO_PKG_VERSION"))]
    Newer {
        /// The file.
        path: PathBuf,
        /// The version that wrote last.
        writer: String,
    },
    /// A row that this version cannot read.
    #[error("the state file {} has an entry for {what} that cannot be read", path.display())]
    Row {
        /// The file.
        path: PathBuf,
        /// Whose entry.
        what: String,
        /// Why.
        source: serde_json::Error,
    },
    /// Anything else.
    #[error("the state file {} does not answer", path.display())]
    Other {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        source: sqlx::Error,
    },
}

/// SQLite's primary result codes (<https://www.sqlite.org/rescode.html>).
const PERM: i32 = 3;
const READONLY: i32 = 8;
const IOERR: i32 = 10;
const CORRUPT: i32 = 11;
const FULL: i32 = 13;
const CANTOPEN: i32 = 14;
const NOTADB: i32 = 26;

impl StoreError {
    pub(super) fn of(path: &Path, source: sqlx::Error) -> Self {
        let path = path.to_owned();
        let code =
            source.as_database_error().and_then(|e| e.code()).and_then(|code| code.parse::<i32>().ok());
        match code.map(|code| code & 0xff) {
            Some(CORRUPT | NOTADB) => Self::Corrupt { path, source },
            Some(PERM | READONLY | IOERR | FULL | CANTOPEN) => Self::Unwritable { path, source },
            Some(_) | None => Self::Other { path, source },
        }
    }

    pub(super) fn migration(path: &Path, error: MigrateError) -> Self {
        match error {
            MigrateError::Execute(source) | MigrateError::ExecuteMigration(source, _) => {
                Self::of(path, source)
            }
            other => Self::of(path, sqlx::Error::Migrate(Box::new(other))),
        }
    }
}
