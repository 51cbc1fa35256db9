//! Rollouts in a database.

use clawberth::model::fleet::FleetId;
use clawberth::model::place::Place;
use clawberth::model::rollout::{Change, Event, Fact, Host, Request, Rollout, RolloutId, Settings};
use clawberth::store::{Lease, ROLLOUT, ROLLOUT_REQUEST, Session, Store, StoreError};

use super::server::{Database, Server};

const NOW: &str = "2026-11-24T03:00:00Z";

fn rollout(id: u8) -> Rollout {
    let hosts = ["alice", "bob"].into_iter().zip(1..);
    let hosts = hosts.map(|(name, wave)| Host::waiting(name.parse().unwrap(), wave)).collect();
    let settings = Settings::of_a_fleet(2);
    Rollout::new(RolloutId::from_bytes([id; 8]), Change::Os, settings, hosts, NOW.parse().unwrap())
}

async fn open(database: &Database) -> Store {
    let session = Session::here("alice", "clawberth update --all", NOW);
    let place = Place::parse(database.url()).unwrap();
    Store::open(&place, &FleetId::from_bytes([1; 8]), session).await.unwrap()
}

async fn lease(store: &Store, subject: &str) -> Lease {
    store.lease(subject, NOW, |held| panic!("held by {held:?}")).await.unwrap()
}

#[tokio::test]
async fn a_rollout_is_there_after_a_kill_and_what_is_asked_of_it() {
    let Some(server) = Server::shared() else { return };
    let database = server.database();
    let store = open(&database).await;
    assert_eq!(store.newest_rollout().await.unwrap(), None);
    let driver = lease(&store, ROLLOUT).await;
    let first = rollout(1);
    let start = Event::Host("alice".parse().unwrap(), Fact::Started);
    let then = first.clone().after(start, NOW.parse().unwrap()).unwrap();
    driver.save_rollout(None, &first).await.unwrap();
    driver.save_rollout(Some(&first), &then).await.unwrap();
    driver.save_rollout(Some(&first), &then).await.unwrap();
    let error = driver.save_rollout(Some(&first), &first).await.unwrap_err();
    assert!(matches!(error, StoreError::Overtaken { .. }), "{error:?}");
    lease(&store, ROLLOUT_REQUEST).await.ask(&then.id, Request::Pause, NOW).await.unwrap();
    // no close: as after a kill
    let again = open(&database).await;
    assert_eq!(again.newest_rollout().await.unwrap(), Some(then.clone()));
    let asked = again.asked(&then.id).await.unwrap().unwrap();
    assert_eq!(asked.request, Request::Pause);
    driver.heeded(asked).await.unwrap();
    assert_eq!(again.asked(&then.id).await.unwrap(), None);
    assert_eq!(again.check().await.unwrap(), [] as [String; 0]);
}

#[tokio::test]
async fn a_copy_has_them() {
    let Some(server) = Server::shared() else { return };
    let (here, there) = (server.database(), server.database());
    let (one, two) = (open(&here).await, open(&there).await);
    for (store, id) in [(&one, 1), (&two, 2)] {
        lease(store, ROLLOUT).await.save_rollout(None, &rollout(id)).await.unwrap();
    }
    let document = one.document().await.unwrap();
    two.replace(&document, NOW).await.unwrap();
    assert_eq!(two.rollouts().await.unwrap(), [rollout(1)]);
    assert!(two.document().await.unwrap().says_what(&document));
}

#[tokio::test]
async fn a_database_from_before_there_were_rollouts_opens() {
    let Some(server) = Server::shared() else { return };
    let database = server.database();
    let before = open(&database).await.document().await.unwrap();
    for undo in [
        "DROP TABLE rollout_request, rollout_host, rollout",
        "ALTER TABLE lease DROP COLUMN rollouts",
        "ALTER TABLE fleet DROP COLUMN keys",
        "DELETE FROM _sqlx_migrations WHERE version >= 3",
    ] {
        database.sql(undo);
    }
    let store = open(&database).await;
    assert_eq!(store.document().await.unwrap(), before);
    lease(&store, ROLLOUT).await.save_rollout(None, &rollout(1)).await.unwrap();
    assert_eq!(store.rollouts().await.unwrap(), [rollout(1)]);
}
