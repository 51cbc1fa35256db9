//! The state on disk: what it keeps, and what it refuses.

use std::net::Ipv4Addr;
use std::path::Path;

use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

use super::file::beside;
use super::*;
use crate::model::fleet::OpId;
use crate::model::instance::{Instance, Outcome, Server, Stage};

const NOW: &str = "2026-11-22T00:00:00Z";

fn alice() -> Instance {
    let integrity = format!("sha512-{}==", "A".repeat(86));
    let spec = serde_json::json!({
        "server_type": "cx23", "locations": ["fsn1"], "image": "debian-13", "domain": null,
        "release": { "openclaw": "2026.9.6", "engines": ">=24", "integrity": integrity, "node": "24.21.0" },
    });
    let spec = serde_json::from_value(spec).unwrap();
    Instance { name: "alice".parse().unwrap(), spec, stage: Stage::Planned, created: NOW.into() }
}

async fn open(path: &Path) -> Result<Store, StoreError> {
    let session = Session::here("alice", "clawberth deploy alice", NOW);
    Store::open(&Place::File(path.to_owned()), &FleetId::from_bytes([1; 8]), session).await
}

async fn look(path: &Path) -> Result<Option<Store>, StoreError> {
    Store::open_existing(&Place::File(path.to_owned())).await
}

async fn lease(store: &Store, subject: &str) -> Lease {
    store.lease(subject, NOW, |held| panic!("held by {held:?}")).await.unwrap()
}

#[tokio::test]
async fn what_was_written_is_there_after_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("deep/state.sqlite");
    let store = open(&path).await.unwrap();
    let mut instance = alice();
    let lease = lease(&store, "alice").await;
    lease.put(&instance).await.unwrap();
    let intent = lease.begin("create", NOW).await.unwrap();
    let ipv4 = Ipv4Addr::new(198, 51, 100, 7);
    let server = Server {
        id: 7,
        ipv4,
        ipv6: None,
        location: "fsn1".into(),
        host_key: "k".into(),
        next_host_key: None,
        own_host_key: true,
        birth_key: None,
        admitted: None,
        standby: None,
    };
    instance.stage = instance.stage.after(Outcome::Created(server)).unwrap();
    lease.advance(intent, &instance, NOW).await.unwrap();
    // no close: as after a kill
    let again = open(&path).await.unwrap();
    assert_eq!(again.fleet(), store.fleet());
    assert_eq!(again.instances().await.unwrap(), [instance]);
}

#[tokio::test]
async fn an_instance_that_is_gone_is_off_the_list() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir.path().join("s")).await.unwrap();
    let mut instance = alice();
    let lease = lease(&store, "alice").await;
    lease.put(&instance).await.unwrap();
    instance.stage = Stage::Gone;
    let intent = lease.begin("delete", NOW).await.unwrap();
    lease.advance(intent, &instance, NOW).await.unwrap();
    assert_eq!(store.instances().await.unwrap(), []);
}

/// A claim needs the right to change both; who has lost one of the two by then changes nothing.
#[tokio::test]
async fn a_standby_becomes_one_instance() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s");
    let store = open(&path).await.unwrap();
    let standby = Instance { name: "standby-a".parse().unwrap(), ..alice() };
    lease(&store, "standby-a").await.put(&standby).await.unwrap();
    let (mine, claimed) = (lease(&store, "alice").await, lease(&store, "standby-a").await);
    let intent = mine.begin("claim", NOW).await.unwrap();
    mine.advance_claiming(intent, &alice(), (&standby.name, &claimed), NOW).await.unwrap();
    assert_eq!(store.instances().await.unwrap(), [alice()]);
    claimed.release().await.unwrap();

    let other = Instance { name: "standby-b".parse().unwrap(), ..alice() };
    let lost = lease(&store, "standby-b").await;
    lost.put(&other).await.unwrap();
    lost.release().await.unwrap();
    let intent = mine.begin("claim", NOW).await.unwrap();
    let error = mine.advance_claiming(intent, &alice(), (&other.name, &lost), NOW).await.unwrap_err();
    assert!(matches!(error, StoreError::Overtaken { .. }), "{error:?}");
    assert_eq!(store.instances().await.unwrap(), [alice(), other]);
}

