//! A lab that goes down and comes up again.

use reqwest::Method;
use serde_json::json;

use super::{open, wish};

#[tokio::test]
async fn a_halted_lab_takes_nothing_new_and_goes_on_where_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let first = open(dir.path()).await;
    let kept = first.server("kept", json!({"labels": {"a": "b"}})).await;
    first.cloud.halt().await.unwrap();
    let refused = first.refused(Method::POST, "/servers", Some(wish("late", json!({})))).await;
    assert_eq!(refused, (503, "unavailable".into()));
    let before = first.get("/servers").await;
    drop(first);

    let lab = open(dir.path()).await;
    assert_eq!(lab.get("/servers").await, before);
    lab.cloud.resume().await;
    let summary = lab.cloud.summary();
    assert_eq!((summary.len(), summary[0].id, summary[0].status.as_str()), (1, kept, "running"));
    assert_eq!(lab.server("next", json!({})).await, kept + 1);
}

#[tokio::test]
async fn a_create_that_was_cut_off_is_finished_by_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_owned();
    // a runtime that goes away takes all its tasks with it, as a kill does
    let cut_off = std::thread::spawn(move || {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let answer =
            runtime.block_on(async { open(&path).await.post("/servers", wish("web", json!({}))).await });
        runtime.shutdown_background();
        answer
    });
    let answer = cut_off.join().unwrap();

    let lab = open(dir.path()).await;
    assert_eq!(lab.get("/servers").await["servers"][0]["status"], "initializing");
    lab.cloud.resume().await;
    assert_eq!(lab.settle(&answer).await, ["success", "success"]);
    assert_eq!(lab.cloud.summary()[0].status, "running");
}
