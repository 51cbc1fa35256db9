//! Volumes.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{Client, lab, open, wish};

impl Client {
    /// Creates a volume and waits until it is there.
    async fn volume(&self, wish: Value) -> u64 {
        let answer = self.post("/volumes", wish).await;
        assert!(self.settle(&answer).await.iter().all(|status| status == "success"));
        answer["volume"]["id"].as_u64().unwrap()
    }

    async fn volume_state(&self, id: u64) -> Value {
        self.get(&format!("/volumes/{id}")).await["volume"].clone()
    }
}

#[tokio::test]
async fn a_volume_is_made_moved_and_deleted() {
    let (_dir, lab) = lab().await;
    let server = lab.server("web", json!({"location": "nbg1"})).await;
    let wish = json!({"name": "db", "size": 10, "location": "nbg1", "format": "ext4", "labels": {"a": "b"}});
    let answer = lab.post("/volumes", wish).await;
    let (id, volume) = (answer["volume"]["id"].as_u64().unwrap(), &answer["volume"]);
    assert_eq!((&volume["status"], &volume["server"]), (&json!("creating"), &Value::Null));
    assert_eq!(volume["linux_device"], format!("/dev/disk/by-id/scsi-0HC_Volume_{id}"));
    assert_eq!((&volume["format"], &volume["location"]["name"]), (&json!("ext4"), &json!("nbg1")));
    assert_eq!(
        (&answer["action"]["command"], &answer["next_actions"]),
        (&json!("create_volume"), &json!([]))
    );
    let to = json!({"server": server, "automount": true});
    let attach = format!("/volumes/{id}/actions/attach");
    let refused = lab.refused(Method::POST, &attach, Some(to.clone())).await;
    assert_eq!(refused, (423, "locked".into()), "it is still being made");
    assert_eq!(lab.get("/volumes?status=available").await["volumes"], json!([]));
    assert_eq!(lab.settle(&answer).await, ["success"]);
    assert_eq!(lab.volume_state(id).await["status"], "available");

    let answer = lab.post(&attach, to.clone()).await;
    let targets = json!([{"id": server, "type": "server"}, {"id": id, "type": "volume"}]);
    assert_eq!(answer["action"]["resources"], targets);
    let poweroff = format!("/servers/{server}/actions/poweroff");
    assert_eq!(lab.refused(Method::POST, &poweroff, None).await, (423, "locked".into()));
    assert_eq!(lab.settle(&answer).await, ["success"]);
    assert_eq!(lab.get(&format!("/servers/{server}")).await["server"]["volumes"], json!([id]));
    assert_eq!(lab.volume_state(id).await["server"], server);
    let again = lab.refused(Method::POST, &attach, Some(to)).await;
    assert_eq!(again, (422, "volume_already_attached".into()));
    let path = format!("/volumes/{id}");
    assert_eq!(lab.refused(Method::DELETE, &path, None).await, (422, "service_error".into()));

    let detach = format!("/volumes/{id}/actions/detach");
    let answer = lab.post(&detach, json!({})).await;
    assert_eq!(lab.settle(&answer).await, ["success"]);
    assert_eq!(lab.get(&format!("/servers/{server}")).await["server"]["volumes"], json!([]));
    assert_eq!(lab.refused(Method::POST, &detach, None).await, (422, "service_error".into()));
    let actions = lab.get(&format!("/volumes/{id}/actions?sort=id")).await["actions"].clone();
    let commands: Vec<&str> =
        actions.as_array().unwrap().iter().map(|action| action["command"].as_str().unwrap()).collect();
    assert_eq!(commands, ["create_volume", "attach_volume", "detach_volume"]);
    assert_eq!(lab.send(Method::DELETE, &path, None).await, (StatusCode::NO_CONTENT, Value::Null));
    assert_eq!(lab.refused(Method::GET, &path, None).await, (404, "not_found".into()));
}

