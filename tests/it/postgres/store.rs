//! What the store promises of a file, in a database.

use std::net::Ipv4Addr;
use std::time::Duration;

use clawberth::model::fleet::{FleetId, OpId};
use clawberth::model::instance::{Instance, Outcome, Server as Host, Stage};
use clawberth::model::place::Place;
use clawberth::store::{FLEET, Lease, Session, Store, StoreError};

use super::server::{Database, Server};

const NOW: &str = "2026-11-22T00:00:00Z";
/// Longer than it takes to get what is free, on a busy computer, too.
const SOON: Duration = Duration::from_secs(3);

fn alice() -> Instance {
    let integrity = format!("sha512-{}==", "A".repeat(86));
    let spec = serde_json::json!({
        "server_type": "cx23", "locations": ["fsn1"], "image": "debian-13", "domain": null,
        "release": { "openclaw": "2026.9.6", "engines": ">=24", "integrity": integrity, "node": "24.21.0" },
    });
    let spec = serde_json::from_value(spec).unwrap();
    Instance { name: "alice".parse().unwrap(), spec, stage: Stage::Planned, created: NOW.into() }
}

async fn try_open(database: &Database, machine: Option<&str>) -> Result<Store, StoreError> {
    let mut session = Session::here("alice", "clawberth deploy alice", NOW);
    if let Some(machine) = machine {
        session.machine = machine.into();
    }
    Store::open(&Place::parse(database.url()).unwrap(), &FleetId::from_bytes([1; 8]), session).await
}

async fn open(database: &Database) -> Store {
    try_open(database, None).await.unwrap()
}

async fn lease(store: &Store, subject: &str) -> Lease {
    store.lease(subject, NOW, |held| panic!("held by {held:?}")).await.unwrap()
}

#[tokio::test]
async fn what_was_written_is_there_after_a_kill() {
    let Some(server) = Server::shared() else { return };
    let database = server.database();
    let store = open(&database).await;
    let mut instance = alice();
    let lease = lease(&store, "alice").await;
    lease.put(&instance).await.unwrap();
    let op = OpId::from_bytes([1; 8]);
    lease.put_creation(&op, "key one", NOW).await.unwrap();
    let intent = lease.begin("create", NOW).await.unwrap();
    let ipv4 = Ipv4Addr::new(198, 51, 100, 7);
    let host = Host {
        id: 7,
        ipv4,
        ipv6: None,
        location: "fsn1".into(),
        host_key: "key one".into(),
        next_host_key: None,
        own_host_key: true,
        birth_key: None,
        admitted: None,
        standby: None,
    };
    instance.stage = instance.stage.after(Outcome::Created(host)).unwrap();
    lease.advance(intent, &instance, NOW).await.unwrap();
    // no close: as after a kill
    let again = open(&database).await;
    assert_eq!(again.fleet(), store.fleet());
    assert_eq!(again.document().await.unwrap(), store.document().await.unwrap());
    assert_eq!(again.instances().await.unwrap(), [instance.clone()]);
    assert_eq!(again.host_key_of(&op, &instance.name).await.unwrap().as_deref(), Some("key one"));
    assert_eq!(again.host_key_of(&op, &"bob".parse().unwrap()).await.unwrap(), None);
    assert_eq!(again.check().await.unwrap(), Vec::<String>::new());

    instance.stage = Stage::Gone;
    let intent = lease.begin("delete", NOW).await.unwrap();
    lease.advance(intent, &instance, NOW).await.unwrap();
    assert_eq!(again.instances().await.unwrap(), []);
    let history = again.history(Some("alice")).await.unwrap();
    let steps: Vec<_> = history.iter().map(|entry| (entry.step.as_str(), entry.outcome.as_deref())).collect();
    assert_eq!(steps, [("create", Some("created")), ("delete", Some("gone"))]);
}

#[tokio::test]
async fn what_was_changed_behind_the_programs_back_is_refused() {
    let Some(server) = Server::shared() else { return };
    for change in [
        "UPDATE instance SET created = '2020'",
        "DELETE FROM instance",
        "UPDATE creation SET host_key = 'of somebody else'",
        "DELETE FROM creation",
        "UPDATE intent SET outcome = 'done'",
        "DELETE FROM intent",
        "UPDATE session SET who = 'nobody'",
        "UPDATE lease SET holder = NULL; UPDATE intent SET session = NULL; DELETE FROM session",
    ] {
        let database = server.database();
        let store = open(&database).await;
        let lease = lease(&store, "alice").await;
        lease.put(&alice()).await.unwrap();
        lease.put_creation(&OpId::from_bytes([1; 8]), "key one", NOW).await.unwrap();
        let _open = lease.begin("create", NOW).await.unwrap();
        store.document().await.unwrap();
        database.sql(change);
        let error = store.document().await.unwrap_err();
        assert!(matches!(error, StoreError::Damaged { .. }), "{change}: {error:?}");
    }
}

#[tokio::test]
async fn a_newer_state_is_refused_and_names_its_writer() {
    let Some(server) = Server::shared() else { return };
    let database = server.database();
    open(&database).await.close().await.unwrap();
    database.sql(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (9999, 'later', true, '', 0); UPDATE writer SET version = '7.0.0'",
    );
    let error = try_open(&database, None).await.unwrap_err().to_string();
    assert!(error.contains("was written by clawberth 7.0.0, which is newer than"), "{error}");
}

