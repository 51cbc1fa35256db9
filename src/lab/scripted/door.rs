//! A port of a host, while the host is on and its firewall lets us in.

use std::future::pending;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Error, Result, bail};
use ssh_key::PrivateKey;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::sleep;

use super::Common;
use super::clock;
use super::host::Host;
use super::{https, ssh};

/// Longest way from the end of a door to a free port: a server that is rebuilt comes back at the same address.
const CLOSING: Duration = Duration::from_secs(1);

/// What answers at a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    Ssh,
    Https,
}

/// The task that serves a port; dropped, the port is closed and whoever was connected is not any more.
#[derive(Debug)]
pub(super) struct Door(JoinHandle<()>);

impl Drop for Door {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Service {
    /// Both.
    pub(super) const ALL: [Self; 2] = [Self::Ssh, Self::Https];

    pub(super) fn port(self) -> u16 {
        match self {
            Self::Ssh => 22,
            Self::Https => 443,
        }
    }

    /// From when on it answers, as things are.
    fn opens(self, host: &Host) -> Option<u64> {
        host.look(|state| match self {
            Self::Ssh => state.booted(&host.script),
            Self::Https => state.certified(&host.script),
        })
    }
}

impl Door {
    /// Serves a port from when the host is so far.
    pub(super) fn open(host: Arc<Host>, service: Service, address: Ipv4Addr, common: Arc<Common>) -> Self {
        Self(tokio::spawn(async move {
            loop {
                opened(&host, service).await;
                let since = host.started();
                tokio::select! {
                    served = serve(&host, service, address, &common) => {
                        if let Err(error) = served {
                            tracing::error!("server {}: {error:#}", host.id);
                        }
                        return;
                    }
                    () = started_anew(&host, since) => {}
                }
            }
        }))
    }
}

/// Waits until the service is to open.
async fn opened(host: &Host, service: Service) {
    loop {
        let changed = host.changed.notified();
        let opens = service.opens(host);
        let time = async {
            match opens {
                Some(time) => sleep(clock::until(time)).await,
                None => pending().await,
            }
        };
        tokio::select! {
            () = time => return,
            () = changed => {}
        }
    }
}

/// Waits until the host is not any more as it was started then: nobody stays connected.
async fn started_anew(host: &Host, since: Option<u64>) {
    loop {
        let changed = host.changed.notified();
        if host.started() != since {
            return;
        }
        changed.await;
    }
}

async fn serve(host: &Arc<Host>, service: Service, address: Ipv4Addr, common: &Common) -> Result<()> {
    let listener = listen(address, service.port()).await?;
    let mut answers = Answers::of(host, service, common)?;
    let mut callers = JoinSet::new();
    loop {
        tokio::select! {
            called = listener.accept() => match called {
                Ok((stream, _)) => {
                    if answers.are_old(host) {
                        answers = Answers::of(host, service, common)?;
                    }
                    answers.answer(host, stream, &mut callers);
                }
                // the caller went away, or this process has no more files: others may come later
                Err(_) => sleep(Duration::from_millis(50)).await,
            },
            Some(_) = callers.join_next() => {}
        }
    }
}

/// What all callers of a port are shown.
enum Answers {
    Ssh { key: String, right: Arc<russh::server::Config>, wrong: Arc<russh::server::Config> },
    Https(Arc<rustls::ServerConfig>),
}

impl Answers {
    fn of(host: &Host, service: Service, common: &Common) -> Result<Self> {
        Ok(match service {
            Service::Ssh => {
                let key = host.key();
                let read = PrivateKey::from_openssh(&key).context("the host key in the state")?;
                let right = ssh::config(read, host.certificate());
                Self::Ssh { key, right, wrong: Arc::clone(&common.wrong_key) }
            }
            Service::Https => {
                let name = host.look(|state| state.host());
                Self::Https(Arc::new(common.authority.certify(&name)?))
            }
        })
    }

    /// Whether the host has another key by now.
    fn are_old(&self, host: &Host) -> bool {
        match self {
            Self::Ssh { key, .. } => *key != host.key(),
            Self::Https(_) => false,
        }
    }

    /// How a conversation ends is told by the requests, not here.
    fn answer(&self, host: &Arc<Host>, stream: TcpStream, callers: &mut JoinSet<Result<()>>) {
        match self {
            Self::Ssh { .. } if host.refuses() => {
                // with it, the drop is a reset
                let _ = stream.set_zero_linger();
            }
            Self::Ssh { right, wrong, .. } => {
                let config = if host.shows_wrong_key() { wrong } else { right };
                callers.spawn(ssh::answer(Arc::clone(host), Arc::clone(config), stream));
            }
            Self::Https(config) => {
                callers.spawn(https::answer(Arc::clone(host), Arc::clone(config), stream));
            }
        }
    }
}

/// A listener.
///
/// # Errors
/// Who is in the way, and what to do about it.
pub(super) async fn listen(address: Ipv4Addr, port: u16) -> Result<TcpListener> {
    let at = SocketAddr::from((address, port));
    let since = Instant::now();
    let error = loop {
        match TcpListener::bind(at).await {
            Ok(listener) => return Ok(listener),
            Err(error) if error.kind() == ErrorKind::AddrInUse && since.elapsed() < CLOSING => {
                sleep(Duration::from_millis(20)).await;
            }
            Err(error) => break error,
        }
    };
    let advice = match error.kind() {
        ErrorKind::PermissionDenied => format!(
            "run `sysctl net.ipv4.ip_unprivileged_port_start={}` as root, or the lab as root",
            Service::Ssh.port()
        ),
        ErrorKind::AddrInUse => format!(
            "another program listens on port {port} of that address or of all addresses (0.0.0.0); \
             see `ss -tlnp sport = :{port}`, and let it listen on its own address only"
        ),
        _ => return Err(Error::new(error).context(format!("cannot listen on {at}"))),
    };
    Err(Error::new(error).context(advice)).with_context(|| format!("cannot listen on {at}"))
}

/// Whether hosts can listen there at all.
///
/// # Errors
/// As [`listen`].
pub(super) async fn check(address: Ipv4Addr) -> Result<()> {
    if !address.is_loopback() {
        bail!("scripted hosts live on loopback addresses, and {address} is none");
    }
    for service in Service::ALL {
        listen(address, service.port()).await?;
    }
    Ok(())
}
