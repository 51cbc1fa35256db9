//! The state file before it is opened: whether there is one, whether it is ours, and where it must not lie.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{Access, StatVfsMountFlags, access, statvfs};
use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

use super::error::{Network, Obstacle};
use super::{StoreError, mount};
use crate::model::place::Place;

/// Longest wait for another process that is writing.
const BUSY: Duration = Duration::from_secs(30);

/// What lies at a path, apart from what is none of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    Nothing,
    State,
}

/// Makes the folder that the file is to lie in.
pub(super) fn make_folder(path: &Path) -> Result<(), StoreError> {
    let Some(folder) = path.parent() else { return Ok(()) };
    std::fs::create_dir_all(folder).map_err(|error| StoreError::folder(folder, error))
}

/// Looks at a file without changing it. One that holds other tables than ours is refused, and so stays as it is.
pub(super) async fn found(path: &Path) -> Result<Found, StoreError> {
    not_over_a_network(nearest_folder(path))?;
    match std::fs::metadata(path) {
        Ok(file) if file.len() == 0 => return Ok(Found::Nothing),
        Ok(_) if access(path, Access::READ_OK).is_err() => is_writable(path)?,
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Found::Nothing),
        Err(error) => return Err(StoreError::folder(path, error)),
    }
    let place = Place::File(path.to_owned());
    let failed = |source| StoreError::of(&place, source);
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
        Err(StoreError::NotOurs { place })
    }
}

/// Refuses a folder that is on another computer.
fn not_over_a_network(folder: &Path) -> Result<(), StoreError> {
    match mount::network(folder) {
        Some(kind) => Err(StoreError::Network { path: folder.to_owned(), source: Network(kind) }),
        None => Ok(()),
    }
}

/// Refuses what could only be read: SQLite makes a journal beside the file, and would say less of why it cannot.
pub(super) fn is_writable(path: &Path) -> Result<(), StoreError> {
    let folder = nearest_folder(path);
    let obstacle = if statvfs(folder).is_ok_and(|about| about.f_flag.contains(StatVfsMountFlags::RDONLY)) {
        Obstacle::ReadOnly
    } else if path.exists() && access(path, Access::READ_OK).is_err() {
        Obstacle::Unreadable
    } else if access(folder, Access::WRITE_OK | Access::EXEC_OK).is_err() {
        Obstacle::Folder(folder.to_owned())
    } else if path.exists() && access(path, Access::WRITE_OK).is_err() {
        Obstacle::File
    } else {
        return Ok(());
    };
    Err(StoreError::Unwritable { place: Place::File(path.to_owned()), source: obstacle })
}

/// Whether there is next to no room where the file lies: what SQLite cannot do then, it cannot do for that reason.
pub(super) fn is_full(path: &Path) -> bool {
    /// More than SQLite takes at a time.
    const ROOM: u64 = 1 << 20;
    statvfs(nearest_folder(path)).is_ok_and(|about| about.f_bavail.saturating_mul(about.f_frsize) < ROOM)
}

/// The folder that a file is in, or the nearest above that is there.
fn nearest_folder(path: &Path) -> &Path {
    let existing = path.ancestors().skip(1).find(|part| part.exists());
    existing.filter(|part| !part.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Waits for the lock beside a state file; it ends with the returned file. Not on the state file itself: closing that
/// would end SQLite's own locks.
pub(super) async fn lock(state: &Path) -> Result<std::fs::File, StoreError> {
    let path = beside(state, ".lock");
    let take = move || {
        let file = std::fs::File::create(path)?;
        file.lock()?;
        Ok(file)
    };
    let taken = tokio::task::spawn_blocking(take).await.map_err(std::io::Error::from).flatten();
    taken.map_err(|error| StoreError::folder(state, error))
}

/// A file beside the state, with another ending.
pub(super) fn beside(state: &Path, ending: &str) -> PathBuf {
    let mut name = state.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}
