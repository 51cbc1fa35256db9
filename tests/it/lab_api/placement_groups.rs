//! Placement groups.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{lab, wish};

#[tokio::test]
async fn servers_join_while_they_are_off_and_leave_at_any_time() {
    let (_dir, lab) = lab().await;
    let body = json!({"name": "web", "type": "spread", "labels": {"a": "b"}});
    let group = lab.post("/placement_groups", body).await["placement_group"].clone();
    let id = &group["id"];
    assert_eq!((&group["type"], &group["servers"]), (&json!("spread"), &json!([])));
    let server = lab.server("web", json!({})).await;
    let (path, to) = (format!("/servers/{server}"), json!({"placement_group": id}));
    let add = format!("{path}/actions/add_to_placement_group");
    let refused = lab.refused(Method::POST, &add, Some(to.clone())).await;
    assert_eq!(refused, (422, "server_not_stopped".into()));
    let answer = lab.post(&format!("{path}/actions/poweroff"), json!({})).await;
    assert_eq!(lab.settle(&answer).await, ["success"]);
    let refused = lab.refused(Method::POST, &add, Some(json!({"placement_group": 9}))).await;
    assert_eq!(refused, (404, "not_found".into()));
    let answer = lab.post(&add, to.clone()).await;
    assert_eq!(lab.settle(&answer).await, ["success"]);
    let refused = lab.refused(Method::POST, &add, Some(to)).await;
    assert_eq!(refused, (422, "already_in_placement_group".into()));
    let embedded = lab.get(&path).await["server"]["placement_group"].clone();
    assert_eq!(embedded, lab.get(&format!("/placement_groups/{id}")).await["placement_group"]);
    assert_eq!(embedded["servers"], json!([server]));

    let answer = lab.post(&format!("{path}/actions/poweron"), json!({})).await;
    assert_eq!(lab.settle(&answer).await, ["success"]);
    let take_out = format!("{path}/actions/remove_from_placement_group");
    let answer = lab.post(&take_out, json!({})).await;
    assert_eq!(lab.settle(&answer).await, ["success"]);
    assert_eq!(lab.get(&path).await["server"]["placement_group"], Value::Null);
    assert_eq!(lab.refused(Method::POST, &take_out, None).await, (422, "service_error".into()));
}

#[tokio::test]
async fn a_group_has_at_most_ten_servers_and_lets_them_go_when_it_is_deleted() {
    let (_dir, lab) = lab().await;
    let body = json!({"name": "web", "type": "spread"});
    let group = lab.post("/placement_groups", body).await["placement_group"]["id"].clone();
    let extra = json!({"placement_group": group, "start_after_create": false});
    for i in 0..10 {
        let server = lab.post("/servers", wish(&format!("web-{i}"), extra.clone())).await["server"].clone();
        assert_eq!(server["placement_group"]["id"], group);
    }
    let full = lab.refused(Method::POST, "/servers", Some(wish("web-10", extra))).await;
    assert_eq!(full, (422, "placement_group_member_limit_reached".into()));
    let path = format!("/placement_groups/{group}");
    assert_eq!(lab.send(Method::DELETE, &path, None).await, (StatusCode::NO_CONTENT, Value::Null));
    assert_eq!(lab.refused(Method::GET, &path, None).await, (404, "not_found".into()));
    let servers = lab.get("/servers").await["servers"].clone();
    assert!(servers.as_array().unwrap().iter().all(|server| server["placement_group"].is_null()));
}

#[tokio::test]
async fn groups_are_named_labelled_and_counted() {
    let (_dir, lab) = lab().await;
    for bad in [json!({"name": "a"}), json!({"name": "a", "type": "pack"}), json!({"type": "spread"})] {
        let refused = lab.refused(Method::POST, "/placement_groups", Some(bad.clone())).await;
        assert_eq!(refused, (422, "invalid_input".into()), "{bad}");
    }
    let gone = Some(wish("web", json!({"placement_group": 9})));
    assert_eq!(lab.refused(Method::POST, "/servers", gone).await, (404, "not_found".into()));
    for i in 0..50 {
        let body = json!({"name": format!("g{i}"), "type": "spread", "labels": {"n": i.to_string()}});
        lab.post("/placement_groups", body).await;
    }
    let one_more = Some(json!({"name": "more", "type": "spread"}));
    let full = lab.refused(Method::POST, "/placement_groups", one_more).await;
    assert_eq!(full, (403, "resource_limit_exceeded".into()));
    let same = Some(json!({"name": "g7", "type": "spread"}));
    let taken = lab.refused(Method::POST, "/placement_groups", same.clone()).await;
    assert_eq!(taken, (409, "uniqueness_error".into()));
    let found = lab.get("/placement_groups?label_selector=n%3D7").await["placement_groups"].clone();
    assert_eq!(found.as_array().unwrap().len(), 1);
    let path = format!("/placement_groups/{}", found[0]["id"]);
    assert_eq!(lab.refused(Method::PUT, &path, Some(json!({"name": "g8"}))).await.0, 409);
    let renamed = lab.send(Method::PUT, &path, Some(json!({"name": "new"}))).await.1;
    assert_eq!(renamed["placement_group"]["name"], "new");
    let actions = lab.refused(Method::GET, "/placement_groups/actions", None).await;
    assert_eq!(actions, (404, "not_found".into()), "nobody can ask for their actions");
}
