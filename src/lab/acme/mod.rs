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

use std::num::NonZeroU32;

use anyhow::{Context, Result};
use axum::Router;
use tokio::net::TcpListener;

use self::proxy::Proxy;
use self::tls::{Peer, TlsListener};
use self::upstream::Upstream;
use super::dir::LabDir;
use super::slot::Slot;
use super::trust::{self, Trust};
use super::{namespace, pebble};

/// The limits, ready to be served.
pub(super) struct Limits {
    listener: TlsListener,
    router: Router,
}

impl Limits {
    /// Puts the limits in front of Pebble, which must answer. Buckets fill `speed` times as fast as Let's Encrypt's.
    pub(super) async fn open(dir: &LabDir, slot: Slot, trust: &Trust, speed: NonZeroU32) -> Result<Self> {
        let base = format!("https://{}", pebble::behind(slot));
        let upstream = Upstream::find(pebble::client(trust)?, base).await?;
        let address = pebble::public(slot);
        let tcp = namespace::inside(&slot.world(), move || std::net::TcpListener::bind(address)).await?;
        tcp.set_nonblocking(true)?;
        let [_, certificate, key] = trust::FILES.map(|name| dir.file(name));
        let listener = TlsListener::new(TcpListener::from_std(tcp)?, &certificate, &key)?;
        Ok(Self { listener, router: Proxy::new(upstream, speed).router() })
    }

    /// Serves until it fails.
    pub(super) async fn serve(self) -> Result<()> {
        let service = self.router.into_make_service_with_connect_info::<Peer>();
        axum::serve(self.listener, service).await.context("the ACME limits ended")
    }
}
