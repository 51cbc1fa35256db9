//! Why the state cannot be read or written.

use std::fmt;
use std::path::{Path, PathBuf};

use sqlx::postgres::PgDatabaseError;

use super::file;
use crate::model::place::Place;

/// Why the state cannot be read or written. What was written before is as it was.
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
    /// The folder is on another computer.
    #[error("the state cannot lie in {}", path.display())]
    Network {
        /// The folder.
        path: PathBuf,
        /// What kind of file system it is.
        source: Network,
    },
    /// The file cannot be opened or written.
    #[error("{} {place}", source.what())]
    Unwritable {
        /// The file.
        place: Place,
        /// Why.
        source: Obstacle,
    },
    /// Another process writes, and does not end.
    #[error("the state file {place} is being written by another process")]
    Busy {
        /// The file.
        place: Place,
        /// What SQLite says.
        source: Said,
    },
    /// The file is damaged, or another kind of file.
    #[error("{place} is not a readable state file")]
    Corrupt {
        /// The file.
        place: Place,
        /// What SQLite says.
        source: Said,
    },
    /// Something is not as it was written.
    #[error("the state in {place} is damaged: {what} is not as it was written")]
    Damaged {
        /// Where.
        place: Place,
        /// What.
        what: String,
    },
    /// Tables, but none of ours.
    #[error("{place} is no state of clawberth")]
    NotOurs {
        /// Where.
        place: Place,
    },
    /// Written by a newer version.
    #[error("the state in {place} was written by clawberth {writer}, which is newer than {}", env!("CARGO_PKG_VERSION"))]
    Newer {
        /// Where.
        place: Place,
        /// The version that wrote last.
        writer: String,
    },
    /// It was moved to another place.
    #[error("the state in {place} was moved to {to}")]
    Moved {
        /// Where it was.
        place: Place,
        /// Where it is.
        to: String,
    },
    /// An entry that this version cannot read.
    #[error("the state in {place} has an entry for {what} that cannot be read")]
    Row {
        /// Where.
        place: Place,
        /// Whose entry.
        what: String,
        /// Why.
        source: serde_json::Error,
    },
    /// The database does not answer.
    #[error("no answer from the state's database {place}")]
    Unreachable {
        /// The database.
        place: Place,
        /// What the network says.
        source: Said,
    },
    /// Its certificate is not from an authority that is known, or not for this address.
    #[error("the state's database {place} is not known to be itself")]
    Untrusted {
        /// The database.
        place: Place,
        /// What is wrong with the certificate.
        source: Said,
    },
    /// The database does not let us in.
    #[error("the state's database {place} does not let you in")]
    Denied {
        /// The database.
        place: Place,
        /// What it says.
        source: Said,
    },
    /// The server has no such database.
    #[error("there is no database {place}")]
    NoDatabase {
        /// The database.
        place: Place,
        /// What the server says.
        source: Said,
    },
    /// It was opened to be looked at: a fault of the program.
    #[error("the state in {place} was opened to be read")]
    ReadOnly {
        /// Where.
        place: Place,
    },
    /// Somebody else works on it, for longer than one waits.
    #[error("{subject} is being worked on{}", by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default())]
    Held {
        /// What.
        subject: String,
        /// Who.
        by: Option<String>,
    },
    /// Somebody else has taken it over, since this process did not answer for half a minute.
    #[error("somebody else has taken over {subject}")]
    Overtaken {
        /// What.
        subject: String,
    },
    /// Anything else.
    #[error("the state in {place} does not answer")]
    Other {
        /// Where.
        place: Place,
        /// What the database says.
        source: Said,
    },
}

/// What a database says; PostgreSQL without the line of its own source that says so.
#[derive(Debug)]
pub struct Said(sqlx::Error);

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let error = self.0.as_database_error();
        match error.and_then(|error| error.try_downcast_ref::<PgDatabaseError>()) {
            Some(error) => write!(f, "error returned from database: {}", error.message()),
            None => self.0.fmt(f),
        }
    }
}

impl std::error::Error for Said {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.0 {
            sqlx::Error::Database(_) => None,
            other => other.source(),
        }
    }
}

/// A file system over a network.
#[derive(Debug, thiserror::Error)]
#[error("it is on a network file system ({0}), on which SQLite's locks do not hold")]
pub struct Network(pub(super) String);

/// Why a state file cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum Obstacle {
    /// No room.
    #[error("the disk is full")]
    Full,
    /// The whole file system.
    #[error("its file system is mounted read-only")]
    ReadOnly,
    /// A journal cannot be made beside the file.
    #[error("this user may make no files in {}", .0.display())]
    Folder(PathBuf),
    /// The file.
    #[error("this user may not write it")]
    File,
    /// Not even that.
    #[error("this user may not read it")]
    Unreadable,
    /// Something else; what SQLite says.
    #[error(transparent)]
    Sqlite(Said),
}

