//! The gate: what a stranger on the Internet sees of a server that is ready.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use futures_util::{SinkExt as _, StreamExt as _};
use jiff::Timestamp;
use reqwest::StatusCode;
use reqwest::header;
use reqwest::tls::TlsInfo;
use serde_json::{Value, json};
use tokio::io::ErrorKind;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::protocol::{Message, Role, WebSocketConfig};

use super::certificate::{Certificate, RENEWED};
use crate::model::endpoint::Endpoint;
use crate::model::instance::Instance;
use crate::model::name::InstanceName;
use crate::model::policy::Policy;
use crate::model::release::OpenClawVersion;

/// How long a single request or connection may take.
const ANSWER: Duration = Duration::from_secs(10);
/// Silence for this long on a port is the firewall's answer: what is asked is asked again after one second (RFC 6298), and nobody is
/// farther away than another one.
const CLOSED: Duration = Duration::from_secs(2);
/// The most that `/readyz` may say, in bytes; it says some hundred.
const ANSWER_BYTES: usize = 64 << 10;
/// The most that a page may have, in bytes, or a message of its WebSocket; the gateway's page has some ten thousand.
const PAGE_BYTES: usize = 4 << 20;
/// Where the gateway listens on loopback, and nowhere else.
const GATEWAY_PORT: u16 = 18789;

/// One of the things that must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Check {
    /// The certificate is for the endpoint and leads to a trusted root.
    Certificate,
    /// `/readyz` says so; its status alone proves nothing, because unknown paths answer 200 too.
    Ready,
    /// The page is of the expected release, or kept from us where a policy limits who sees it.
    Version,
    /// A WebSocket without credentials is refused, in the gateway's own words or by such a limit.
    Stranger,
    /// The gateway's own port does not answer.
    Port,
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Certificate => "certificate",
            Self::Ready => "readiness",
            Self::Version => "version",
            Self::Stranger => "refusal of strangers",
            Self::Port => "gateway port",
        })
    }
}

/// A check's result: what was seen, or why it does not hold.
pub type Finding = (Check, Result<String>);

/// Looks at one server.
#[derive(Clone, Debug)]
pub struct Gate {
    http: reqwest::Client,
    origin: String,
    has_name: bool,
    address: Ipv4Addr,
    version: OpenClawVersion,
    /// Whether a policy limits to whom the page opens.
    limited: bool,
}

impl Gate {
    /// The gate of an instance, once it has a server; `roots` is a PEM file.
    ///
    /// # Errors
    /// A file that cannot be read, or that holds no PEM certificates.
    pub fn of(instance: &Instance, roots: Option<&Path>) -> Result<Option<Self>> {
        Ok(Self::of_all([instance], roots)?.remove(&instance.name))
    }

