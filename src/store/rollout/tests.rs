use std::path::Path;

use jiff::Timestamp;

use super::*;
use crate::model::fleet::FleetId;
use crate::model::place::Place;
use crate::model::rollout::{Event, Fact};
use crate::store::Session;

const NOW: &str = "2026-11-24T03:00:00Z";

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

fn rollout(id: u8) -> Rollout {
    let hosts = ["alice", "bob", "carol"].into_iter().zip(1..);
    let hosts = hosts.map(|(name, wave)| Host::waiting(name.parse().unwrap(), wave)).collect();
    Rollout::new(RolloutId::from_bytes([id; 8]), Change::Os, Settings::of_a_fleet(3), hosts, now())
}

fn started(rollout: &Rollout, name: &str) -> Rollout {
    rollout.clone().after(Event::Host(name.parse().unwrap(), Fact::Started), now()).unwrap()
}

async fn open(path: &Path) -> Store {
    let session = Session::here("alice", "clawberth update --all", NOW);
    Store::open(&Place::File(path.to_owned()), &FleetId::from_bytes([1; 8]), session).await.unwrap()
}

async fn lease(store: &Store, subject: &str) -> Lease {
    store.lease(subject, NOW, |held| panic!("held by {held:?}")).await.unwrap()
}

async fn sql(store: &Store, sql: &'static str) {
    sqlx::raw_sql(sql).execute(&store.database().pool).await.unwrap();
}

#[tokio::test]
async fn a_rollout_is_there_after_a_kill_as_far_as_it_got() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s");
    let store = open(&path).await;
    assert_eq!(store.newest_rollout().await.unwrap(), None);
    let lease = lease(&store, ROLLOUT).await;
    let first = rollout(1);
    lease.save_rollout(None, &first).await.unwrap();
    let then = started(&first, "alice");
    lease.save_rollout(Some(&first), &then).await.unwrap();
    // no close: as after a kill
    let again = open(&path).await;
    assert_eq!(again.newest_rollout().await.unwrap(), Some(then.clone()));
    assert_eq!(again.rollouts().await.unwrap(), [then]);
}

#[tokio::test]
async fn what_happens_to_one_host_writes_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir.path().join("s")).await;
    let lease = lease(&store, ROLLOUT).await;
    let first = rollout(1);
    lease.save_rollout(None, &first).await.unwrap();
    sql(&store, "CREATE TRIGGER one BEFORE UPDATE ON rollout_host WHEN OLD.place <> 0 BEGIN SELECT RAISE(ABORT, 'no'); END")
        .await;
    lease.save_rollout(Some(&first), &started(&first, "alice")).await.unwrap();
}

#[tokio::test]
async fn the_same_may_be_written_twice_but_nothing_over_what_somebody_else_wrote() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir.path().join("s")).await;
    let lease = lease(&store, ROLLOUT).await;
    let first = rollout(1);
    let then = started(&first, "alice");
    lease.save_rollout(None, &first).await.unwrap();
    lease.save_rollout(None, &first).await.unwrap();
    lease.save_rollout(Some(&first), &then).await.unwrap();
    lease.save_rollout(Some(&first), &then).await.unwrap();
    let ended = then.clone().after(Event::Asked(Request::Abort), now()).unwrap();
    let error = lease.save_rollout(Some(&first), &ended).await.unwrap_err();
    assert!(matches!(error, StoreError::Overtaken { .. }), "{error:?}");
    assert_eq!(store.newest_rollout().await.unwrap(), Some(then));
}

#[tokio::test]
async fn the_newest_is_the_one_that_was_begun_last() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir.path().join("s")).await;
    let lease = lease(&store, ROLLOUT).await;
    for id in [7, 3, 5] {
        lease.save_rollout(None, &rollout(id)).await.unwrap();
    }
    assert_eq!(store.newest_rollout().await.unwrap(), Some(rollout(5)));
    assert_eq!(store.rollouts().await.unwrap(), [rollout(7), rollout(3), rollout(5)]);
    let wrong = store.check().await.unwrap();
    assert_eq!(wrong.len(), 2, "{wrong:?}");
    assert!(wrong[0].ends_with("was begun"), "{wrong:?}");
}