impl Obstacle {
    fn what(&self) -> &'static str {
        match self {
            Self::Full => "no space is left for the state file",
            Self::Unreadable => "cannot read the state file",
            Self::ReadOnly | Self::Folder(_) | Self::File | Self::Sqlite(_) => "cannot write the state file",
        }
    }
}

/// SQLite's primary result codes (<https://www.sqlite.org/rescode.html>).
mod sqlite {
    pub(super) const PERM: i32 = 3;
    pub(super) const BUSY: i32 = 5;
    pub(super) const LOCKED: i32 = 6;
    pub(super) const READONLY: i32 = 8;
    pub(super) const IOERR: i32 = 10;
    pub(super) const CORRUPT: i32 = 11;
    pub(super) const FULL: i32 = 13;
    pub(super) const CANTOPEN: i32 = 14;
    pub(super) const NOTADB: i32 = 26;
}

impl StoreError {
    pub(super) fn of(place: &Place, source: sqlx::Error) -> Self {
        let place = place.clone();
        match place {
            Place::File(_) => Self::of_file(place, source),
            Place::Postgres(_) => Self::of_server(place, source),
        }
    }

    fn of_file(place: Place, source: sqlx::Error) -> Self {
        match code(&source).and_then(|code| code.parse::<i32>().ok()).map(|code| code & 0xff) {
            Some(sqlite::CORRUPT | sqlite::NOTADB) => Self::Corrupt { place, source: Said(source) },
            Some(sqlite::FULL) => Self::Unwritable { place, source: Obstacle::Full },
            Some(sqlite::BUSY | sqlite::LOCKED) => Self::Busy { place, source: Said(source) },
            Some(sqlite::PERM | sqlite::READONLY | sqlite::IOERR | sqlite::CANTOPEN) => {
                // whoever only looks finds out like this that even that takes a journal
                if let Some(Err(why)) = place.file().map(file::is_writable) {
                    return why;
                }
                let full = place.file().is_some_and(file::is_full);
                let source = if full { Obstacle::Full } else { Obstacle::Sqlite(Said(source)) };
                Self::Unwritable { place, source }
            }
            Some(_) | None => Self::Other { place, source: Said(source) },
        }
    }

    /// SQLSTATE codes (<https://www.postgresql.org/docs/current/errcodes-appendix.html>).
    fn of_server(place: Place, source: sqlx::Error) -> Self {
        match code(&source).as_deref() {
            Some("28P01" | "28000" | "42501") => Self::Denied { place, source: Said(source) },
            Some("3D000") => Self::NoDatabase { place, source: Said(source) },
            _ if is_untrusted(&source) => Self::Untrusted { place, source: Said(source) },
            _ if Self::is_lost(&source) => Self::Unreachable { place, source: Said(source) },
            Some(_) | None => Self::Other { place, source: Said(source) },
        }
    }

    /// A file with certificates that a server's URL names, and that cannot be read.
    pub(super) fn authority(place: &Place, path: &Path, error: &std::io::Error) -> Self {
        let why = format!("cannot read sslrootcert {}: {error}", path.display());
        Self::Untrusted { place: place.clone(), source: Said(sqlx::Error::Io(std::io::Error::other(why))) }
    }

    pub(super) fn folder(path: &Path, source: std::io::Error) -> Self {
        Self::Folder { path: path.to_owned(), source }
    }

    /// Whether the connection to a server was lost, or it is not there at the moment.
    pub(super) fn is_lost(error: &sqlx::Error) -> bool {
        match error {
            // nothing that waiting would change
            _ if is_untrusted(error) => false,
            sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::PoolTimedOut => true,
            // shut down, crashed, starting up, idle for too long, full, and the class of broken connections
            _ => code(error).is_some_and(|code| {
                matches!(&*code, "57P01" | "57P02" | "57P03" | "57P05" | "25P03" | "53300")
                    || code.starts_with("08")
            }),
        }
    }

    /// Whether what was asked of a server may be asked again: it was lost, or undone for the sake of somebody else's
    /// transaction (40001, 40P01).
    pub(super) fn passes(error: &sqlx::Error) -> bool {
        Self::is_lost(error) || code(error).is_some_and(|code| matches!(&*code, "40001" | "40P01"))
    }

    /// Whether a server is there, but has no connection left or is still starting.
    pub(super) fn is_full_or_starting(error: &sqlx::Error) -> bool {
        code(error).is_some_and(|code| matches!(&*code, "53300" | "57P03"))
    }
}

/// A refused certificate, which rustls gives as invalid data.
fn is_untrusted(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(error) => error.kind() == std::io::ErrorKind::InvalidData,
        sqlx::Error::Tls(_) => true,
        _ => false,
    }
}

fn code(error: &sqlx::Error) -> Option<String> {
    error.as_database_error().and_then(|error| error.code()).map(std::borrow::Cow::into_owned)
}
