//! Port 443 of a scripted host: the gateway as a stranger sees it, behind its certificate.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use axum::body::Body;
use axum::http::{HeaderValue, Method, Request, Response, StatusCode, header};
use futures_util::{SinkExt as _, StreamExt as _};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Message, Role};

use super::clock;
use super::host::Host;
use super::script::VERSION;
use super::state::State;

/// Longest wait for the end of a TLS handshake, and for what a WebSocket's client says first.
const SLOW: Duration = Duration::from_secs(10);

/// Serves one connection to its end.
pub(super) async fn answer(host: Arc<Host>, config: Arc<ServerConfig>, stream: TcpStream) -> Result<()> {
    let stream =
        timeout(SLOW, TlsAcceptor::from(config).accept(stream)).await.context("no TLS handshake")??;
    let own = host.look(State::host);
    let asked = stream.get_ref().1.server_name().map(str::to_owned);
    ensure!(asked.as_ref().is_none_or(|name| *name == own), "there is no {asked:?} here, but {own}");
    let service = service_fn(|request: Request<hyper::body::Incoming>| {
        // as Caddy ends a connection that asks for another name
        let is_own = is_for(&own, request.headers().get(header::HOST));
        let response = is_own.then(|| with_hsts(&own, respond(&host, request.map(Body::new))));
        async { response.ok_or(std::io::Error::other("it is for somebody else")) }
    });
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    Ok(connection.with_upgrades().await?)
}

/// As Caddy tells browsers to come over HTTPS only, where there is a name.
fn with_hsts(own: &str, mut response: Response<Body>) -> Response<Body> {
    if own.parse::<std::net::IpAddr>().is_err() {
        let year = HeaderValue::from_static("max-age=31536000");
        response.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, year);
    }
    response
}

/// Whether a `Host` is this one, with or without the port.
fn is_for(own: &str, host: Option<&HeaderValue>) -> bool {
    let host = host.and_then(|host| host.to_str().ok()).unwrap_or_default();
    host.strip_suffix(":443").unwrap_or(host) == own
}

fn respond(host: &Host, request: Request<Body>) -> Response<Body> {
    if is_long(&request) {
        return plain(StatusCode::PAYLOAD_TOO_LARGE);
    }
    if !host.is_ready() {
        return match request.uri().path() {
            "/readyz" | "/ready" => json_answer(StatusCode::SERVICE_UNAVAILABLE, &json!({ "ready": false })),
            _ => plain(StatusCode::BAD_GATEWAY),
        };
    }
    match request.uri().path() {
        "/readyz" | "/ready" => json_answer(StatusCode::OK, &json!({ "ready": true })),
        "/healthz" | "/health" => json_answer(StatusCode::OK, &json!({ "ok": true, "status": "live" })),
        "/startupz" | "/startup" => json_answer(StatusCode::OK, &json!({ "ok": true, "status": "started" })),
        "/control-ui-config.json" | "/__openclaw/control-ui-config.json" => plain(StatusCode::UNAUTHORIZED),
        path if closed(path) => plain(StatusCode::NOT_FOUND),
        _ if request.method() != Method::GET && request.method() != Method::HEAD => {
            plain(StatusCode::METHOD_NOT_ALLOWED)
        }
        "/" if is_upgrade(&request) => web_socket(request),
        // any other path is the page, too
        _ => page(&host.look(|state| state.value(VERSION).to_owned())),
    }
}

/// Whether Caddy would refuse it by its length, in bytes.
fn is_long(request: &Request<Body>) -> bool {
    let length = request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    length.and_then(|length| length.parse::<u64>().ok()).is_some_and(|length| length > 32 << 20)
}

/// What is not for the world, at Caddy or at the gateway.
fn closed(path: &str) -> bool {
    ["/tools/invoke", "/v1", "/api"]
        .into_iter()
        .any(|closed| path.strip_prefix(closed).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
}

fn page(version: &str) -> Response<Body> {
    let html = format!(
        "<!doctype html>\n<html data-openclaw-control-ui-build-id=\"{version}-release-scripted\" lang=\"en\">\
         <title>OpenClaw</title></html>\n"
    );
    let mut response = Response::new(Body::from(html));
    let html = HeaderValue::from_static("text/html; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, html);
    response
}

fn json_answer(status: StatusCode, body: &Value) -> Response<Body> {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn plain(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

fn is_upgrade(request: &Request<Body>) -> bool {
    let upgrade = request.headers().get(header::UPGRADE);
    upgrade.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

fn web_socket(mut request: Request<Body>) -> Response<Body> {
    let key = request.headers().get(header::SEC_WEBSOCKET_KEY);
    let accept = key.and_then(|key| HeaderValue::from_str(&derive_accept_key(key.as_bytes())).ok());
    let Some(accept) = accept else {
        return plain(StatusCode::BAD_REQUEST);
    };
    tokio::spawn(refuse(hyper::upgrade::on(&mut request)));
    let mut response = plain(StatusCode::SWITCHING_PROTOCOLS);
    response.headers_mut().extend([
        (header::CONNECTION, HeaderValue::from_static("Upgrade")),
        (header::UPGRADE, HeaderValue::from_static("websocket")),
        (header::SEC_WEBSOCKET_ACCEPT, accept),
    ]);
    response
}

/// Speaks with a WebSocket's client, all of whom are strangers here.
async fn refuse(upgrade: OnUpgrade) {
    if let Ok(Ok(upgraded)) = timeout(SLOW, upgrade).await {
        // who is silent, or goes away, is as good as refused
        let _ = timeout(SLOW, conversation(upgraded)).await;
    }
}

/// The challenge, a request to connect, and the gateway's words of refusal.
async fn conversation(upgraded: Upgraded) -> Result<()> {
    let mut socket = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, None).await;
    let payload = json!({ "nonce": rand::random::<u64>().to_string(), "ts": clock::now() });
    let challenge = json!({ "type": "event", "event": "connect.challenge", "payload": payload });
    socket.send(Message::text(challenge.to_string())).await?;
    while let Some(message) = socket.next().await {
        let Message::Text(text) = message? else { continue };
        let request: Value = serde_json::from_str(&text)?;
        let refusal = json!({
            "type": "res",
            "id": request.get("id"),
            "ok": false,
            "error": {
                "code": "NOT_PAIRED",
                "message": "device identity required",
                "details": { "code": "DEVICE_IDENTITY_REQUIRED" }
            }
        });
        socket.send(Message::text(refusal.to_string())).await?;
        let close = CloseFrame { code: CloseCode::Policy, reason: "device identity required".into() };
        socket.close(Some(close)).await?;
        break;
    }
    Ok(())
}
