//! The lab's name server: authoritative for the zones of its API, a forwarder for everything else, because the
//! machines have no other.

mod answer;
mod forward;
mod reverse;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use hickory_proto::op::{Message, MessageType, OpCode, ResponseCode};
use hickory_proto::rr::RecordType;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

pub(crate) use self::answer::ZoneData;
pub use self::forward::Resolvers;

use super::api::Cloud;

/// Questions that are worked on at once; more have to wait.
const AT_ONCE: usize = 256;
/// How long a connection may keep silent.
const IDLE: Duration = Duration::from_secs(10);
/// The longest answer without EDNS, RFC 1035.
const UDP_MAX: usize = 512;

/// What a question goes through.
#[derive(Debug)]
struct Server {
    cloud: Cloud,
    resolvers: Resolvers,
}

/// How a question came, and so how it is forwarded and how long its answer may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Transport {
    Udp,
    Tcp,
}

/// Answers on both sockets until it is dropped or a socket fails.
///
/// # Errors
/// A socket failed.
pub async fn serve(cloud: Cloud, resolvers: Resolvers, udp: UdpSocket, tcp: TcpListener) -> Result<()> {
    let server = Arc::new(Server { cloud, resolvers });
    tokio::try_join!(serve_udp(server.clone(), udp), serve_tcp(server, tcp)).map(|_| ())
}

async fn serve_udp(server: Arc<Server>, socket: UdpSocket) -> Result<()> {
    let socket = Arc::new(socket);
    let places = Arc::new(Semaphore::new(AT_ONCE));
    // dropped with this future, and all questions with it
    let mut questions = JoinSet::new();
    let mut buffer = vec![0; usize::from(u16::MAX)];
    loop {
        let (length, from) = match socket.recv_from(&mut buffer).await {
            Ok(received) => received,
            // an asker that is gone shows up here on Linux; it says nothing about the socket
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => continue,
            Err(error) => return Err(error).context("cannot receive DNS questions"),
        };
        let question = buffer.get(..length).unwrap_or_default().to_vec();
        let (server, socket) = (server.clone(), socket.clone());
        let place = places.clone().acquire_owned().await.context("the name server is gone")?;
        questions.spawn(async move {
            if let Some(answer) = server.answer(&question, Transport::Udp).await
                && let Err(error) = socket.send_to(&answer, from).await
            {
                tracing::debug!("a DNS answer to {from} was not sent: {error}");
            }
            drop(place);
        });
        while questions.try_join_next().is_some() {}
    }
}

async fn serve_tcp(server: Arc<Server>, listener: TcpListener) -> Result<()> {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut connections = JoinSet::new();
    loop {
        let place = places.clone().acquire_owned().await.context("the name server is gone")?;
        let (stream, from) = listener.accept().await.context("cannot accept DNS connections")?;
        let server = server.clone();
        connections.spawn(async move {
            if let Err(error) = server.converse(stream).await {
                tracing::debug!("a DNS connection from {from} ended: {error:#}");
            }
            drop(place);
        });
        while connections.try_join_next().is_some() {}
    }
}

impl Server {
    /// Answers questions on a connection until the other side closes it or falls silent.
    async fn converse(&self, mut stream: TcpStream) -> Result<()> {
        loop {
            let question = match tokio::time::timeout(IDLE, read_message(&mut stream)).await {
                Ok(question) => question?,
                Err(_) => return Ok(()),
            };
            let Some(answer) = self.answer(&question, Transport::Tcp).await else {
                return Ok(());
            };
            write_message(&mut stream, &answer).await?;
        }
    }

    /// The answer to a question; `None` where silence is right.
    async fn answer(&self, bytes: &[u8], transport: Transport) -> Option<Vec<u8>> {
        let question = Message::from_vec(bytes).ok()?;
        if question.metadata.message_type != MessageType::Query {
            return None;
        }
        let answer = match self.own_answer(&question) {
            Some(answer) => answer,
            None => return self.forward(&question, bytes, transport).await,
        };
        fit(&question, answer, transport)
    }

    /// What the zones and the reverse names of addresses say; `None` for names outside of them.
    fn own_answer(&self, question: &Message) -> Option<Message> {
        if question.metadata.op_code != OpCode::Query || question.queries.len() != 1 {
            return Some(refusal(question, ResponseCode::NotImp));
        }
        let asked = question.queries.first()?;
        let found = self.cloud.with_zones(|zones| answer::from_zones(zones, asked));
        let found = found.or_else(|| reverse::from_pointers(asked, |address| self.cloud.pointer(address)));
        found.map(|found| found.message(question))
    }

    async fn forward(&self, question: &Message, bytes: &[u8], transport: Transport) -> Option<Vec<u8>> {
        // a machine that learned an IPv6 address would try it first and wait for nothing
        let for_ipv6 = question.queries.first().is_some_and(|q| q.query_type() == RecordType::AAAA);
        if for_ipv6 && !self.resolvers.have_ipv6() {
            return refusal(question, ResponseCode::NoError).to_vec().ok();
        }
        match self.resolvers.ask(bytes, transport == Transport::Tcp).await {
            Ok(answer) => Some(answer),
            Err(error) => {
                tracing::warn!("a DNS question was not answered: {error:#}");
                refusal(question, ResponseCode::ServFail).to_vec().ok()
            }
        }
    }
}

/// An answer without records.
fn refusal(question: &Message, code: ResponseCode) -> Message {
    let mut answer = Message::response(question.metadata.id, question.metadata.op_code);
    answer.metadata.recursion_desired = question.metadata.recursion_desired;
    answer.metadata.recursion_available = true;
    answer.metadata.response_code = code;
    answer.add_queries(question.queries.iter().cloned());
    answer
}

/// The answer as bytes; cut, and marked so, where the asker could not take it.
fn fit(question: &Message, answer: Message, transport: Transport) -> Option<Vec<u8>> {
    let room = match (transport, &question.edns) {
        (Transport::Tcp, _) => usize::from(u16::MAX),
        (Transport::Udp, Some(_)) => usize::from(question.max_payload()),
        (Transport::Udp, None) => UDP_MAX,
    };
    let bytes = answer.to_vec().ok()?;
    if bytes.len() <= room { Some(bytes) } else { answer.truncate().to_vec().ok() }
}

/// One message with its length before it, RFC 1035 4.2.2.
async fn read_message(stream: &mut TcpStream) -> Result<Vec<u8>> {
    let length = stream.read_u16().await?;
    ensure!(length > 0, "an empty DNS message");
    let mut message = vec![0; usize::from(length)];
    stream.read_exact(&mut message).await?;
    Ok(message)
}

async fn write_message(stream: &mut TcpStream, message: &[u8]) -> Result<()> {
    let length = u16::try_from(message.len()).context("a DNS message is too long")?;
    stream.write_all(&[&length.to_be_bytes(), message].concat()).await?;
    Ok(())
}
