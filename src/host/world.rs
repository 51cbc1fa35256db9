//! What a stranger finds at an instance, beyond what it takes to be ready.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context as Waker, Poll};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use hyper::body::{Body, Bytes, Frame};
use jiff::Timestamp;
use reqwest::header::{CONTENT_LENGTH, HOST, HeaderMap, STRICT_TRANSPORT_SECURITY};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::outside::{Check, Gate};
use super::scan::{self, Scanner};
use crate::model::audit::{Finding, Promise, Verdict};
use crate::model::authority::Authority;
use crate::model::instance::Server;

/// Longest wait for one answer.
const ANSWER: Duration = Duration::from_secs(10);
/// A name that nobody has, see RFC 6761.
const FOREIGN: &str = "clawberth-audit.invalid";
/// The least that browsers have to keep to HTTPS, in seconds: what common checks ask for; a year is what is set.
const HALF_A_YEAR: u64 = 182 * 24 * 3600;
/// The most that one request may bring, in bytes, as the Caddyfile has it. Of the gateway's interfaces a webhook takes the
/// most (`GMAIL_HOOK_MAX_BODY_BYTES_CEILING` in OpenClaw 2026.9.6).
const LONGEST: u64 = 32 << 20;
/// What the world may reach: 22 is seen by whoever asks from an admin network.
const OPEN: [u16; 2] = [22, 443];

/// Looks at an instance from here. Who is `let_in` may be among those to whom a policy limits the dashboard.
pub async fn look(
    gate: &Gate,
    server: &Server,
    authority: Authority,
    scanner: &Scanner,
    let_in: bool,
) -> Vec<Finding> {
    let address = IpAddr::V4(server.ipv4);
    let by_name = async {
        let mut findings = of_gate(gate.check_once().await);
        findings.push((Promise::Certificate, certificate(gate, authority).await));
        findings.push((Promise::Tools, verdict(closed(gate).await)));
        findings.push((Promise::Dashboard, verdict(dashboard(gate, let_in).await)));
        findings.push((Promise::BodySize, verdict(long(gate).await)));
        findings.push((Promise::Hsts, verdict(hsts(gate).await)));
        findings.push((Promise::Names, verdict(foreign(gate).await)));
        findings.push((Promise::Tls, verdict(old_tls(SocketAddr::new(address, 443)).await)));
        findings
    };
    let (mut findings, tcp4, tcp6, udp) =
        tokio::join!(by_name, scanner.tcp(address), tcp6(server, scanner), scan::udp(address));
    findings.push((Promise::Tcp4, open(tcp4, scanner)));
    findings.push((Promise::Tcp6, tcp6));
    findings.push((Promise::Udp, silent(&udp)));
    findings
}

fn silent(udp: &BTreeSet<u16>) -> Verdict {
    match udp.is_empty() {
        true => Verdict::Holds("nobody answers".to_owned()),
        false => Verdict::Fails(format!("{} answer", listed(udp))),
    }
}

/// The checks of the gate, as promises.
fn of_gate(checks: Vec<super::outside::Finding>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut serving = Vec::new();
    for (check, found) in checks {
        match check {
            // it is looked at more closely
            Check::Certificate => {}
            Check::Stranger => findings.push((Promise::Strangers, verdict(found))),
            Check::Ready | Check::Version | Check::Port => {
                serving.extend(found.err().map(|why| format!("{check}: {why:#}")))
            }
        }
    }
    let is = if serving.is_empty() {
        Verdict::Holds("ready".to_owned())
    } else {
        Verdict::Fails(serving.join("; "))
    };
    findings.push((Promise::Serving, is));
    findings
}

fn verdict(found: Result<String>) -> Verdict {
    found.map_or_else(|why| Verdict::Fails(format!("{why:#}")), Verdict::Holds)
}

async fn certificate(gate: &Gate, authority: Authority) -> Verdict {
    match gate.shown().await {
        Ok(shown) => shown.judge(gate.host(), authority, Timestamp::now()),
        Err(why) => Verdict::Fails(format!("{why:#}")),
    }
}

async fn tcp6(server: &Server, scanner: &Scanner) -> Verdict {
    let Some(address) = server.ipv6 else { return Verdict::Holds("it has no IPv6 address".to_owned()) };
    let at = SocketAddr::new(address.into(), 443);
    // from a network without IPv6 all is silent, and nothing is known
    match timeout(ANSWER, TcpStream::connect(at)).await {
        Ok(Ok(_)) => open(scanner.tcp(address.into()).await, scanner),
        Ok(Err(error)) => Verdict::Warns(format!("not seen: from here {address} does not answer ({error})")),
        Err(_) => Verdict::Warns(format!("not seen: from here {address} does not answer")),
    }
}