#[tokio::test]
async fn somebody_elsewhere_is_waited_for_until_the_lease_expires_and_is_refused_then() {
    let Some(server) = Server::shared() else { return };
    let database = server.database();
    let (here, there) = (open(&database).await, try_open(&database, Some("elsewhere")).await.unwrap());
    let theirs = lease(&there, "alice").await;
    theirs.put(&alice()).await.unwrap();
    assert_eq!(here.held().await.unwrap().len(), 1);
    let mut told = 0;
    let wait = tokio::time::timeout(SOON, here.lease("alice", NOW, |_| told += 1)).await;
    assert!(wait.is_err(), "nothing is known of a process elsewhere: it may be at work");
    assert_eq!(told, 1);
    // another instance is free, and so is what the fleet has in common
    lease(&here, "bob").await.release().await.unwrap();
    lease(&here, FLEET).await.release().await.unwrap();

    database.sql("UPDATE lease SET expires = 1 WHERE subject = 'alice'");
    let ours = lease(&here, "alice").await;
    assert_eq!(ours.fence(), theirs.fence() + 1);
    let late = theirs.put(&alice()).await.unwrap_err();
    assert!(matches!(late, StoreError::Overtaken { .. }), "{late:?}");
    let late = theirs.begin("create", NOW).await.unwrap_err();
    assert!(matches!(late, StoreError::Overtaken { .. }), "{late:?}");
    assert_eq!(here.history(None).await.unwrap(), []);
    // and it does not free what is not its own
    theirs.release().await.unwrap();
    ours.put(&alice()).await.unwrap();
}

#[tokio::test]
async fn a_holder_on_this_computer_that_is_dead_is_replaced_at_once() {
    let Some(server) = Server::shared() else { return };
    let database = server.database();
    let mut dead = Session::here("alice", "clawberth deploy alice", NOW);
    dead.started -= 1;
    let place = Place::parse(database.url()).unwrap();
    let store = Store::open(&place, &FleetId::from_bytes([1; 8]), dead).await.unwrap();
    let old = lease(&store, "alice").await;
    let new = lease(&open(&database).await, "alice").await;
    assert_eq!(new.fence(), old.fence() + 1);
}

/// Everybody begins at once: one schema, one fleet, and each lease in one hand at a time.
#[tokio::test(flavor = "multi_thread")]
async fn many_who_begin_at_once_are_of_one_fleet() {
    let Some(server) = Server::shared() else { return };
    let database = server.database();
    let opened = futures_util::future::join_all((0..8).map(|_| open(&database))).await;
    let work = opened.iter().map(async |store| {
        let lease = store.lease("alice", NOW, |_| {}).await.unwrap();
        let intent = lease.begin("reach", NOW).await.unwrap();
        lease.end(intent, "done", NOW).await.unwrap();
        lease.release().await.unwrap();
    });
    futures_util::future::join_all(work).await;
    assert!(opened.iter().all(|store| store.fleet() == &FleetId::from_bytes([1; 8])));
    assert_eq!(opened[0].history(Some("alice")).await.unwrap().len(), 8);
    assert_eq!(opened[0].check().await.unwrap(), Vec::<String>::new());
}

/// What PostgreSQL undid for a reason that passes is asked again, and is done once.
#[tokio::test]
async fn what_was_undone_for_a_reason_that_passes_is_asked_again() {
    let Some(server) = Server::shared() else { return };
    let database = server.database();
    let store = open(&database).await;
    let lease = lease(&store, "alice").await;
    // a sequence goes on counting where a transaction is undone
    database.sql(
        "CREATE SEQUENCE tries; CREATE TABLE reason (code TEXT);
         GRANT USAGE ON SEQUENCE tries TO clawberth; GRANT SELECT ON reason TO clawberth;
         CREATE FUNCTION twice() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             IF nextval('tries') < 3 THEN
                 RAISE EXCEPTION 'not now' USING ERRCODE = (SELECT code FROM reason);
             END IF;
             RETURN NEW;
         END $$;
         CREATE TRIGGER twice BEFORE INSERT ON intent FOR EACH ROW EXECUTE FUNCTION twice();",
    );
    let codes = ["40001", "40P01", "53300", "57P01", "57P03", "57P05", "25P03"];
    for code in codes {
        database.sql(&format!(
            "DELETE FROM reason; INSERT INTO reason VALUES ('{code}'); SELECT setval('tries', 1, false)"
        ));
        let intent = lease.begin("reach", NOW).await.unwrap_or_else(|error| panic!("{code}: {error:?}"));
        lease.end(intent, "done", NOW).await.unwrap();
    }
    assert_eq!(store.history(None).await.unwrap().len(), codes.len());
    database.sql("UPDATE reason SET code = '23514'; SELECT setval('tries', 1, false)");
    let error = lease.begin("reach", NOW).await.unwrap_err();
    assert!(matches!(error, StoreError::Other { .. }), "{error:?}");
}
