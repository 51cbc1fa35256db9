//! Several controllers of one fleet, each with a home of its own and the fleet's key in it.

use std::path::Path;
use std::time::Duration;

use clawberth::apply::Point;

use super::server::Server;
use crate::bed::Cloud;

const MANY: usize = 50;
/// Two programs on whatever computer runs the tests.
const END: Duration = Duration::from_secs(300);

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

#[test]
fn two_controllers_that_deploy_the_same_names_at_once_make_each_server_once() {
    let Some(server) = Server::shared() else { return };
    let (database, cloud) = (server.database(), Cloud::up(1, "").unwrap());
    let operator = cloud.operator().unwrap().with("CLAWBERTH_STATE", database.url());
    // whoever begins the fleet has its key, and gives it to the other one
    operator.ok(&["deploy", "first", "--yes"]).unwrap();
    let folder = ".local/state/clawberth";
    let (one, two) = (cloud.path(&format!("home-{}", operator.api.project())), cloud.path("home-two"));
    copy_folder(&one.join(folder), &two.join(folder));

    let names: Vec<String> = (0..MANY).map(|number| format!("user-{number:02}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let backwards: Vec<&str> = names.iter().rev().copied().collect();
    let deploy = |names: &[&str], home: &Path| {
        let words = [&["deploy", "--yes"], names].concat();
        operator.start(&words, &[("HOME", home.to_str().unwrap())]).unwrap()
    };
    let both = [deploy(&names, &one), deploy(&backwards, &two)];
    for controller in both {
        let ended = controller.end(END).unwrap();
        assert_eq!(ended.code, Some(0), "{ended}");
    }
    let made = |request: &&crate::bed::Request| request.what() == "POST /servers" && request.was_done();
    assert_eq!(operator.requests().unwrap().iter().filter(made).count(), MANY + 1);
    assert_eq!(operator.all("/servers", "servers").unwrap().len(), MANY + 1);
    assert!(operator.list().unwrap().values().all(|stage| stage == "serving"));
    assert_eq!(operator.doubles().unwrap(), Vec::<String>::new());
    operator.ok(&["state", "check"]).unwrap();
}

#[test]
fn who_was_away_for_too_long_is_refused_when_it_comes_back() {
    let Some(server) = Server::shared() else { return };
    let (database, cloud) = (server.database(), Cloud::up(1, "").unwrap());
    let operator = cloud.operator().unwrap().with("CLAWBERTH_STATE", database.url());
    let mut late =
        operator.start_to(&["deploy", "alice", "--yes"], "create", Point::BeforeIntent, &[]).unwrap();
    late.until_stopped().unwrap();
    // half a minute later
    database.sql("UPDATE lease SET expires = 1 WHERE subject = 'alice'");
    operator.ok(&["deploy", "alice", "--yes"]).unwrap();
    late.go_on().unwrap();
    let ended = late.end(END).unwrap();
    assert_eq!(ended.code, Some(1), "{ended}");
    assert!(ended.stderr.contains("caused by: somebody else has taken over alice"), "{ended}");
    assert_eq!(operator.doubles().unwrap(), Vec::<String>::new());
    operator.ok(&["destroy", "--all", "--yes"]).unwrap();
    operator.clean_slate().unwrap();
}