fn open(seen: std::io::Result<BTreeSet<u16>>, scanner: &Scanner) -> Verdict {
    let ports = match seen {
        Ok(ports) => ports,
        Err(error) => return Verdict::Fails(format!("the ports could not be tried: {error}")),
    };
    let wrong: BTreeSet<u16> = ports.iter().copied().filter(|port| !OPEN.contains(port)).collect();
    match (wrong.is_empty(), ports.contains(&443)) {
        (false, _) => Verdict::Fails(format!("open: {}", listed(&wrong))),
        (true, false) => Verdict::Fails("443 does not answer".to_owned()),
        (true, true) => Verdict::Holds(format!("of {} ports {} answer", scanner.count(), listed(&ports))),
    }
}

fn listed(ports: &BTreeSet<u16>) -> String {
    ports.iter().map(u16::to_string).collect::<Vec<_>>().join(", ")
}

/// What is not for the world is not there.
async fn closed(gate: &Gate) -> Result<String> {
    let paths = ["/tools/invoke", "/v1/models", "/v1/chat/completions", "/v1/responses"];
    for path in paths {
        let request = gate.http().post(format!("{}{path}", gate.origin())).json(&serde_json::json!({}));
        let status = request.send().await?.status();
        ensure!(status == 404, "{path} answers {status}");
    }
    Ok(format!("{} are not there", paths.join(", ")))
}

/// Where a policy limits to whom the dashboard opens, it does not open to us, unless we may be among them.
async fn dashboard(gate: &Gate, let_in: bool) -> Result<String> {
    if !gate.is_limited() {
        return Ok("its policy says nothing of it, and the token is asked for".to_owned());
    }
    let page = gate.http().get(gate.origin()).send().await?.status();
    let socket = gate.upgrade().await?.status();
    match (gate.kept(page), gate.kept(socket)) {
        (Some(_), Some(_)) => Ok(format!("page and WebSocket are kept from this computer: {page}, {socket}")),
        _ if let_in => Ok("it opens to this computer, as its policy may mean it".to_owned()),
        _ => bail!("it opens to this computer: {page}, {socket}"),
    }
}

/// A request that says it is longer than what may come is refused, before any of it is sent.
async fn long(gate: &Gate) -> Result<String> {
    let request = gate.http().post(gate.origin()).header(CONTENT_LENGTH, LONGEST + 1);
    let answer = request.body(reqwest::Body::wrap(Never)).send().await;
    let status = answer.context("a request that is too long is waited for")?.status();
    ensure!(status == 413, "a request of {} bytes is answered {status}", LONGEST + 1);
    Ok(format!("{} bytes are too many", LONGEST + 1))
}

/// A request's body that does not come.
struct Never;

impl Body for Never {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Waker<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Pending
    }
}

/// What tells browsers to come over HTTPS only.
async fn hsts(gate: &Gate) -> Result<String> {
    // browsers do not heed it where there is no name (RFC 6797, 8.1.1)
    if !gate.has_name() {
        return Ok("it has no name".to_owned());
    }
    let response = gate.http().get(gate.origin()).send().await?;
    lasting(response.headers())
}

/// That browsers keep to it for long: the header's own words.
fn lasting(headers: &HeaderMap) -> Result<String> {
    let policy =
        headers.get(STRICT_TRANSPORT_SECURITY).context("browsers are not told to come over HTTPS")?;
    let policy = policy.to_str().context("Strict-Transport-Security")?;
    let directives = policy.split(';').filter_map(|directive| directive.trim().split_once('='));
    let age = directives.filter(|(name, _)| name.eq_ignore_ascii_case("max-age")).map(|(_, age)| age);
    let seconds = age.filter_map(|age| age.trim_matches('"').parse::<u64>().ok()).next();
    let seconds = seconds.with_context(|| format!("browsers are told {policy:?}, without an age"))?;
    ensure!(seconds >= HALF_A_YEAR, "browsers are told {policy:?}, which is soon over");
    Ok(policy.to_owned())
}

