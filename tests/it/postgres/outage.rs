//! The database goes away while a command works, and comes back.

use std::time::{Duration, Instant};

use clawberth::apply::Point;

use super::server::{Database, Server};
use crate::bed::{Cloud, Operator, Running};

/// How long the database is away: longer than one pause before the program asks again.
const AWAY: Duration = Duration::from_secs(3);
const END: Duration = Duration::from_secs(100);

/// A deploy that has made a server and has not written it down yet.
fn in_mid_create(operator: &Operator<'_>) -> Running {
    let mut deploy =
        operator.start_to(&["deploy", "alice", "--yes"], "create", Point::AfterAct, &[]).unwrap();
    deploy.until_stopped().unwrap();
    deploy
}

/// It ends well, with one server, and then everything can be removed.
fn goes_on(operator: &Operator<'_>, deploy: Running) {
    let ended = deploy.end(END).unwrap();
    assert_eq!(ended.code, Some(0), "{ended}");
    assert_eq!(operator.list().unwrap().len(), 1);
    operator.ok(&["state", "check"]).unwrap();
    assert_eq!(operator.doubles().unwrap(), Vec::<String>::new());
    operator.ok(&["destroy", "--all", "--yes"]).unwrap();
    operator.clean_slate().unwrap();
}

fn on<'a>(cloud: &'a Cloud, database: &Database) -> Operator<'a> {
    cloud.operator().unwrap().with("CLAWBERTH_STATE", database.url())
}

#[test]
fn a_server_that_is_stopped_and_started_in_mid_deploy() {
    let Some(server) = Server::own() else { return };
    let (database, cloud) = (server.database(), Cloud::up(1, "").unwrap());
    let operator = on(&cloud, &database);
    let mut deploy = in_mid_create(&operator);
    server.stop();
    deploy.go_on().unwrap();
    let back = Instant::now() + AWAY;
    while Instant::now() < back {
        assert!(!deploy.has_ended().unwrap(), "it did not wait: {}", deploy.said());
        std::thread::sleep(Duration::from_millis(20));
    }
    server.start();
    goes_on(&operator, deploy);
}

#[test]
fn a_server_that_is_killed_in_mid_deploy() {
    let Some(server) = Server::own() else { return };
    let (database, cloud) = (server.database(), Cloud::up(1, "").unwrap());
    let operator = on(&cloud, &database);
    let deploy = in_mid_create(&operator);
    server.kill();
    deploy.go_on().unwrap();
    server.start();
    goes_on(&operator, deploy);
}

#[test]
fn connections_that_are_lost_between_intent_and_outcome() {
    let Some(server) = Server::shared() else { return };
    let (database, cloud) = (server.database(), Cloud::up(1, "").unwrap());
    let operator = on(&cloud, &database);
    let deploy = in_mid_create(&operator);
    let cut = database.sql(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
         WHERE datname = current_database() AND usename = 'clawberth'",
    );
    assert_ne!(cut, "0");
    deploy.go_on().unwrap();
    goes_on(&operator, deploy);
}
