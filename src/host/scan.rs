//! Which ports of a server answer to a stranger.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// Silence for this long is a firewall's answer: more than a round trip around the world, and enough for one repetition by
/// the kernel where the first packet is lost, which it sends after a second.
const SILENCE: Duration = Duration::from_millis(1200);
/// How many connections are under way at once, for all servers.
const AT_ONCE: usize = 16_000;
/// The ports that services have that are reached over UDP, with what each of them would answer to.
const UDP: [(u16, &[u8]); 8] = [
    // a query for the root's name servers
    (53, b"\x00\x01\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x01"),
    // TFTP: a file
    (69, b"\x00\x01x\x00octet\x00"),
    // NTP, version 4, client
    (123, b"\x23\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
    // SNMP, version 1, public, the system's description
    (
        161,
        b"\x30\x29\x02\x01\x00\x04\x06public\xa0\x1c\x02\x04\x00\x00\x00\x01\x02\x01\x00\x02\x01\x00\x30\x0e\x30\x0c\x06\x08\x2b\x06\x01\x02\x01\x01\x01\x00\x05\x00",
    ),
    // QUIC, of a version that nobody has: whoever speaks it tells its own
    (443, b"\xc0\x1a\x2a\x3a\x4a\x08clawbert\x08clawbert"),
    // SSDP
    (1900, b"M-SEARCH * HTTP/1.1\r\nHOST:239.255.255.250:1900\r\nMAN:\"ssdp:discover\"\r\nMX:1\r\nST:ssdp:all\r\n\r\n"),
    // mDNS: which services are there
    (5353, b"\0\0\0\0\0\x01\0\0\0\0\0\0\x09_services\x07_dns-sd\x04_udp\x05local\0\0\x0c\0\x01"),
    // memcached
    (11211, b"\0\x01\0\0\0\x01\0\0stats\r\n"),
];
/// Where QUIC is spoken, and how long a packet has to be to be answered (RFC 9000, 14.1): in bytes.
const QUIC: (u16, usize) = (443, 1200);

/// Which TCP ports are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Breadth {
    /// All: some ten seconds for each server, whatever it does.
    All,
    /// Those below 1025, and those that services above it usually have.
    Usual,
}

/// What services above 1024 usually have: databases, message queues, dashboards, models, and the gateway's own.
const ABOVE: [u16; 46] = [
    1433, 1521, 1883, 2049, 2375, 2376, 2379, 3000, 3306, 3389, 4444, 5000, 5432, 5601, 5672, 5900, 5984,
    6379, 6443, 7474, 8000, 8008, 8080, 8081, 8086, 8088, 8443, 8888, 9000, 9042, 9090, 9092, 9100, 9200,
    9300, 10250, 11211, 11434, 15672, 18789, 18790, 27017, 50000, 51820, 55000, 61616,
];

impl Breadth {
    /// The ports.
    pub fn ports(self) -> impl Iterator<Item = u16> {
        let (last, above): (u16, &[u16]) = match self {
            Self::All => (u16::MAX, &[]),
            Self::Usual => (1024, &ABOVE),
        };
        (1..=last).chain(above.iter().copied())
    }
}

/// Looks at ports; one for all servers of an audit.
#[derive(Debug)]
pub struct Scanner {
    permits: Semaphore,
    breadth: Breadth,
}

impl Scanner {
    /// One that has no more than so many sockets at once.
    pub fn new(breadth: Breadth, sockets: usize) -> Self {
        Self { permits: Semaphore::new(sockets.clamp(1, AT_ONCE)), breadth }
    }

    /// How many ports it tries.
    pub fn count(&self) -> usize {
        self.breadth.ports().count()
    }

    /// The TCP ports that answer.
    ///
    /// # Errors
    /// Where this computer cannot make so many connections: then nothing is known.
    pub async fn tcp(&self, address: IpAddr) -> io::Result<BTreeSet<u16>> {
        let looks = stream::iter(self.breadth.ports()).map(|port| async move {
            let is_open = self.is_open(SocketAddr::new(address, port)).await?;
            Ok(is_open.then_some(port))
        });
        looks.buffer_unordered(AT_ONCE).try_filter_map(async |port| Ok(port)).try_collect().await
    }

    async fn is_open(&self, at: SocketAddr) -> io::Result<bool> {
        // it is closed with the program, and not before
        let _permit = self.permits.acquire().await;
        match timeout(SILENCE, TcpStream::connect(at)).await {
            Ok(Ok(_)) => Ok(true),
            Ok(Err(error)) if is_no(error.kind()) => Ok(false),
            Ok(Err(error)) => Err(error),
            Err(_) => Ok(false),
        }
    }
}

/// Whether that is somebody's refusal, and not a fault here.
fn is_no(kind: ErrorKind) -> bool {
    use ErrorKind as K;
    matches!(
        kind,
        K::ConnectionRefused
            | K::ConnectionReset
            | K::HostUnreachable
            | K::NetworkUnreachable
            | K::PermissionDenied
            | K::TimedOut
    )
}

/// The well-known UDP ports that answer.
pub async fn udp(address: IpAddr) -> BTreeSet<u16> {
    let looks = UDP.iter().map(|(port, question)| async move {
        let mut question = question.to_vec();
        if *port == QUIC.0 {
            question.resize(QUIC.1, 0);
        }
        answers(SocketAddr::new(address, *port), &question).await.then_some(*port)
    });
    stream::iter(looks).buffer_unordered(UDP.len()).filter_map(std::future::ready).collect().await
}

async fn answers(at: SocketAddr, question: &[u8]) -> bool {
    let own: SocketAddr = if at.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0_u16; 8], 0).into() };
    let asked = async {
        let socket = UdpSocket::bind(own).await?;
        socket.connect(at).await?;
        socket.send(question).await?;
        let mut answer = [0; 1500];
        socket.recv(&mut answer).await
    };
    match timeout(SILENCE, asked).await {
        Ok(Ok(_)) => true,
        // nobody listens there, and the host says so
        Ok(Err(_)) | Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use tokio::net::{TcpListener, UdpSocket};

    use super::{Breadth, Scanner, answers};

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 63, 7, 1));

    #[tokio::test]
    async fn what_listens_is_found() {
        let listeners =
            [TcpListener::bind((HERE, 0)).await.unwrap(), TcpListener::bind((HERE, 0)).await.unwrap()];
        let found = Scanner::new(Breadth::All, 500).tcp(HERE).await.unwrap();
        for listener in &listeners {
            let port = listener.local_addr().unwrap().port();
            assert!(found.contains(&port), "{port} is not in {found:?}");
        }
    }

    #[test]
    fn all_is_more_than_the_usual_ones() {
        assert_eq!(Breadth::All.ports().count(), 65_535);
        assert!(Breadth::Usual.ports().any(|port| port == 18_789));
        let usual: std::collections::BTreeSet<u16> = Breadth::Usual.ports().collect();
        assert_eq!(usual.len(), Breadth::Usual.ports().count(), "each once");
    }

    #[tokio::test]
    async fn only_an_answer_is_one() {
        let socket = UdpSocket::bind((HERE, 0)).await.unwrap();
        let at = socket.local_addr().unwrap();
        let echo = async {
            let mut buffer = [0; 100];
            let (size, from) = socket.recv_from(&mut buffer).await.unwrap();
            socket.send_to(&buffer[..size], from).await.unwrap();
        };
        let (is_answered, ()) = tokio::join!(answers(at, b"hello"), echo);
        assert!(is_answered);
        assert!(!answers(at, b"nobody reads it").await);
        drop(socket);
        assert!(!answers(at, b"nobody is there").await);
    }
}