/// Under another name there is no page, and no certificate.
async fn foreign(gate: &Gate) -> Result<String> {
    let request = gate.http().get(gate.origin()).header(HOST, FOREIGN);
    if let Ok(response) = request.send().await {
        let status = response.status();
        bail!("it answers {status} to whoever asks for {FOREIGN}");
    }
    let at = SocketAddr::new(IpAddr::V4(gate.address()), 443);
    let other = reqwest::Client::builder()
        .no_proxy()
        .timeout(ANSWER)
        .danger_accept_invalid_certs(true)
        .resolve(FOREIGN, at)
        .build()
        .context("the client for another name")?;
    if other.get(format!("https://{FOREIGN}")).send().await.is_ok() {
        bail!("it has a certificate for whoever asks for {FOREIGN}");
    }
    Ok(format!("{FOREIGN} is nobody there"))
}

/// A greeting of TLS 1.1, whose answer is no.
async fn old_tls(at: SocketAddr) -> Result<String> {
    let asked = async {
        let mut stream = TcpStream::connect(at).await?;
        stream.write_all(&greeting()).await?;
        let mut head = [0; 6];
        let size = stream.read(&mut head).await.unwrap_or(0);
        Ok::<_, std::io::Error>(head.get(..size).unwrap_or_default().to_vec())
    };
    let answer = timeout(ANSWER, asked).await.context("no answer to TLS 1.1")?.context("443")?;
    // a record with a handshake in it, of which the first is the server's greeting
    ensure!(!(answer.first() == Some(&22) && answer.get(5) == Some(&2)), "TLS 1.1 is spoken");
    Ok("TLS 1.1 is refused".to_owned())
}

/// A ClientHello (RFC 4346) of TLS 1.1 with the suites that every old server has.
fn greeting() -> Vec<u8> {
    const SUITES: [u16; 6] = [0xc014, 0xc013, 0xc00a, 0xc009, 0x0035, 0x002f];
    // curves and point formats, without which there are no elliptic ones
    const EXTENSIONS: [u8; 20] = [0, 10, 0, 6, 0, 4, 0, 23, 0, 24, 0, 11, 0, 2, 1, 0, 0, 23, 0, 0];
    let mut hello = vec![3, 2];
    hello.extend([7; 32]);
    hello.push(0);
    hello.extend([0, 12]);
    hello.extend(SUITES.iter().flat_map(|suite| suite.to_be_bytes()));
    hello.extend([1, 0, 0, 20]);
    hello.extend(EXTENSIONS);
    let length = hello.len().to_be_bytes();
    let [.., high, low] = length;
    let mut handshake = vec![1, 0, high, low];
    handshake.extend(hello);
    let [.., high, low] = handshake.len().to_be_bytes();
    let mut record = vec![22, 3, 1, high, low];
    record.extend(handshake);
    record
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use reqwest::header::{HeaderMap, HeaderValue, STRICT_TRANSPORT_SECURITY};

    use super::{Scanner, greeting, lasting, open};
    use crate::host::scan::Breadth;

    #[test]
    fn only_our_ports_may_be_open() {
        let scanner = Scanner::new(Breadth::All, 1);
        let seen = |ports: &[u16]| open(Ok(ports.iter().copied().collect::<BTreeSet<u16>>()), &scanner);
        assert_eq!(seen(&[443]).word(), "ok");
        assert_eq!(seen(&[22, 443]).evidence(), "of 65535 ports 22, 443 answer");
        assert_eq!(seen(&[22, 443, 8080]).evidence(), "open: 8080");
        assert_eq!(seen(&[22]).word(), "fail");
    }

    #[test]
    fn browsers_have_to_keep_to_https_for_long() {
        let told = |policy: &'static str| {
            let header = (STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(policy));
            lasting(&HeaderMap::from_iter([header])).map_err(|error| error.to_string())
        };
        for good in ["max-age=31536000", "includeSubDomains; Max-Age=\"31536000\"; preload"] {
            assert_eq!(told(good).unwrap(), good);
        }
        assert_eq!(told("max-age=0").unwrap_err(), "browsers are told \"max-age=0\", which is soon over");
        assert_eq!(told("preload").unwrap_err(), "browsers are told \"preload\", without an age");
        assert!(lasting(&HeaderMap::new()).is_err());
    }

    #[test]
    fn the_greeting_is_as_long_as_it_says() {
        let record = greeting();
        assert_eq!(usize::from(record[3]) * 256 + usize::from(record[4]), record.len() - 5);
        assert_eq!(usize::from(record[7]) * 256 + usize::from(record[8]), record.len() - 9);
        assert_eq!(record[9..11], [3, 2], "TLS 1.1");
    }
}
