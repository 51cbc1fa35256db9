//! Images: Hetzner's own, snapshots and backups.

use reqwest::Method;
use serde_json::{Value, json};

use super::{Client, lab, wish};

async fn create_image(lab: &Client, server: u64, body: Value) -> Value {
    let answer = lab.post(&format!("/servers/{server}/actions/create_image"), body).await;
    assert_eq!(lab.settle(&answer).await, ["success"]);
    answer["image"].clone()
}

async fn ids(lab: &Client, query: &str) -> Vec<u64> {
    let images = lab.get(&format!("/images?{query}")).await["images"].clone();
    images.as_array().unwrap().iter().map(|image| image["id"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn a_snapshot_is_made_and_servers_from_it() {
    let (_dir, lab) = lab().await;
    let web = lab.server("web", json!({"server_type": "cx33"})).await;
    let body = json!({"description": "golden", "labels": {"a": "b"}});
    let answer = lab.post(&format!("/servers/{web}/actions/create_image"), body).await;
    let image = answer["image"].clone();
    assert_eq!((&image["status"], &image["image_size"]), (&json!("creating"), &Value::Null));
    let path = format!("/images/{}", image["id"]);
    let too_early =
        lab.refused(Method::POST, "/servers", Some(wish("b", json!({"image": image["id"]})))).await;
    assert_eq!(too_early, (422, "invalid_input".into()));
    assert_eq!(lab.refused(Method::DELETE, &path, None).await, (423, "locked".into()));
    assert_eq!(lab.settle(&answer).await, ["success"]);

    let image = lab.get(&path).await["image"].clone();
    assert!(image["image_size"].as_f64().unwrap() > 0.0);
    for (field, value) in [
        ("type", json!("snapshot")),
        ("status", json!("available")),
        ("name", Value::Null),
        ("description", json!("golden")),
        ("disk_size", json!(80)),
        ("created_from", json!({"id": web, "name": "web"})),
        ("bound_to", Value::Null),
        ("os_flavor", json!("debian")),
        ("os_version", json!("13")),
        ("labels", json!({"a": "b"})),
        ("architecture", json!("x86")),
    ] {
        assert_eq!(image[field], value, "{field}");
    }
    let id = image["id"].as_u64().unwrap();
    assert_eq!(ids(&lab, "type=snapshot&label_selector=a%3Db").await, [id]);

    // an id may come as text; the disk must be as large as the one it was made of
    let second = lab.server("second", json!({"image": id.to_string(), "server_type": "cx43"})).await;
    let small = lab.refused(Method::POST, "/servers", Some(wish("c", json!({"image": id})))).await;
    assert_eq!(small, (422, "invalid_input".into()));
    let rebuild = lab.post(&format!("/servers/{web}/actions/rebuild"), json!({"image": id})).await;
    assert_eq!(lab.settle(&rebuild).await, ["success"]);

    let protect = lab.post(&format!("{path}/actions/change_protection"), json!({"delete": true})).await;
    assert_eq!(lab.settle(&protect).await, ["success"]);
    assert_eq!(lab.refused(Method::DELETE, &path, None).await, (423, "protected".into()));
    lab.post(&format!("{path}/actions/change_protection"), json!({"delete": false})).await;
    let actions = lab.get(&format!("{path}/actions")).await["actions"].clone();
    let commands: Vec<&Value> = actions.as_array().unwrap().iter().map(|action| &action["command"]).collect();
    assert_eq!(commands, ["create_image", "create_server", "change_protection", "change_protection"]);
    assert_eq!(lab.send(Method::DELETE, &path, None).await, (reqwest::StatusCode::NO_CONTENT, Value::Null));
    assert_eq!(lab.get(&format!("/servers/{second}")).await["server"]["image"], Value::Null);
    let again =
        lab.post(&format!("/servers/{second}/actions/create_image"), json!({})).await["image"].clone();
    assert_eq!((&again["os_flavor"], &again["disk_size"]), (&json!("unknown"), &json!(160)));
}

#[tokio::test]
async fn backups_belong_to_their_server() {
    let (_dir, lab) = lab().await;
    let web = lab.server("web", json!({})).await;
    let path = format!("/servers/{web}");
    let create = format!("{path}/actions/create_image");
    let refusal = lab.refused(Method::POST, &create, Some(json!({"type": "backup"}))).await;
    assert_eq!(refusal, (422, "invalid_input".into()));
    let refusal = lab.refused(Method::POST, &create, Some(json!({"type": "app"}))).await;
    assert_eq!(refusal, (422, "invalid_input".into()));
    let answer = lab.post(&format!("{path}/actions/enable_backup"), json!({})).await;
    lab.settle(&answer).await;
    assert!(lab.get(&path).await["server"]["backup_window"].is_string());

    let kept = create_image(&lab, web, json!({"type": "backup"})).await;
    assert_eq!((&kept["bound_to"], &kept["type"]), (&json!(web), &json!("backup")));
    let image = format!("/images/{}", kept["id"]);
    let protect = format!("{image}/actions/change_protection");
    let refusal = lab.refused(Method::POST, &protect, Some(json!({"delete": true}))).await;
    assert_eq!(refusal, (422, "unsupported_error".into()));
    let change = json!({"type": "snapshot", "description": "kept", "labels": {"a": "b"}});
    let changed = lab.send(Method::PUT, &image, Some(change)).await.1["image"].clone();
    assert_eq!((&changed["bound_to"], &changed["description"]), (&Value::Null, &json!("kept")));
    let back = lab.refused(Method::PUT, &image, Some(json!({"type": "backup"}))).await;
    assert_eq!(back, (422, "invalid_input".into()));

    // the eighth takes the place of the first
    let mut backups = Vec::new();
    for _ in 0..8 {
        backups.push(create_image(&lab, web, json!({"type": "backup"})).await["id"].as_u64().unwrap());
    }
    assert_eq!(ids(&lab, &format!("bound_to={web}")).await, backups[1..]);
    let answer = lab.post(&format!("{path}/actions/disable_backup"), json!({})).await;
    lab.settle(&answer).await;
    assert_eq!(lab.get(&path).await["server"]["backup_window"], Value::Null);
    assert_eq!(ids(&lab, "type=backup").await, [0_u64; 0]);

    let answer = lab.post(&format!("{path}/actions/enable_backup"), json!({})).await;
    lab.settle(&answer).await;
    create_image(&lab, web, json!({"type": "backup"})).await;
    let deletion = lab.send(Method::DELETE, &path, None).await.1;
    lab.settle(&deletion).await;
    assert_eq!(ids(&lab, "type=backup&type=snapshot").await, [kept["id"].as_u64().unwrap()]);
}

#[tokio::test]
async fn system_images_are_hetzners_own() {
    let (_dir, lab) = lab().await;
    let debian = ids(&lab, "name=debian-13&architecture=arm").await;
    assert_eq!(debian.len(), 1);
    let path = format!("/images/{}", debian[0]);
    for (method, path, body) in [
        (Method::DELETE, path.clone(), None),
        (Method::PUT, path.clone(), Some(json!({"description": "mine"}))),
        (Method::POST, format!("{path}/actions/change_protection"), Some(json!({"delete": true}))),
    ] {
        let refusal = lab.refused(method.clone(), &path, body).await;
        assert_eq!(refusal, (422, "unsupported_error".into()), "{method}");
    }
    assert_eq!(ids(&lab, "name=ubuntu-20.04").await, [0_u64; 0]);
    let old = lab.get("/images?name=ubuntu-20.04&architecture=x86&include_deprecated=true").await;
    let old = old["images"][0].clone();
    assert!(old["deprecation"]["unavailable_after"].is_string(), "{old}");
    assert_eq!(lab.get(&format!("/images/{}", old["id"])).await["image"], old);
    assert_eq!(ids(&lab, "status=creating").await, [0_u64; 0]);
    assert!(ids(&lab, "type=system&status=available&architecture=x86").await.len() >= 3);
}

#[tokio::test]
async fn an_image_that_was_cut_off_is_finished_by_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_owned();
    // a runtime that goes away takes all its tasks with it, as a kill does
    let cut_off = std::thread::spawn(move || {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let answer = runtime.block_on(async {
            let lab = super::open_with(super::Settings {
                delays: super::Delays::read("other = '10ms'\n[commands]\ncreate_image = '1h'").unwrap(),
                ..super::settings(&path)
            })
            .await;
            let id = lab.server("web", json!({})).await;
            lab.post(&format!("/servers/{id}/actions/create_image"), json!({})).await
        });
        runtime.shutdown_background();
        answer
    });
    let answer = cut_off.join().unwrap();

    let lab = super::open(dir.path()).await;
    assert_eq!(ids(&lab, "status=creating").await, [answer["image"]["id"].as_u64().unwrap()]);
    lab.cloud.resume().await;
    assert_eq!(lab.settle(&answer).await, ["success"]);
    assert_eq!(ids(&lab, "status=creating").await, [0_u64; 0]);
}
