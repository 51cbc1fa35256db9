//! Let's Encrypt's rate limits in front of an ACME server that has none: the same protocol, address and certificate,
//! and the same refusals. All counts are in memory, as that server's own are.

mod bucket;
mod buckets;
mod identifier;
mod jws;
mod ledger;
mod limit;
mod proxy;
mod refusal;
mod time;
mod tls;
mod upstream;

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::Path;

use anyhow::{Context, Result};
use axum::Router;
use tokio::net::TcpListener;

use self::proxy::Proxy;
use self::tls::{Peer, TlsListener};
use self::upstream::Upstream;
pub(super) use self::upstream::{AGENT, client};
use super::namespace;

/// The limits, ready to be served.
pub(super) struct Limits {
    listener: TlsListener,
    router: Router,
}

impl Limits {
    /// Puts the limits in front of the ACME server at `base`, as its clients see it: at `address` in a namespace, with
    /// a certificate and its key. Buckets fill `speed` times as fast as Let's Encrypt's.
    ///
    /// # Errors
    /// The server does not answer, or the address is taken.
    pub(super) async fn before(
        (client, base): (reqwest::Client, String),
        (namespace, address): (&str, SocketAddr),
        (certificate, key): (&Path, &Path),
        speed: NonZeroU32,
    ) -> Result<Self> {
        let upstream = Upstream::find(client, base).await?;
        let tcp = namespace::inside(namespace, move || std::net::TcpListener::bind(address)).await?;
        tcp.set_nonblocking(true)?;
        let listener = TlsListener::new(TcpListener::from_std(tcp)?, certificate, key)?;
        Ok(Self { listener, router: Proxy::new(upstream, speed).router() })
    }

    /// Serves until it fails.
    pub(super) async fn serve(self) -> Result<()> {
        let service = self.router.into_make_service_with_connect_info::<Peer>();
        axum::serve(self.listener, service).await.context("the ACME limits ended")
    }
}
