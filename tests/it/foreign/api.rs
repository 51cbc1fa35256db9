//! Hetzner's API.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use clawberth::hcloud::{Client, Error, RecordType, WaitError};
use clawberth::secret::Secret;
use proptest::prelude::*;

use super::damage::{config, damaged};

/// What every list and thing of the API looks like, in one answer: each request takes its own part.
const SAMPLES: [&str; 2] = [
    r#"{"servers":[SERVER],"server":SERVER,
"firewalls":[{"id":9,"name":"cb","labels":{"fleet":"f"},"applied_to":[{"type":"server","server":{"id":42}}],
"rules":[{"direction":"in","protocol":"tcp","port":"443","source_ips":["0.0.0.0/0","::/0"],"destination_ips":[],"description":null}]}],
"action":ACTION,"actions":[ACTION],
"ssh_keys":[{"id":3,"name":"cb","fingerprint":"b7:2f:30:a0:2f:6c:58:6c:21:04:58:61:ba:06:3b:2f","public_key":"ssh-ed25519 AAAA","labels":{},"created":"2026-01-01T00:00:00Z"}],
"locations":[{"id":1,"name":"fsn1","country":"DE","city":"Falkenstein","network_zone":"eu-central"}],
"images":[{"id":7,"name":"debian-13","type":"system","status":"available","architecture":"x86","description":"Debian 13","labels":{},"deprecated":null}],
"server_types":[{"id":1,"name":"cx23","cores":2,"memory":4.0,"disk":40,"architecture":"x86","deprecated":false,
"locations":[{"id":1,"name":"fsn1","deprecation":null,"available":true,"recommended":true}],"prices":[]}],
"pricing":{"currency":"EUR","vat_rate":"19.000000","primary_ips":[],"server_types":[{"id":1,"name":"cx23","prices":[{"location":"fsn1","price_monthly":{"net":"2.99","gross":"3.56"},"price_hourly":{"net":"0.0048","gross":"0.0057"}}]}]},
"primary_ips":[{"id":5,"name":"p","ip":"192.0.2.1","type":"ipv4","assignee_id":42,"labels":{}}],
"zones":[{"id":8,"name":"example.org","ttl":3600,"labels":{},"mode":"primary","status":"ok"}],"zone":{"id":8,"name":"example.org","ttl":3600,"labels":{}},
"rrset":{"id":"a/A","name":"a","type":"A","ttl":60,"labels":{},"records":[{"value":"192.0.2.1","comment":"c"}]},
"rrsets":[{"id":"a/A","name":"a","type":"A","ttl":60,"labels":{},"records":[{"value":"192.0.2.1","comment":"c"}]}],
"meta":{"pagination":{"page":1,"per_page":50,"previous_page":null,"next_page":null,"last_page":1,"total_entries":1}}}"#,
    r#"{"error":{"code":"invalid_input","message":"invalid input in field 'name'","details":{"fields":[{"name":"name","messages":["is too long"]}]}}}"#,
];

const SERVER: &str = r#"{"id":42,"name":"cb-a","status":"running","created":"2026-01-01T00:00:00+00:00","labels":{"instance":"a"},
"public_net":{"ipv4":{"id":5,"ip":"192.0.2.1","blocked":false},"ipv6":{"id":6,"ip":"2001:db8::/64"},"firewalls":[{"id":9,"status":"applied"}]},
"server_type":{"id":1,"name":"cx23"},"location":{"id":1,"name":"fsn1"},"image":{"id":7,"name":"debian-13"}}"#;

const ACTION: &str = r#"{"id":1,"command":"change_protection","status":"success","progress":100,"started":"2026-01-01T00:00:00+00:00",
"finished":"2026-01-01T00:00:01+00:00","resources":[{"id":42,"type":"server"}],"error":null}"#;

/// A sample with what it repeats.
fn filled(text: &str) -> Vec<u8> {
    text.replace("SERVER", SERVER).replace("ACTION", ACTION).into_bytes()
}

/// What is answered next.
type Answer = Arc<Mutex<(u16, Vec<u8>)>>;

/// A server that answers everything with this.
async fn serve(answer: Answer) -> String {
    let router = Router::new().fallback(async move || {
        let (status, body) = answer.lock().unwrap().clone();
        (StatusCode::from_u16(status).unwrap(), [("x-correlation-id", "c")], body)
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

/// How each request ended: those that read, and those that are the same twice as once.
async fn ask(client: &Client) -> Vec<Result<(), Error>> {
    vec![
        client.servers("fleet=f").await.map(drop),
        client.server(42).await.map(drop),
        client.server_by_name("cb-a").await.map(drop),
        client.firewalls("fleet=f").await.map(drop),
        client.all_ssh_keys().await.map(drop),
        client.locations().await.map(drop),
        client.system_images().await.map(drop),
        client.server_types().await.map(drop),
        client.pricing().await.map(drop),
        client.primary_ips("fleet=f").await.map(drop),
        client.zone("example.org").await.map(drop),
        client.zones().await.map(drop),
        client.rrsets("example.org").await.map(drop),
        client.rrset("example.org", "a", RecordType::A).await.map(drop),
        client.snapshots("fleet=f").await.map(drop),
        client.set_server_labels(42, &[].into()).await,
        client.protect_server(42, true).await.map(drop),
        client.set_firewall_rules(9, &[]).await.map(drop),
        client.apply_firewall(9, 42).await.map(drop),
        client.delete_server(42).await.map(drop),
        begun(client).await,
    ]
}

/// An action to its end, as far as one look shows it.
async fn begun(client: &Client) -> Result<(), Error> {
    let action = client.power_on(42).await?;
    match client.wait_for(vec![action], Duration::ZERO).await {
        Err(WaitError::Asking(error)) => Err(error),
        Err(WaitError::Failed { .. } | WaitError::TooLong { .. }) | Ok(()) => Ok(()),
    }
}

/// An answer is what was promised, or an error that says of which request.
#[test]
fn answers_of_the_api() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _ = rustls::crypto::ring::default_provider().install_default();
    let answer = Answer::default();
    let url = runtime.block_on(serve(Arc::clone(&answer)));
    // a new one for each case: all of them together ask more than a project may within an hour
    let http = reqwest::Client::new();
    let client = || Client::new(http.clone(), &format!("{url}/v1"), Secret::new("t".to_owned()));
    *answer.lock().unwrap() = (200, filled(SAMPLES[0]));
    for (number, ended) in runtime.block_on(ask(&client())).into_iter().enumerate() {
        assert!(ended.is_ok(), "the sample is no good for request {number}: {ended:?}");
    }
    proptest!(config(), |(body in damaged(&SAMPLES), status in proptest::sample::select(&[200_u16, 201, 403, 404, 422][..]))| {
        let body = filled(&String::from_utf8_lossy(&body));
        *answer.lock().unwrap() = (status, body);
        let limit = Duration::from_secs(10);
        let ended = runtime.block_on(async { tokio::time::timeout(limit, ask(&client())).await });
        for error in ended.expect("a request does not end").into_iter().filter_map(Result::err) {
            prop_assert!(!error.to_string().is_empty());
        }
    });
}