#[tokio::test]
async fn what_is_not_as_it_was_written_is_told() {
    for (damage, what) in [
        ("UPDATE rollout SET head = replace(head, 'running', 'paused')", "the rollout "),
        ("UPDATE rollout SET hosts = hosts + 1", "the rollout "),
        ("UPDATE rollout_host SET host = replace(host, 'bob', 'eve')", "a host of the rollout "),
        ("DELETE FROM rollout_host WHERE place = 1", "the hosts of the rollout "),
        ("DELETE FROM rollout_host; DELETE FROM rollout", "the list of rollouts "),
        ("UPDATE lease SET rollouts = 0", "the list of rollouts "),
        ("DELETE FROM lease", "the list of rollouts "),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let store = open(&dir.path().join("s")).await;
        lease(&store, ROLLOUT).await.save_rollout(None, &rollout(1)).await.unwrap();
        assert_eq!(store.check().await.unwrap(), [] as [String; 0]);
        sql(&store, damage).await;
        for error in [store.newest_rollout().await.unwrap_err(), store.rollouts().await.unwrap_err()] {
            assert!(error.to_string().contains(&format!("damaged: {what}")), "{damage}: {error}");
        }
        assert_eq!(store.check().await.unwrap().len(), 1, "{damage}");
    }
}

#[tokio::test]
async fn what_is_asked_of_it_stays_until_it_is_heeded() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir.path().join("s")).await;
    let driver = lease(&store, ROLLOUT).await;
    let rollout = rollout(1);
    driver.save_rollout(None, &rollout).await.unwrap();
    assert_eq!(store.asked(&rollout.id).await.unwrap(), None);
    let asking = lease(&store, ROLLOUT_REQUEST).await;
    asking.ask(&rollout.id, Request::Pause, NOW).await.unwrap();
    let pause = store.asked(&rollout.id).await.unwrap().unwrap();
    assert_eq!(pause.request, Request::Pause);
    asking.ask(&rollout.id, Request::Abort, NOW).await.unwrap();
    driver.heeded(pause).await.unwrap();
    let abort = store.asked(&rollout.id).await.unwrap().unwrap();
    assert_eq!(abort.request, Request::Abort);
    driver.heeded(abort).await.unwrap();
    assert_eq!(store.asked(&rollout.id).await.unwrap(), None);
    asking.ask(&rollout.id, Request::Pause, NOW).await.unwrap();
    sql(&store, "UPDATE rollout_request SET request = 'resume'").await;
    assert!(store.asked(&rollout.id).await.unwrap_err().to_string().contains("what is asked of the rollout"));
}

#[tokio::test]
async fn a_copy_has_them_and_what_was_there_before_goes() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (open(&dir.path().join("one")).await, open(&dir.path().join("two")).await);
    for (store, id) in [(&one, 1), (&two, 2)] {
        let lease = lease(store, ROLLOUT).await;
        lease.save_rollout(None, &rollout(id)).await.unwrap();
        lease.ask(&rollout(id).id, Request::Pause, NOW).await.unwrap();
    }
    let document = one.document().await.unwrap();
    let text = serde_json::to_string(&document).unwrap();
    two.replace(&serde_json::from_str(&text).unwrap(), NOW).await.unwrap();
    assert!(two.document().await.unwrap().says_what(&document));
    assert_eq!(two.rollouts().await.unwrap(), [rollout(1)]);
    assert_eq!(two.check().await.unwrap(), [] as [String; 0]);
}

#[tokio::test]
async fn a_document_from_before_there_were_rollouts_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let document = open(&dir.path().join("s")).await.document().await.unwrap();
    let text = serde_json::to_string(&document).unwrap();
    assert!(!text.contains("rollouts"), "{text}");
    assert_eq!(serde_json::from_str::<crate::store::Document>(&text).unwrap(), document);
}
