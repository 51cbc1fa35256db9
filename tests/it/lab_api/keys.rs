//! SSH keys.

use reqwest::Method;
use serde_json::json;

use super::{KEY, lab};

#[tokio::test]
async fn keys_are_unique_by_name_and_by_fingerprint() {
    let (_dir, lab) = lab().await;
    lab.post("/ssh_keys", json!({"name": "k", "public_key": KEY})).await;
    let again = json!({"name": "other", "public_key": KEY});
    assert_eq!(lab.refused(Method::POST, "/ssh_keys", Some(again)).await, (409, "uniqueness_error".into()));
    let no_key = json!({"name": "other", "public_key": "hello"});
    assert_eq!(lab.refused(Method::POST, "/ssh_keys", Some(no_key)).await, (422, "invalid_input".into()));
    let found = lab.get("/ssh_keys?fingerprint=e9:64:2f:c7:6b:39:6e:9e:7e:40:44:3b:9c:12:07:d8").await;
    assert_eq!(found["ssh_keys"][0]["name"], "k");
}
