//! A gateway as it is seen from outside: one that was taken over may answer anything, also on its WebSocket.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use clawberth::host::outside::{Check, Finding, Gate};
use clawberth::model::instance::Instance;
use futures_util::{SinkExt as _, StreamExt as _};
use proptest::prelude::*;
use proptest::test_runner::Config;
use rustls::ServerConfig;
use rustls::pki_types::PrivatePkcs8KeyDer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Message, Role};

use super::damage::{config, damaged};

/// Where it is: no scripted host comes there.
const ADDRESS: &str = "127.63.8.1";

const PAGES: [&str; 1] = ["HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nconnection: close\r\n\r\n\
     <html data-openclaw-control-ui-build-id=\"2026.9.6-release-eb377ac\" lang=\"en\"></html>"];
const READY: [&str; 1] = [
    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n{\"ready\":true,\"failing\":[]}",
];
const REFUSALS: [&str; 1] = [
    r#"{"type":"res","id":"stranger","ok":false,"error":{"code":"INVALID_REQUEST","details":{"code":"AUTH_TOKEN_MISSING"}}}"#,
];

/// What is answered next: the page, whether it is ready, and the word to a stranger.
type Answers = Arc<Mutex<[Vec<u8>; 3]>>;

/// Answers one request.
async fn answer(mut stream: TlsStream<tokio::net::TcpStream>, answers: Answers) -> std::io::Result<()> {
    let mut asked = Vec::new();
    while !asked.ends_with(b"\r\n\r\n") {
        asked.push(stream.read_u8().await?);
    }
    let asked = String::from_utf8_lossy(&asked).to_ascii_lowercase();
    let [page, ready, refusal] = answers.lock().unwrap().clone();
    let key = asked.lines().find_map(|line| line.strip_prefix("sec-websocket-key: "));
    if key.is_none() {
        stream.write_all(if asked.starts_with("get /readyz") { &ready } else { &page }).await?;
        return stream.shutdown().await;
    }
    let accept = derive_accept_key(key.unwrap_or_default().as_bytes());
    let upgraded = format!(
        "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: {accept}\r\n\r\n"
    );
    stream.write_all(upgraded.as_bytes()).await?;
    let mut socket = WebSocketStream::from_raw_socket(stream, Role::Server, None).await;
    let said = String::from_utf8_lossy(&refusal).into_owned();
    let talk = async {
        socket.send(Message::text(r#"{"type":"event","event":"connect.challenge"}"#)).await?;
        socket.next().await.transpose()?;
        socket.send(Message::text(said)).await?;
        socket.close(None).await
    };
    // who has heard enough hangs up
    let _ = talk.await;
    Ok(())
}

/// A gateway that answers so, behind a certificate that is its own; the certificate.
async fn serve(answers: Answers) -> String {
    let own = rcgen::generate_simple_self_signed([ADDRESS.to_owned()]).unwrap();
    let key = PrivatePkcs8KeyDer::from(own.signing_key.serialize_der());
    let tls = ServerConfig::builder().with_no_client_auth();
    let tls =
        TlsAcceptor::from(Arc::new(tls.with_single_cert(vec![own.cert.der().clone()], key.into()).unwrap()));
    let listener = TcpListener::bind((ADDRESS, 443)).await.unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (tls, answers) = (tls.clone(), Arc::clone(&answers));
            tokio::spawn(async move {
                if let Ok(stream) = tls.accept(stream).await {
                    let _ = answer(stream, answers).await;
                }
            });
        }
    });
    own.cert.pem()
}

fn alice() -> Instance {
    let integrity = format!("sha512-{}==", "A".repeat(86));
    let server =
        serde_json::json!({ "id": 7, "ipv4": ADDRESS, "ipv6": null, "location": "fsn1", "host_key": "" });
    let alice = serde_json::json!({
        "name": "alice", "created": "2026-11-22T00:00:00Z", "stage": { "stage": "serving", "server": server },
        "spec": {
            "server_type": "cx23", "locations": ["fsn1"], "image": "debian-13", "domain": null,
            "release": { "openclaw": "2026.9.6", "engines": ">=24", "integrity": integrity, "node": "24.21.0" },
        },
    });
    serde_json::from_value(alice).unwrap()
}

/// What was seen of a check, where it held.
fn held(findings: &[Finding], wanted: Check) -> Option<&str> {
    let (_, found) = findings.iter().find(|(check, _)| *check == wanted)?;
    found.as_ref().ok().map(String::as_str)
}

/// Whatever is answered, the look ends, and only the gateway's own words hold.
#[test]
fn answers_of_a_gateway() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _ = rustls::crypto::ring::default_provider().install_default();
    let answers = Answers::default();
    let root = runtime.block_on(serve(Arc::clone(&answers)));
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("root.pem"), root).unwrap();
    let gate = Gate::of(&alice(), Some(&folder.path().join("root.pem"))).unwrap().unwrap();
    *answers.lock().unwrap() = [PAGES[0].into(), READY[0].into(), REFUSALS[0].into()];
    for (check, found) in runtime.block_on(gate.check_once()) {
        assert!(found.is_ok(), "the sample is no good: {check}: {found:?}");
    }
    // each look is some handshakes
    let config = Config { cases: config().cases / 4, ..config() };
    proptest!(config, |(page in damaged(&PAGES), ready in damaged(&READY), refusal in damaged(&REFUSALS))| {
        *answers.lock().unwrap() = [page.clone(), ready, refusal];
        let look = async { tokio::time::timeout(Duration::from_secs(30), gate.check_once()).await };
        let findings = runtime.block_on(look).expect("a look does not end");
        prop_assert_eq!(findings.len(), 5);
        if let Some(build) = held(&findings, Check::Version) {
            prop_assert!(build.starts_with("2026.9.6") && String::from_utf8_lossy(&page).contains(build));
        }
        if let Some(said) = held(&findings, Check::Ready) {
            let said: serde_json::Value = serde_json::from_str(said).unwrap();
            prop_assert_eq!(&said["ready"], &serde_json::Value::Bool(true));
        }
        if let Some(code) = held(&findings, Check::Stranger) {
            prop_assert!(!code.is_empty() && code.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_'));
        }
    });
}