#[tokio::test]
async fn a_volume_grows_and_is_protected() {
    let (_dir, lab) = lab().await;
    let id = lab.volume(json!({"name": "db", "size": 20, "location": "1"})).await;
    let resize = format!("/volumes/{id}/actions/resize");
    for size in [json!(19), json!(20), json!(10_241), json!("x")] {
        let refused = lab.refused(Method::POST, &resize, Some(json!({"size": size}))).await;
        assert_eq!(refused, (422, "invalid_input".into()), "{size}");
    }
    let answer = lab.post(&resize, json!({"size": 21})).await;
    assert_eq!(lab.settle(&answer).await, ["success"]);
    assert_eq!(lab.volume_state(id).await["size"], 21);
    let (protect, path) = (format!("/volumes/{id}/actions/change_protection"), format!("/volumes/{id}"));
    let answer = lab.post(&protect, json!({"delete": true})).await;
    assert_eq!(lab.settle(&answer).await, ["success"]);
    assert_eq!(lab.volume_state(id).await["protection"], json!({"delete": true}));
    assert_eq!(lab.refused(Method::DELETE, &path, None).await, (423, "protected".into()));
    let renamed = lab.send(Method::PUT, &path, Some(json!({"name": "db2", "labels": {"k": "v"}}))).await.1;
    assert_eq!(
        (&renamed["volume"]["name"], &renamed["volume"]["labels"]),
        (&json!("db2"), &json!({"k": "v"}))
    );
    assert_eq!(lab.get("/volumes?label_selector=k%3Dv").await["volumes"][0]["id"], id);
    let answer = lab.post(&protect, json!({"delete": false})).await;
    assert_eq!(lab.settle(&answer).await, ["success"]);
    assert_eq!(lab.send(Method::DELETE, &path, None).await.0, 204);
}

#[tokio::test]
async fn a_volume_made_at_a_server_outlives_it() {
    let (_dir, lab) = lab().await;
    let server = lab.server("web", json!({"location": "hel1"})).await;
    let answer =
        lab.post("/volumes", json!({"name": "db", "size": 10, "server": server, "automount": true})).await;
    let id = answer["volume"]["id"].as_u64().unwrap();
    assert_eq!(answer["volume"]["location"]["name"], "hel1");
    assert_eq!(answer["next_actions"][0]["command"], "attach_volume");
    assert_eq!(lab.settle(&answer).await, ["success", "success"]);
    let (_, deletion) = lab.send(Method::DELETE, &format!("/servers/{server}"), None).await;
    let detach = lab.refused(Method::POST, &format!("/volumes/{id}/actions/detach"), None).await;
    assert_eq!(detach, (423, "locked".into()), "its server is being deleted");
    assert_eq!(lab.settle(&deletion).await, ["success"]);
    assert_eq!(lab.volume_state(id).await["server"], Value::Null);
}

#[tokio::test]
async fn a_server_is_created_with_volumes() {
    let (_dir, lab) = lab().await;
    let near = lab.volume(json!({"name": "near", "size": 10, "location": "fsn1"})).await;
    let far = lab.volume(json!({"name": "far", "size": 10, "location": "nbg1"})).await;
    for (volumes, status, code) in [
        (json!([9]), 404, "not_found"),
        (json!([far]), 422, "invalid_input"),
        (json!([near, near]), 422, "invalid_input"),
        (json!((1..18).collect::<Vec<_>>()), 422, "limit_exceeded_error"),
    ] {
        let wish = wish("web", json!({"location": "fsn1", "volumes": volumes}));
        let refused = lab.refused(Method::POST, "/servers", Some(wish)).await;
        assert_eq!(refused, (status, code.to_owned()), "{volumes}");
    }
    let extra = json!({"location": "fsn1", "volumes": [near], "automount": true});
    let answer = lab.post("/servers", wish("web", extra.clone())).await;
    let next = answer["next_actions"].as_array().unwrap();
    let commands: Vec<&str> = next.iter().map(|action| action["command"].as_str().unwrap()).collect();
    assert_eq!(commands, ["start_server", "attach_volume"]);
    assert_eq!(lab.settle(&answer).await, ["success", "success", "success"]);
    let server = lab.get("/servers?name=web").await["servers"][0].clone();
    assert_eq!((&server["volumes"], &server["status"]), (&json!([near]), &json!("running")));
    let taken = lab.refused(Method::POST, "/servers", Some(wish("other", extra))).await;
    assert_eq!(taken, (422, "volume_already_attached".into()));
}

#[tokio::test]
async fn a_server_that_is_not_to_start_gets_its_volumes_and_stays_off() {
    let (_dir, lab) = lab().await;
    let id = lab.volume(json!({"name": "db", "size": 10, "location": "fsn1"})).await;
    let extra = json!({"location": "fsn1", "volumes": [id], "start_after_create": false});
    let answer = lab.post("/servers", wish("web", extra)).await;
    assert_eq!(lab.settle(&answer).await, ["success", "success"]);
    let server = lab.get("/servers?name=web").await["servers"][0].clone();
    assert_eq!((&server["volumes"], &server["status"]), (&json!([id]), &json!("off")));
}