#[tokio::test]
async fn a_host_key_is_found_by_the_create_that_injected_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir.path().join("s")).await.unwrap();
    let (first, second) = (OpId::from_bytes([1; 8]), OpId::from_bytes([2; 8]));
    let (alice, bob) = ("alice".parse().unwrap(), "bob".parse().unwrap());
    let lease = lease(&store, "alice").await;
    lease.put_creation(&first, "key one", NOW).await.unwrap();
    lease.put_creation(&second, "key two", NOW).await.unwrap();
    assert_eq!(store.host_key_of(&first, &alice).await.unwrap().as_deref(), Some("key one"));
    assert_eq!(store.host_key_of(&second, &bob).await.unwrap(), None);
}

#[tokio::test]
async fn another_kind_of_file_is_refused_and_stays_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s");
    std::fs::write(
        &path,
        "a letter to my aunt, longer than a header of SQLite would be, and then some more of it",
    )
    .unwrap();
    let before = std::fs::read(&path).unwrap();
    let error = open(&path).await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[tokio::test]
async fn a_newer_state_is_refused_and_names_its_writer() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s");
    let store = open(&path).await.unwrap();
    sqlx::query(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (9999, 'later', 1, x'00', 0)",
    )
    .execute(&store.database().pool)
    .await
    .unwrap();
    sqlx::query("UPDATE writer SET version = '7.0.0'").execute(&store.database().pool).await.unwrap();
    store.close().await.unwrap();
    let error = open(&path).await.unwrap_err().to_string();
    assert!(error.contains("was written by clawberth 7.0.0, which is newer than"), "{error}");
}

#[tokio::test]
async fn an_unwritable_folder_is_named() {
    let error = open(Path::new("/proc/nowhere/state")).await.unwrap_err();
    assert_eq!(error.to_string(), "cannot use /proc/nowhere for the state");
}

#[tokio::test]
async fn looking_makes_no_file() {
    let dir = tempfile::tempdir().unwrap();
    assert!(look(&dir.path().join("s")).await.unwrap().is_none());
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn what_a_kill_left_half_made_is_completed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s");
    std::fs::write(&path, "").unwrap();
    let before_tables = "DROP TABLE rollout_request; DROP TABLE rollout_host; DROP TABLE rollout; DROP TABLE fleet; DROP TABLE writer; DROP TABLE instance; DROP TABLE creation;
                         DROP TABLE intent; DROP TABLE lease; DROP TABLE session; DELETE FROM _sqlx_migrations";
    for undo in [before_tables, "DELETE FROM fleet"] {
        assert!(look(&path).await.unwrap().is_none());
        let store = open(&path).await.unwrap();
        lease(&store, "alice").await.put(&alice()).await.unwrap();
        sqlx::raw_sql(undo).execute(&store.database().pool).await.unwrap();
        store.database().pool.close().await;
    }
    assert!(look(&path).await.unwrap().is_none());
    open(&path).await.unwrap();
}

#[tokio::test]
async fn a_database_of_another_program_stays_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s");
    let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true);
    let mut other = SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::query("CREATE TABLE bookmark (url TEXT)").execute(&mut other).await.unwrap();
    other.close().await.unwrap();
    let before = std::fs::read(&path).unwrap();
    for error in [open(&path).await.unwrap_err(), look(&path).await.unwrap_err()] {
        assert!(matches!(error, StoreError::NotOurs { .. }), "{error:?}");
    }
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[tokio::test]
async fn what_a_kill_left_half_written_is_undone_by_the_next_look() {
    let dir = tempfile::tempdir().unwrap();
    let (busy, left) = (dir.path().join("busy"), dir.path().join("left"));
    let options = SqliteConnectOptions::new().filename(&busy).create_if_missing(true);
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    for statement in [
        "PRAGMA journal_mode = DELETE",
        "CREATE TABLE before (x)",
        "INSERT INTO before SELECT randomblob(3000) FROM (VALUES (1), (2), (3), (4), (5), (6), (7), (8))",
        // more than it may keep in memory, so that the file is written before the commit
        "PRAGMA cache_size = 2",
        "BEGIN",
        "UPDATE before SET x = randomblob(3000)",
    ] {
        sqlx::query(statement).execute(&mut connection).await.unwrap();
    }
    for ending in ["", "-journal"] {
        std::fs::copy(beside(&busy, ending), beside(&left, ending)).unwrap();
    }
    let error = look(&left).await.unwrap_err();
    assert!(matches!(error, StoreError::NotOurs { .. }), "{error:?}");
}
