//! The lab's API, name server and metadata as clients see them, without machines.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail loudly, in its helpers too")]
#![allow(clippy::indexing_slicing, reason = "a missing field fails the test, as it should")]

mod addresses;
mod api_dates;
mod firewalls;
mod fuzz;
mod http;
mod images;
mod keys;
mod machines;
mod networks;
mod placement_groups;
mod primary_ips;
mod raw;
mod restart;
mod robustness;
mod rrsets;
mod server_actions;
mod servers;
mod volumes;
mod zones;

use std::path::Path;
use std::time::{Duration, Instant};

use clawberth::lab::api::{ApiDate, Block, Cloud, Delays, HOURLY, ProjectKey, Settings};
use clawberth::lab::machine::Machines;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBtKY2eAq6tIFoWejsAXVmj5I3B/HrQzmCoF/WVmojFO somebody";

/// Long enough to catch an action in the middle, short enough to wait for.
const DELAYS: &str = "other = '50ms'
[commands]
create_server = '200ms'
start_server = '200ms'
stop_server = '200ms'
shutdown_server = '200ms'
reboot_server = '200ms'
reset_server = '200ms'
delete_server = '200ms'
rebuild_server = '400ms'
";

struct Client {
    cloud: Cloud,
    base: String,
    http: reqwest::Client,
}

fn token() -> String {
    "t".repeat(64)
}

async fn open(dir: &Path) -> Client {
    open_with(settings(dir)).await
}

/// One project in slot 5, without machines.
fn settings(dir: &Path) -> Settings {
    Settings {
        dir: dir.to_owned(),
        block: Block::of_slot(5),
        projects: vec![ProjectKey { name: "default".to_owned(), token: token() }],
        machines: Machines::None,
        delays: Delays::read(DELAYS).unwrap(),
        api_date: ApiDate::default(),
        rate_limit: Some(HOURLY),
        faults: Vec::new(),
    }
}

async fn open_with(settings: Settings) -> Client {
    let cloud = Cloud::open(settings).await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let served = cloud.clone();
    tokio::spawn(async move { served.serve(listener).await });
    // whoever else runs in this process may have been first
    let _ = rustls::crypto::ring::default_provider().install_default();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    Client { cloud, base: format!("{base}/v1"), http }
}

async fn serve(router: axum::Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    format!("http://{address}")
}

impl Client {
    async fn send(&self, method: Method, path: &str, body: Option<Value>) -> (StatusCode, Value) {
        let mut request = self.http.request(method, format!("{}{path}", self.base)).bearer_auth(token());
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.unwrap();
        let status = response.status();
        let bytes = response.bytes().await.unwrap();
        (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }

    async fn get(&self, path: &str) -> Value {
        let (status, body) = self.send(Method::GET, path, None).await;
        assert_eq!(status, 200, "GET {path}: {body}");
        body
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        let (status, body) = self.send(Method::POST, path, Some(body)).await;
        assert_eq!(status, 201, "POST {path}: {body}");
        body
    }

    /// Status and error code of a request that is refused.
    async fn refused(&self, method: Method, path: &str, body: Option<Value>) -> (u16, String) {
        let (status, body) = self.send(method, path, body).await;
        (status.as_u16(), body["error"]["code"].as_str().unwrap_or_default().to_owned())
    }

    /// Waits for all actions in an answer and gives back their statuses.
    async fn settle(&self, answer: &Value) -> Vec<String> {
        let listed = ["next_actions", "actions"].iter().filter_map(|k| answer[k].as_array()).flatten();
        let ids: Vec<u64> =
            std::iter::once(&answer["action"]).chain(listed).filter_map(|a| a["id"].as_u64()).collect();
        assert!(!ids.is_empty(), "no action in {answer}");
        let query: Vec<String> = ids.iter().map(|id| format!("id={id}")).collect();
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let actions = self.get(&format!("/actions?{}", query.join("&"))).await["actions"].clone();
            let actions = actions.as_array().unwrap().clone();
            assert_eq!(actions.len(), ids.len());
            if actions.iter().all(|action| action["status"] != "running") {
                return actions.iter().map(|a| a["status"].as_str().unwrap().to_owned()).collect();
            }
            assert!(Instant::now() < deadline, "actions {ids:?} still run");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Creates a server and waits until it runs.
    async fn server(&self, name: &str, extra: Value) -> u64 {
        let answer = self.post("/servers", wish(name, extra)).await;
        assert_eq!(self.settle(&answer).await, ["success", "success"]);
        answer["server"]["id"].as_u64().unwrap()
    }
}

fn wish(name: &str, extra: Value) -> Value {
    let mut wish = json!({"name": name, "server_type": "cx23", "image": "debian-13"});
    for (key, value) in extra.as_object().unwrap() {
        wish[key] = value.clone();
    }
    wish
}

async fn lab() -> (TempDir, Client) {
    let dir = tempfile::tempdir().unwrap();
    let client = open(dir.path()).await;
    (dir, client)
}