    /// The gates of the instances that have a server. They go to the servers' addresses, whatever DNS says, and trust the
    /// certificates in the PEM file `roots` only, or the system's store, which is read once for all of them.
    ///
    /// # Errors
    /// As [`Gate::of`].
    pub fn of_all<'a>(
        instances: impl IntoIterator<Item = &'a Instance>,
        roots: Option<&Path>,
    ) -> Result<BTreeMap<InstanceName, Self>> {
        let with_server =
            |instance: &'a Instance| Some((instance, instance.endpoint()?, instance.stage.server()?.ipv4));
        let there: Vec<_> = instances.into_iter().filter_map(with_server).collect();
        let names = there.iter().filter_map(|(_, endpoint, address)| match endpoint {
            Endpoint::Domain(name) => Some((name.as_str(), *address)),
            Endpoint::Address(_) => None,
        });
        let http = client(names, roots)?;
        let gate = |(instance, endpoint, address): (&Instance, Endpoint, Ipv4Addr)| {
            let version = instance.spec.release.openclaw;
            let has_name = matches!(endpoint, Endpoint::Domain(_));
            let limited = instance.spec.enacted.as_ref().is_some_and(|it| it.policy.dashboard.is_limited());
            let gate =
                Self { http: http.clone(), origin: endpoint.origin(), has_name, address, version, limited };
            (instance.name.clone(), gate)
        };
        Ok(there.into_iter().map(gate).collect())
    }

    /// The same for another release.
    pub fn expecting(self, version: OpenClawVersion) -> Self {
        Self { version, ..self }
    }

    /// The same under another policy.
    pub fn governed_by(self, policy: &Policy) -> Self {
        Self { limited: policy.dashboard.is_limited(), ..self }
    }

    /// The client that goes to the server's address, whatever DNS says.
    pub(super) fn http(&self) -> &reqwest::Client {
        &self.http
    }

    /// `https://HOST`.
    pub(super) fn origin(&self) -> &str {
        &self.origin
    }

    /// The name or address that it is reached by.
    pub(super) fn host(&self) -> &str {
        self.origin.strip_prefix("https://").unwrap_or(&self.origin)
    }

    /// Whether it is reached by a name, and not by its address.
    pub(super) fn has_name(&self) -> bool {
        self.has_name
    }

    /// The server's address.
    pub(super) fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// Makes every check once. What is asked over HTTP is asked one after the other, over the same connection where the
    /// server keeps it: the TLS handshake costs more than all answers.
    pub async fn check_once(&self) -> Vec<Finding> {
        let over_http = async {
            let (certificate, version) = self.page().await;
            let ready = self.ready().await;
            [
                (Check::Certificate, certificate),
                (Check::Ready, ready),
                (Check::Version, version),
                (Check::Stranger, self.stranger().await),
            ]
        };
        let (over_http, port) = tokio::join!(over_http, self.port());
        over_http.into_iter().chain([(Check::Port, port)]).collect()
    }

    /// The certificate that the page came with, and the page's version.
    async fn page(&self) -> (Result<String>, Result<String>) {
        match self.http.get(&self.origin).send().await {
            Ok(response) => (self.certificate(&response), self.version(response).await),
            Err(error) => {
                let error = anyhow::Error::from(error);
                let no_page = anyhow!("{error:#}");
                (Err(error), Err(no_page))
            }
        }
    }

    fn certificate(&self, response: &reqwest::Response) -> Result<String> {
        let shown = shown(response)?;
        ensure!(
            shown.ends.duration_since(Timestamp::now()) > RENEWED,
            "the certificate ends at {}",
            shown.ends
        );
        Ok(format!("{} is certified", self.origin))
    }

    /// The certificate that is shown to whoever asks for this host.
    ///
    /// # Errors
    /// Nobody answers, or with one that leads to no trusted root, or is not for this host.
    pub async fn shown(&self) -> Result<Certificate> {
        shown(&self.http.get(&self.origin).send().await?)
    }

    /// Whether `/readyz` says so.
    ///
    /// # Errors
    /// What it says else, or that it does not answer.
    pub async fn ready(&self) -> Result<String> {
        let response = self.http.get(format!("{}/readyz", self.origin)).send().await?;
        ensure!(response.status() == 200, "/readyz answers {}", response.status());
        let answer: Value =
            serde_json::from_slice(&body(response, ANSWER_BYTES).await?).context("/readyz gives no JSON")?;
        ensure!(answer.get("ready") == Some(&Value::Bool(true)), "/readyz says {answer}");
        Ok(answer.to_string())
    }

    async fn version(&self, response: reqwest::Response) -> Result<String> {
        if let Some(kept) = self.kept(response.status()) {
            return Ok(kept);
        }
        ensure!(response.status() == 200, "/ answers {}", response.status());
        let page = body(response, PAGE_BYTES).await?;
        let page = String::from_utf8_lossy(&page);
        let build = build_id(&page).context("the page names no build")?;
        ensure!(is_build_of(build, self.version), "the page is of build {build}, not of {}", self.version);
        Ok(build.to_owned())
    }

    /// Whether a policy limits to whom the page opens.
    pub(super) fn is_limited(&self) -> bool {
        self.limited
    }

    /// What shows that we are not let in, where not everybody is.
    pub(super) fn kept(&self, status: StatusCode) -> Option<String> {
        let kept = self.limited && [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&status);
        kept.then(|| format!("kept from this computer: {status}"))
    }

    async fn stranger(&self) -> Result<String> {
        let refusal = async {
            let response = self.upgrade().await?;
            match self.kept(response.status()) {
                Some(kept) => Ok(kept),
                None => refusal(web_socket(response).await?, self.version).await,
            }
        };
        tokio::time::timeout(ANSWER, refusal).await.context("the WebSocket gives no answer to a stranger")?
    }

    /// The answer to who asks for a WebSocket.
    pub(super) async fn upgrade(&self) -> Result<reqwest::Response> {
        let request = self.http.get(&self.origin).headers(
            [
                (header::CONNECTION, "Upgrade".parse()?),
                (header::UPGRADE, "websocket".parse()?),
                (header::SEC_WEBSOCKET_VERSION, "13".parse()?),
                (header::SEC_WEBSOCKET_KEY, generate_key().parse()?),
                (header::ORIGIN, self.origin.parse()?),
            ]
            .into_iter()
            .collect(),
        );
        Ok(request.send().await?)
    }

    async fn port(&self) -> Result<String> {
        match tokio::time::timeout(CLOSED, TcpStream::connect((self.address, GATEWAY_PORT))).await {
            Err(_) => Ok(format!("{GATEWAY_PORT} is silent")),
            Ok(Err(error)) if error.kind() == ErrorKind::ConnectionRefused => {
                Ok(format!("{GATEWAY_PORT} is closed"))
            }
            Ok(Err(error)) => Err(error).context("port 18789 could not be tried"),
            Ok(Ok(_)) => bail!("port {GATEWAY_PORT} is open to the world"),
        }
    }
}

