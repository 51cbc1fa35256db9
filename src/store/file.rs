//! The state file before it is opened: whether there is one, whether it is ours, and where it must not lie.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

use super::StoreError;
use crate::model::place::Place;

/// Longest wait for another process that is writing.
const BUSY: Duration = Duration::from_secs(30);

/// File systems over a network (linux/magic.h and the file systems' own sources): their locks and their shared memory do not
/// hold what SQLite's journal needs (<https://www.sqlite.org/wal.html>).
const NETWORKS: [(u64, &str); 9] = [
    (0x6969, "NFS"),
    (0x517b, "SMB"),
    (0xff53_4d42, "CIFS"),
    (0xfe53_4d42, "SMB2"),
    (0x0102_1997, "9P"),
    (0x5346_414f, "AFS"),
    (0x7375_7245, "Coda"),
    (0x00c3_6400, "Ceph"),
    (0x0bd0_0bd0, "Lustre"),
];

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
    not_over_a_network(path)?;
    match std::fs::metadata(path) {
        Ok(file) if file.len() == 0 => return Ok(Found::Nothing),
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
fn not_over_a_network(path: &Path) -> Result<(), StoreError> {
    let existing = path.ancestors().find(|part| part.exists());
    let folder = existing.filter(|part| !part.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // where it cannot be told, SQLite will say what it cannot do
    let Ok(about) = rustix::fs::statfs(folder) else { return Ok(()) };
    match network(about.f_type) {
        Some(kind) => Err(StoreError::Network { path: folder.to_owned(), kind }),
        None => Ok(()),
    }
}

#[allow(
    clippy::cast_sign_loss,
    reason = "the width and sign of f_type differ between computers; the magics have 32 bits"
)]
fn network(magic: rustix::fs::FsWord) -> Option<&'static str> {
    let magic = magic as u64 & 0xffff_ffff;
    NETWORKS.iter().find(|(known, _)| *known == magic).map(|(_, name)| *name)
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

#[cfg(test)]
mod tests {
    use super::network;

    #[test]
    fn networks_are_known_by_their_magic() {
        assert_eq!(network(0x6969), Some("NFS"));
        // ext4, tmpfs, overlayfs
        for local in [0xef53, 0x0102_1994, 0x794c_7630] {
            assert_eq!(network(local), None);
        }
    }
}