#[tokio::test]
async fn a_server_has_at_most_sixteen_volumes() {
    let (_dir, lab) = lab().await;
    let mut volumes = Vec::new();
    for i in 0..17 {
        let wish = json!({"name": format!("v{i}"), "size": 10, "location": "fsn1"});
        volumes.push(lab.post("/volumes", wish).await);
    }
    for answer in &volumes {
        assert_eq!(lab.settle(answer).await, ["success"]);
    }
    let ids: Vec<u64> = volumes.iter().map(|answer| answer["volume"]["id"].as_u64().unwrap()).collect();
    let extra = json!({"location": "fsn1", "volumes": ids[..16], "start_after_create": false});
    let answer = lab.post("/servers", wish("web", extra)).await;
    assert!(lab.settle(&answer).await.iter().all(|status| status == "success"));
    let server = answer["server"]["id"].clone();
    let attach = format!("/volumes/{}/actions/attach", ids[16]);
    let refused = lab.refused(Method::POST, &attach, Some(json!({"server": server}))).await;
    assert_eq!(refused, (422, "limit_exceeded_error".into()));
    let one_more = json!({"name": "more", "size": 10, "server": server});
    let refused = lab.refused(Method::POST, "/volumes", Some(one_more)).await;
    assert_eq!(refused, (422, "limit_exceeded_error".into()));
}

#[tokio::test]
async fn bad_volumes_are_refused_and_leave_nothing() {
    let (_dir, lab) = lab().await;
    let server = lab.server("web", json!({})).await;
    for (wish, status, code) in [
        (json!({"name": "a", "location": "fsn1"}), 422, "invalid_input"),
        (json!({"name": "a", "size": 9, "location": "fsn1"}), 422, "invalid_input"),
        (json!({"name": "a", "size": 10_241, "location": "fsn1"}), 422, "invalid_input"),
        (json!({"name": "a", "size": -10, "location": "fsn1"}), 422, "invalid_input"),
        (json!({"name": "a b", "size": 10, "location": "fsn1"}), 422, "invalid_input"),
        (json!({"name": "a", "size": 10, "location": "mars"}), 422, "invalid_input"),
        (json!({"name": "a", "size": 10, "location": "fsn1", "format": "btrfs"}), 422, "invalid_input"),
        (json!({"name": "a", "size": 10, "location": "fsn1", "automount": true}), 422, "invalid_input"),
        (json!({"name": "a", "size": 10, "location": "fsn1", "server": server}), 422, "invalid_input"),
        (json!({"name": "a", "size": 10}), 422, "invalid_input"),
        (json!({"name": "a", "size": 10, "server": 9}), 404, "not_found"),
    ] {
        let refused = lab.refused(Method::POST, "/volumes", Some(wish.clone())).await;
        assert_eq!(refused, (status, code.to_owned()), "{wish}");
    }
    assert_eq!(lab.get("/volumes").await["volumes"], json!([]));
    let id = lab.volume(json!({"name": "far", "size": 10, "location": "hel1"})).await;
    let again = json!({"name": "far", "size": 10, "location": "fsn1"});
    assert_eq!(lab.refused(Method::POST, "/volumes", Some(again)).await, (409, "uniqueness_error".into()));
    let attach = format!("/volumes/{id}/actions/attach");
    for (to, status, code) in [
        (json!({"server": server}), 422, "invalid_input"),
        (json!({"server": 9}), 404, "not_found"),
        (json!({}), 422, "invalid_input"),
    ] {
        let refused = lab.refused(Method::POST, &attach, Some(to.clone())).await;
        assert_eq!(refused, (status, code.to_owned()), "{to}");
    }
}

#[tokio::test]
async fn a_create_that_was_cut_off_ends_after_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_owned();
    // a runtime that goes away takes all its tasks with it, as a kill does
    let cut_off = std::thread::spawn(move || {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let answer = runtime.block_on(async {
            let lab = open(&path).await;
            let server = lab.server("web", json!({})).await;
            lab.post("/volumes", json!({"name": "db", "size": 10, "server": server})).await
        });
        runtime.shutdown_background();
        answer
    });
    let answer = cut_off.join().unwrap();

    let lab = open(dir.path()).await;
    assert_eq!(lab.get("/volumes").await["volumes"][0]["status"], "creating");
    lab.cloud.resume().await;
    assert_eq!(lab.settle(&answer).await, ["success", "success"]);
    let (volume, server) = (&answer["volume"]["id"], &answer["volume"]["server"]);
    let volume = lab.volume_state(volume.as_u64().unwrap()).await;
    assert_eq!((&volume["server"], &volume["status"]), (server, &json!("available")));
}
