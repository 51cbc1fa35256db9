//! The lab's API, name server and metadata as clients see them, without machines.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail loudly, in its helpers too")]
#![allow(clippy::indexing_slicing, reason = "a missing field fails the test, as it should")]

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use axum::extract::connect_info::MockConnectInfo;
use clawberth::lab::api::{Cloud, Delays, Settings};
use clawberth::lab::dns::{self, Resolvers};
use clawberth::lab::machine::Machines;
use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::{TcpListener, UdpSocket};

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBtKY2eAq6tIFoWejsAXVmj5I3B/HrQzmCoF/WVmojFO somebody";

/// Long enough to catch an action in the middle, short enough to wait for.
const DELAYS: Delays = Delays {
    create: Duration::from_millis(200),
    power: Duration::from_millis(200),
    delete: Duration::from_millis(200),
    other: Duration::from_millis(50),
};

struct Client {
    cloud: Cloud,
    base: String,
    http: reqwest::Client,
}

fn token() -> String {
    "t".repeat(64)
}

async fn open(dir: &Path) -> Client {
    let settings =
        Settings { dir: dir.to_owned(), slot: 5, token: token(), machines: Machines::None, delays: DELAYS };
    let cloud = Cloud::open(settings).await.unwrap();
    let base = serve(cloud.api_router()).await;
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

#[tokio::test]
async fn a_server_lives_and_dies() {
    let (_dir, lab) = lab().await;
    let key = lab.post("/ssh_keys", json!({"name": "k", "public_key": KEY})).await["ssh_key"]["id"].clone();
    let rule =
        json!({"direction": "in", "protocol": "tcp", "port": "443", "source_ips": ["0.0.0.0/0", "::/0"]});
    let firewall =
        lab.post("/firewalls", json!({"name": "f", "rules": [rule]})).await["firewall"]["id"].clone();
    let extra = json!({
        "location": "nbg1", "ssh_keys": [key], "firewalls": [{"firewall": firewall}],
        "user_data": "#cloud-config\n", "labels": {"fleet": "f1"},
    });

    let answer = lab.post("/servers", wish("web", extra)).await;
    let server = &answer["server"];
    assert_eq!((&server["status"], &answer["root_password"]), (&json!("initializing"), &Value::Null));
    assert_eq!(server["public_net"]["ipv4"]["ip"], "198.18.5.2");
    assert_eq!(server["public_net"]["ipv6"]["ip"], "2001:db8:5:2::/64");
    assert_eq!(server["public_net"]["firewalls"], json!([{"id": firewall, "status": "applied"}]));
    assert_eq!(
        (&answer["action"]["command"], &answer["action"]["status"]),
        (&json!("create_server"), &json!("running"))
    );
    assert!(server.get("user_data").is_none() && server.get("datacenter").is_none());
    let id = server["id"].as_u64().unwrap();

    assert_eq!(lab.refused(Method::DELETE, &format!("/servers/{id}"), None).await, (423, "locked".into()));
    assert_eq!(lab.settle(&answer).await, ["success", "success"]);
    assert_eq!(lab.get(&format!("/servers/{id}")).await["server"]["status"], "running");
    let ips = lab.get("/primary_ips").await["primary_ips"].clone();
    assert_eq!(ips.as_array().unwrap().len(), 2);
    assert!(ips.as_array().unwrap().iter().all(|ip| ip["auto_delete"] == true && ip["assignee_id"] == id));
    let ip = format!("/primary_ips/{}", ips[0]["id"]);
    assert_eq!(lab.refused(Method::DELETE, &ip, None).await, (422, "must_be_unassigned".into()));

    let (status, deletion) = lab.send(Method::DELETE, &format!("/servers/{id}"), None).await;
    assert_eq!((status.as_u16(), &deletion["action"]["command"]), (200, &json!("delete_server")));
    let firewall = format!("/firewalls/{firewall}");
    assert_eq!(lab.refused(Method::DELETE, &firewall, None).await, (422, "resource_in_use".into()));
    assert_eq!(lab.get(&format!("/servers/{id}")).await["server"]["status"], "deleting");
    assert_eq!(lab.settle(&deletion).await, ["success"]);
    assert_eq!(lab.refused(Method::GET, &format!("/servers/{id}"), None).await, (404, "not_found".into()));
    assert_eq!(lab.get("/primary_ips").await["primary_ips"], json!([]));
    assert_eq!(lab.send(Method::DELETE, &firewall, None).await, (StatusCode::NO_CONTENT, Value::Null));
}

#[tokio::test]
async fn power_actions_change_the_status() {
    let (_dir, lab) = lab().await;
    let id = lab.server("web", json!({})).await;
    for (verb, status) in
        [("poweroff", "off"), ("poweron", "running"), ("reboot", "running"), ("reset", "running")]
    {
        let answer = lab.post(&format!("/servers/{id}/actions/{verb}"), json!({})).await;
        assert_eq!(lab.settle(&answer).await, ["success"], "{verb}");
        assert_eq!(lab.get(&format!("/servers/{id}")).await["server"]["status"], status, "{verb}");
    }
    let answer = lab.post(&format!("/servers/{id}/actions/shutdown"), json!({})).await;
    assert_eq!(lab.settle(&answer).await, ["success"]);
    let deadline = Instant::now() + Duration::from_secs(5);
    while lab.get(&format!("/servers/{id}")).await["server"]["status"] != "off" {
        assert!(Instant::now() < deadline, "the server did not shut down");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn of_two_creates_with_one_name_one_wins() {
    let (_dir, lab) = lab().await;
    let create = || lab.send(Method::POST, "/servers", Some(wish("web", json!({}))));
    let ((a, _), (b, _)) = tokio::join!(create(), create());
    let mut statuses = [a.as_u16(), b.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409]);
    assert_eq!(lab.get("/servers?name=web").await["servers"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn references_may_be_numbers_strings_or_names() {
    let (_dir, lab) = lab().await;
    let image = lab.get("/images?name=debian-13&architecture=x86").await["images"][0]["id"].clone();
    let extra = json!({"server_type": 114, "image": image, "location": "2", "start_after_create": false});
    let server = lab.post("/servers", wish("a", extra)).await["server"].clone();
    assert_eq!(
        (&server["server_type"]["name"], &server["location"]["name"]),
        (&json!("cx23"), &json!("nbg1"))
    );
    let extra = json!({"server_type": "45", "location": 3, "start_after_create": false});
    let server = lab.post("/servers", wish("b", extra)).await["server"].clone();
    assert_eq!(
        (&server["server_type"]["name"], &server["image"]["architecture"]),
        (&json!("cax11"), &json!("arm"))
    );
}

#[tokio::test]
async fn bad_creates_are_refused_and_leave_nothing() {
    let (_dir, lab) = lab().await;
    for (extra, status, code) in [
        (json!({"name": "a_b"}), 422, "invalid_input"),
        (json!({"name": 5}), 422, "invalid_input"),
        (json!({"server_type": "cx99"}), 422, "invalid_input"),
        (json!({"image": "debian-1"}), 422, "invalid_input"),
        (json!({"location": "ash"}), 422, "invalid_input"),
        (json!({"location": "mars"}), 422, "invalid_input"),
        (json!({"labels": {"a b": "c"}}), 422, "invalid_input"),
        (json!({"labels": {"hetzner.cloud/a": "c"}}), 422, "invalid_input"),
        (json!({"user_data": "x".repeat(32 * 1024 + 1)}), 422, "invalid_input"),
        (json!({"ssh_keys": ["nobody"]}), 404, "not_found"),
        (json!({"firewalls": [{"firewall": 9}]}), 404, "not_found"),
        (json!({"networks": [9]}), 404, "not_found"),
        (json!({"public_net": {"enable_ipv4": false, "enable_ipv6": false}}), 422, "invalid_input"),
    ] {
        let refusal = lab.refused(Method::POST, "/servers", Some(wish("web", extra.clone()))).await;
        assert_eq!(refusal, (status, code.to_owned()), "{extra}");
    }
    assert_eq!(lab.get("/servers").await["servers"], json!([]));
    assert_eq!(lab.get("/primary_ips").await["primary_ips"], json!([]));
}

#[tokio::test]
async fn http_is_as_clients_expect_it() {
    let (dir, lab) = lab().await;
    let plain = |path: &str| lab.http.get(format!("{}{path}", lab.base)).header("user-agent", "test/1");
    let response = plain("/servers").send().await.unwrap();
    assert_eq!(response.status(), 401);
    assert_eq!(response.headers()["ratelimit-limit"], "3600");
    let correlation = response.headers()["x-correlation-id"].to_str().unwrap().to_owned();
    let body: Value = response.json().await.unwrap();
    assert_eq!(
        body,
        json!({"error": {"code": "unauthorized", "details": null, "message": "token is required"}})
    );
    assert_eq!(plain("/servers").bearer_auth("wrong").send().await.unwrap().status(), 401);
    assert_eq!(plain("/nope").send().await.unwrap().status(), 404);
    for path in ["/datacenters", "/datacenters/1", "/actions"] {
        assert_eq!(
            lab.refused(Method::GET, path, None).await,
            (410, "deprecated_api_endpoint".into()),
            "{path}"
        );
    }
    assert_eq!(lab.refused(Method::PATCH, "/servers", None).await, (405, "method_not_allowed".into()));
    assert_eq!(lab.refused(Method::GET, "/servers/abc", None).await, (404, "not_found".into()));
    let no_json =
        lab.http.post(format!("{}/servers", lab.base)).bearer_auth(token()).body("{").send().await.unwrap();
    assert_eq!(no_json.status(), 400);

    let key = lab.post("/ssh_keys", json!({"name": "k", "public_key": KEY})).await["ssh_key"]["id"].clone();
    let deleted =
        lab.http.delete(format!("{}/ssh_keys/{key}", lab.base)).bearer_auth(token()).send().await.unwrap();
    assert_eq!(deleted.status(), 204);
    assert!(!deleted.headers().contains_key("content-type"), "{:?}", deleted.headers());

    let log = std::fs::read_to_string(dir.path().join("requests.jsonl")).unwrap();
    let first: Value = serde_json::from_str(log.lines().next().unwrap()).unwrap();
    assert_eq!(
        (&first["method"], &first["path"], &first["status"]),
        (&json!("GET"), &json!("/v1/servers"), &json!(401))
    );
    assert_eq!((&first["correlation_id"], &first["client"]), (&json!(correlation), &json!("test/1")));
    assert!(first["time"].as_str().unwrap().len() == "2026-11-22T18:14:29.713Z".len(), "{first}");
}

#[tokio::test]
async fn lists_are_filtered_ordered_and_paged() {
    let (_dir, lab) = lab().await;
    for (name, env) in [("a", "prod"), ("b", "test"), ("c", "prod")] {
        let extra = json!({"labels": {"env": env}, "start_after_create": false});
        lab.post("/servers", wish(name, extra)).await;
    }
    let names = async |query: &str| {
        let body = lab.get(&format!("/servers?{query}")).await;
        body["servers"]
            .as_array()
            .unwrap()
            .iter()
            .map(|s| s["name"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(names("label_selector=env%3Dprod&sort=name:desc").await, ["c", "a"]);
    assert_eq!(names("label_selector=env+in+(test,dev)").await, ["b"]);
    assert_eq!(names("per_page=2&page=2&unknown=1").await, ["c"]);
    assert_eq!(names("name=b").await, ["b"]);
    assert_eq!(names("status=running").await, Vec::<String>::new());
    assert_eq!(lab.refused(Method::GET, "/servers?label_selector=a%3D%3D%3Db", None).await.0, 422);
    assert_eq!(lab.refused(Method::GET, "/servers?sort=colour", None).await.0, 422);
}

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

#[tokio::test]
async fn a_freed_address_is_not_given_to_the_next() {
    let (_dir, lab) = lab().await;
    let first = lab.server("a", json!({})).await;
    let deletion = lab.send(Method::DELETE, &format!("/servers/{first}"), None).await.1;
    lab.settle(&deletion).await;
    let second = lab.server("a", json!({})).await;
    assert_ne!(first, second);
    assert_eq!(
        lab.get(&format!("/servers/{second}")).await["server"]["public_net"]["ipv4"]["ip"],
        "198.18.5.3"
    );
}

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

#[tokio::test]
async fn firewalls_follow_labels() {
    let (_dir, lab) = lab().await;
    let id = lab.server("web", json!({"labels": {"role": "web"}})).await;
    let place = json!({"type": "label_selector", "label_selector": {"selector": "role=web"}});
    let answer = lab.post("/firewalls", json!({"name": "f", "apply_to": [place]})).await;
    lab.settle(&answer).await;
    let firewall = answer["firewall"]["id"].as_u64().unwrap();
    let on = async || lab.get(&format!("/servers/{id}")).await["server"]["public_net"]["firewalls"].clone();
    assert_eq!(on().await, json!([{"id": firewall, "status": "applied"}]));
    lab.send(Method::PUT, &format!("/servers/{id}"), Some(json!({"labels": {}}))).await;
    assert_eq!(on().await, json!([]));
    let path = format!("/firewalls/{firewall}");
    assert_eq!(lab.refused(Method::DELETE, &path, None).await, (422, "resource_in_use".into()));
    let bad = json!({"rules": [{"direction": "in", "protocol": "tcp", "source_ips": ["0.0.0.0/0"]}]});
    let refused = lab.refused(Method::POST, &format!("{path}/actions/set_rules"), Some(bad)).await;
    assert_eq!(refused, (422, "invalid_input".into()));
    let answer =
        lab.post(&format!("{path}/actions/remove_from_resources"), json!({"remove_from": [place]})).await;
    lab.settle(&answer).await;
    assert_eq!(lab.send(Method::DELETE, &path, None).await.0, 204);
}

#[tokio::test]
async fn primary_ips_outlive_servers_if_they_are_meant_to() {
    let (_dir, lab) = lab().await;
    let wish_ip = json!({"name": "p", "type": "ipv4", "assignee_type": "server", "location": "nbg1"});
    let ip = lab.post("/primary_ips", wish_ip).await["primary_ip"].clone();
    let extra = json!({"location": "nbg1", "public_net": {"ipv4": ip["id"], "enable_ipv6": false}});
    let id = lab.server("web", extra.clone()).await;
    assert_eq!(lab.get(&format!("/servers/{id}")).await["server"]["public_net"]["ipv4"]["ip"], ip["ip"]);
    let refused = lab.refused(Method::POST, "/servers", Some(wish("two", extra))).await;
    assert_eq!(refused, (422, "primary_ip_assigned".into()));
    let unassign = format!("/primary_ips/{}/actions/unassign", ip["id"]);
    assert_eq!(lab.refused(Method::POST, &unassign, None).await, (422, "server_not_stopped".into()));
    let deletion = lab.send(Method::DELETE, &format!("/servers/{id}"), None).await.1;
    lab.settle(&deletion).await;
    let left = lab.get("/primary_ips").await["primary_ips"].clone();
    assert_eq!((left.as_array().unwrap().len(), &left[0]["assignee_id"]), (1, &Value::Null));
    assert_eq!(lab.send(Method::DELETE, &format!("/primary_ips/{}", ip["id"]), None).await.0, 204);
}

#[tokio::test]
async fn a_server_learns_about_itself() {
    let (_dir, lab) = lab().await;
    let key = lab.post("/ssh_keys", json!({"name": "k", "public_key": KEY})).await["ssh_key"]["id"].clone();
    // base64 of "#cloud-config\n"
    let id = lab.server("web", json!({"user_data": "I2Nsb3VkLWNvbmZpZwo=", "ssh_keys": [key]})).await;
    lab.server("bare", json!({})).await;
    let ask = async |from: &str, path: &str| {
        let from: SocketAddr = from.parse().unwrap();
        let base = serve(lab.cloud.metadata_router().layer(MockConnectInfo(from))).await;
        let response = lab.http.get(format!("{base}{path}")).send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    };
    let web = "198.18.5.2:1000";
    assert_eq!(ask(web, "/hetzner/v1/metadata/instance-id").await, (200, id.to_string()));
    assert_eq!(ask("[2001:db8:5:2::1]:9", "/hetzner/v1/metadata/hostname").await, (200, "web".into()));
    assert_eq!(ask(web, "/hetzner/v1/metadata/public-ipv4").await, (200, "198.18.5.2".into()));
    assert_eq!(ask(web, "/hetzner/v1/metadata/private-networks").await, (200, "[]\n".into()));
    assert_eq!(ask(web, "/hetzner/v1/userdata").await, (200, "I2Nsb3VkLWNvbmZpZwo=".into()));
    assert_eq!(ask(web, "/lab/user-data").await, (200, "#cloud-config\n".into()));
    assert_eq!(
        ask(web, "/lab/meta-data").await,
        (200, format!("instance-id: \"{id}\"\nlocal-hostname: web\npublic-keys: [\"{KEY}\"]\n"))
    );
    let (status, all) = ask(web, "/hetzner/v1/metadata").await;
    assert_eq!(status, 200);
    for line in
        ["hostname: web", "region: eu-central", "public-ipv4: 198.18.5.2", "availability-zone: fsn1-dc14"]
    {
        assert!(all.lines().any(|l| l == line), "{line} is not in {all}");
    }
    assert_eq!(ask("198.18.5.3:1", "/hetzner/v1/userdata").await, (204, String::new()));
    assert_eq!(ask("198.18.5.3:1", "/lab/user-data").await, (200, String::new()));
    assert_eq!(ask("198.18.5.9:1", "/hetzner/v1/metadata").await.0, 404);
}

/// One question over UDP.
async fn ask(server: SocketAddr, name: &str, kind: RecordType) -> Message {
    let mut question = Message::query();
    question.metadata.recursion_desired = true;
    question.add_query(Query::query(Name::from_ascii(name).unwrap(), kind));
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.send_to(&question.to_vec().unwrap(), server).await.unwrap();
    let mut buffer = [0; 4096];
    let received = tokio::time::timeout(Duration::from_secs(10), socket.recv(&mut buffer));
    let length = received.await.expect("the name server is silent").unwrap();
    let answer = Message::from_vec(&buffer[..length]).unwrap();
    assert_eq!(answer.metadata.id, question.metadata.id);
    answer
}

fn values(answer: &Message) -> Vec<String> {
    answer.answers.iter().map(|record| record.data.to_string()).collect()
}

/// A resolver that knows one address for everything.
async fn upstream() -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 4096];
        while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
            let question = Message::from_vec(&buffer[..length]).unwrap();
            let mut answer = Message::new(question.metadata.id, MessageType::Response, OpCode::Query);
            let name = question.queries[0].name().clone();
            answer.add_query(question.queries[0].clone());
            let data = RData::try_from_str(RecordType::A, "192.0.2.1").unwrap();
            answer.add_answer(Record::from_rdata(name, 60, data));
            socket.send_to(&answer.to_vec().unwrap(), from).await.unwrap();
        }
    });
    address
}

#[tokio::test]
async fn names_are_answered_from_the_zones_and_others_by_the_host() {
    let (_dir, lab) = lab().await;
    let zone = lab.post("/zones", json!({"name": "example.org", "mode": "primary", "ttl": 300})).await;
    assert_eq!(zone["zone"]["record_count"], 4);
    let wish = json!({"name": "alice", "type": "A", "ttl": 60, "records": [{"value": "198.18.5.2"}]});
    assert_eq!(lab.post("/zones/example.org/rrsets", wish.clone()).await["rrset"]["id"], "alice/A");
    assert_eq!(
        lab.refused(Method::POST, "/zones/example.org/rrsets", Some(wish)).await,
        (409, "uniqueness_error".into())
    );
    let records = json!({"records": [{"value": "\"one\""}]});
    lab.post("/zones/example.org/rrsets/@/TXT/actions/add_records", records.clone()).await;

    let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let server = udp.local_addr().unwrap();
    let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
    // the first resolver is not there: the second one answers
    let nobody = { UdpSocket::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap() };
    let resolvers = Resolvers::new(vec![nobody, upstream().await], false);
    tokio::spawn(dns::serve(lab.cloud.clone(), resolvers, udp, tcp));

    let answer = ask(server, "alice.example.org.", RecordType::A).await;
    assert!(answer.metadata.authoritative);
    assert_eq!((values(&answer), answer.answers[0].ttl), (vec!["198.18.5.2".to_owned()], 60));
    assert_eq!(values(&ask(server, "example.org.", RecordType::TXT).await), ["one"]);
    let no_data = ask(server, "alice.example.org.", RecordType::AAAA).await;
    assert_eq!((no_data.metadata.response_code, no_data.authorities.len()), (ResponseCode::NoError, 1));
    let no_name = ask(server, "bob.example.org.", RecordType::A).await;
    assert_eq!(no_name.metadata.response_code, ResponseCode::NXDomain);
    let other = ask(server, "example.net.", RecordType::A).await;
    assert_eq!((values(&other), other.metadata.authoritative), (vec!["192.0.2.1".to_owned()], false));
    // without IPv6 to the world nobody is sent there
    assert!(ask(server, "example.net.", RecordType::AAAA).await.answers.is_empty());

    lab.post("/zones/example.org/rrsets/@/TXT/actions/remove_records", records).await;
    assert!(ask(server, "example.org.", RecordType::TXT).await.answers.is_empty());
    assert_eq!(lab.send(Method::DELETE, "/zones/example.org", None).await.0, 201);
    assert_eq!(values(&ask(server, "alice.example.org.", RecordType::A).await), ["192.0.2.1"]);
}