async fn web_socket(response: reqwest::Response) -> Result<WebSocketStream<reqwest::Upgraded>> {
    ensure!(response.status() == 101, "the WebSocket answers {}", response.status());
    let limits =
        WebSocketConfig::default().max_message_size(Some(PAGE_BYTES)).max_frame_size(Some(PAGE_BYTES));
    Ok(WebSocketStream::from_raw_socket(response.upgrade().await?, Role::Client, Some(limits)).await)
}

/// The certificate that an answer came with: any came through a verified connection, as the client knows no other.
fn shown(response: &reqwest::Response) -> Result<Certificate> {
    let shown = response.extensions().get::<TlsInfo>().and_then(TlsInfo::peer_certificate);
    Certificate::parse(shown.context("no certificate was shown")?)
}

/// The one HTTP client of many gates, with the addresses of those that have names.
fn client<'a>(
    names: impl Iterator<Item = (&'a str, Ipv4Addr)>,
    roots: Option<&Path>,
) -> Result<reqwest::Client> {
    let http = reqwest::Client::builder()
        .no_proxy()
        .http1_only()
        .redirect(reqwest::redirect::Policy::none())
        .tls_info(true)
        .timeout(ANSWER);
    let mut http = names.fold(http, |http, (name, at)| http.resolve(name, SocketAddr::from((at, 0))));
    if let Some(path) = roots {
        let pem = std::fs::read(path);
        let pem = pem.with_context(|| format!("cannot read the ACME roots {}", path.display()))?;
        let roots = reqwest::Certificate::from_pem_bundle(&pem).context("the ACME roots")?;
        ensure!(!roots.is_empty(), "the ACME roots have no certificate");
        http = http.tls_certs_only(roots);
    }
    Ok(http.build()?)
}

/// Asks to be let in without credentials, and returns the gateway's words of refusal. That the connection broke is
/// not a refusal.
async fn refusal(mut socket: WebSocketStream<reqwest::Upgraded>, version: OpenClawVersion) -> Result<String> {
    while let Some(message) = socket.next().await {
        match message? {
            Message::Text(text) => {
                let frame: Value =
                    serde_json::from_str(&text).context("the WebSocket does not speak JSON")?;
                if frame.get("event").and_then(Value::as_str) == Some("connect.challenge") {
                    socket.send(Message::text(connect(version).to_string())).await?;
                } else if frame.get("id").and_then(Value::as_str) == Some("stranger") {
                    return refused(&frame);
                }
            }
            Message::Close(close) => bail!("the WebSocket was closed without a word of refusal: {close:?}"),
            Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
        }
    }
    bail!("the WebSocket ended without a refusal")
}

/// What the gateway says to somebody without credentials. Its other errors (a malformed request, a protocol that it
/// no longer speaks, too many attempts) prove nothing.
const REFUSALS: [&str; 5] = [
    "AUTH_REQUIRED",
    "AUTH_TOKEN_MISSING",
    "AUTH_UNAUTHORIZED",
    "DEVICE_IDENTITY_REQUIRED",
    "PAIRING_REQUIRED",
];

