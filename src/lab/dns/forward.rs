//! Questions about everybody else's names, handed to the host's own resolvers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::net::{TcpStream, UdpSocket};

use super::{read_message, write_message};

/// How long one resolver has for an answer, before the next one is asked.
const PATIENCE: Duration = Duration::from_secs(3);
/// Resolvers are asked this often in turn.
const ROUNDS: usize = 2;

/// The host's resolvers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolvers {
    addresses: Vec<SocketAddr>,
    ipv6: bool,
}

impl Resolvers {
    /// Those of `/etc/resolv.conf`; without one, the one on this host.
    pub fn of_host() -> Self {
        let text = std::fs::read_to_string(Path::new("/etc/resolv.conf")).unwrap_or_default();
        Self { addresses: parse(&text), ipv6: host_has_ipv6() }
    }

    /// Certain ones, on a host with or without IPv6 to the world.
    pub fn new(addresses: Vec<SocketAddr>, ipv6: bool) -> Self {
        Self { addresses, ipv6 }
    }

    /// The same, for askers without a way to the world by IPv6, whatever this host has.
    #[must_use]
    pub fn for_ipv4(self) -> Self {
        Self { ipv6: false, ..self }
    }

    /// Whether the world can be reached by IPv6.
    pub(crate) fn have_ipv6(&self) -> bool {
        self.ipv6
    }

    /// Hands a question on, byte for byte, and the answer back.
    ///
    /// # Errors
    /// No resolver answered in time.
    pub(crate) async fn ask(&self, question: &[u8], tcp: bool) -> Result<Vec<u8>> {
        for address in self.addresses.iter().cycle().take(self.addresses.len() * ROUNDS) {
            let asked = async {
                if tcp { ask_tcp(*address, question).await } else { ask_udp(*address, question).await }
            };
            match tokio::time::timeout(PATIENCE, asked).await {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(error)) => tracing::debug!("resolver {address}: {error:#}"),
                Err(_) => tracing::debug!("resolver {address}: silent for {} s", PATIENCE.as_secs()),
            }
        }
        bail!("no resolver of {:?} answered", self.addresses)
    }
}

/// A socket of its own for each question: its random port keeps forged answers out.
async fn ask_udp(address: SocketAddr, question: &[u8]) -> Result<Vec<u8>> {
    let any: IpAddr =
        if address.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(address).await?;
    socket.send(question).await?;
    let mut buffer = vec![0; usize::from(u16::MAX)];
    loop {
        let length = socket.recv(&mut buffer).await?;
        // the id comes first in a message
        if length >= 2 && buffer.get(..2) == question.get(..2) {
            buffer.truncate(length);
            return Ok(buffer);
        }
    }
}

async fn ask_tcp(address: SocketAddr, question: &[u8]) -> Result<Vec<u8>> {
    let mut stream = TcpStream::connect(address).await?;
    write_message(&mut stream, question).await?;
    read_message(&mut stream).await.context("the connection ended early")
}

/// The `nameserver` lines of a resolv.conf; the loopback address without any, as resolv.conf(5) says.
fn parse(text: &str) -> Vec<SocketAddr> {
    let addresses: Vec<SocketAddr> = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("nameserver")?.split_whitespace().next()?.parse().ok())
        .map(|ip: IpAddr| SocketAddr::new(ip, 53))
        .collect();
    if addresses.is_empty() { vec![SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 53)] } else { addresses }
}

/// Whether the kernel knows a way to a public IPv6 address. Connecting a datagram socket sends nothing.
fn host_has_ipv6() -> bool {
    let public = Ipv6Addr::new(0x2a01, 0x4f8, 0, 0, 0, 0, 0, 1);
    std::net::UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)).is_ok_and(|s| s.connect((public, 53)).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_servers_are_read_as_the_resolver_reads_them() {
        let text = "# made by hand\nsearch example.org\nnameserver 192.0.2.1\n nameserver 2001:db8::1 # two\nnameserver x\n";
        let addresses = parse(text);
        assert_eq!(addresses, ["192.0.2.1:53".parse().unwrap(), "[2001:db8::1]:53".parse().unwrap()]);
        assert_eq!(parse(""), ["127.0.0.1:53".parse().unwrap()]);
    }
}