/// The code in the gateway's answer to the request that had no credentials.
fn refused(frame: &Value) -> Result<String> {
    ensure!(frame.get("ok") != Some(&Value::Bool(true)), "a stranger was let in over the WebSocket");
    let codes = [frame.pointer("/error/details/code"), frame.pointer("/error/code")];
    let code = codes.into_iter().flatten().find_map(Value::as_str);
    let code = code.context("the WebSocket's answer to a stranger has no code")?;
    ensure!(REFUSALS.contains(&code), "the WebSocket's answer to a stranger is no refusal: {code}");
    Ok(code.to_owned())
}

/// A `connect` request without credentials, as one of OpenClaw's own clients would send it.
fn connect(version: OpenClawVersion) -> Value {
    json!({
        "type": "req",
        "id": "stranger",
        "method": "connect",
        "params": {
            "minProtocol": 3,
            "maxProtocol": 4,
            "client": {
                "id": "gateway-client",
                "version": version,
                "platform": "linux",
                "mode": "backend"
            },
            "role": "operator",
            "scopes": ["operator.admin"],
            "caps": [],
            "auth": {},
            "locale": "en",
            "userAgent": "clawberth"
        }
    })
}

/// A body, unpacked: one server that was taken over must not fill the memory of whoever looks at hundreds.
async fn body(mut response: reqwest::Response, most: usize) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        body.extend_from_slice(&chunk);
        ensure!(body.len() <= most, "the answer has more than {most} bytes");
    }
    Ok(body)
}

/// `2026.9.6-release-eb377ac…` in the page's `data-openclaw-control-ui-build-id`.
fn build_id(page: &str) -> Option<&str> {
    let (_, rest) = page.split_once("data-openclaw-control-ui-build-id=\"")?;
    rest.split_once('"').map(|(build, _)| build)
}

fn is_build_of(build: &str, version: OpenClawVersion) -> bool {
    let rest = build.strip_prefix(&version.to_string());
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("-release-"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    use super::{body, build_id, is_build_of, refused};

    #[test]
    fn the_page_s_build_names_exactly_one_release() {
        let page = r#"<html data-openclaw-terminal-enabled="false" data-openclaw-control-ui-build-id="2026.9.6-release-eb377ac" lang="en">"#;
        let build = build_id(page).unwrap();
        assert!(is_build_of(build, "2026.9.6".parse().unwrap()));
        for other in ["2026.9.5", "2026.9.60", "2026.9.6-1"] {
            assert!(!is_build_of(build, other.parse().unwrap()), "{other}");
        }
        assert!(!is_build_of("2026.9.6-1-release-eb377ac", "2026.9.6".parse().unwrap()));
        assert_eq!(build_id("<html>"), None);
    }

    #[test]
    fn only_the_gateway_s_no_is_a_refusal() {
        let no = json!({"type": "res", "ok": false, "error": {"code": "INVALID_REQUEST", "details": {"code": "AUTH_TOKEN_MISSING"}}});
        assert_eq!(refused(&no).unwrap(), "AUTH_TOKEN_MISSING");
        assert!(refused(&json!({"ok": true, "payload": {}})).is_err());
        assert!(refused(&json!({"ok": false})).is_err());
        for code in ["INVALID_REQUEST", "PROTOCOL_MISMATCH", "AUTH_RATE_LIMITED"] {
            assert!(refused(&json!({"ok": false, "error": {"code": code}})).is_err(), "{code}");
        }
    }

    #[tokio::test]
    async fn an_answer_without_an_end_is_left_unread() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        // joined by waiting, not by blocking: the runtime has to live to hang up
        let server = tokio::task::spawn_blocking(move || {
            let mut stream = listener.accept().unwrap().0;
            let _ = stream.read(&mut [0; 1024]).unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
            let mut sent = 0_usize;
            // until the reader has had enough; a megabyte is what the kernel may still take
            while sent < 64 << 20 && stream.write_all(&[b'x'; 4096]).is_ok() {
                sent += 4096;
            }
            sent
        });
        let _ = rustls::crypto::ring::default_provider().install_default();
        let response = reqwest::get(&url).await.unwrap();
        let error = body(response, 10_000).await.unwrap_err();
        assert_eq!(error.to_string(), "the answer has more than 10000 bytes");
        assert!(server.await.unwrap() < 64 << 20);
    }
}
