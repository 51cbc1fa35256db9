//! The way up: image, network, services, cloud, machines, in that order.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use anyhow::{Context, Error, Result};
use axum::Router;
use tokio::net::{TcpListener, UdpSocket};
use tokio::task::JoinSet;

use super::acme::Limits;
use super::api::{Block, Cloud, Settings};
use super::cache::Cache;
use super::dir::{LabDir, Record};
use super::dns::Resolvers;
use super::machine::Machines;
use super::nspawn::Nspawn;
use super::scripted::Scripted;
use super::slot::Slot;
use super::supervisor::{Options, Say};
use super::{dns, image, mirror, namespace, network, pebble, trust};

/// Where the Node mirror listens, on the router.
pub(super) const MIRROR_PORT: u16 = 8080;

/// A lab that is up.
pub(super) struct Up {
    /// The cloud that the API shows.
    pub(super) cloud: Cloud,
    services: JoinSet<Result<()>>,
}

impl Up {
    /// Waits for a service to fail; they do not otherwise end.
    pub(super) async fn failed(&mut self) -> Error {
        match self.services.join_next().await {
            Some(Ok(Err(error))) => error,
            Some(Err(error)) => Error::from(error),
            Some(Ok(Ok(()))) | None => Error::msg("a service of the lab ended"),
        }
    }
}

/// Brings the lab of that record up; its servers are for the cloud to resume.
pub(super) async fn bring_up(dir: &LabDir, record: Record, options: &Options, say: Say<'_>) -> Result<Up> {
    let mut services = JoinSet::new();
    let machines = match (record.slot, record.loopback) {
        (Some(slot), _) => real_machines(dir, slot, options, &mut services, say).await?,
        (None, Some(loopback)) => {
            Machines::Scripted(Arc::new(Scripted::open(dir, loopback, options.hosts.clone()).await?))
        }
        (None, None) => Machines::None,
    };
    let api = listen(record.port).await?;
    let port = api.local_addr()?.port();
    dir.keep(&Record { port, ..record.clone() })?;
    let settings = Settings {
        dir: dir.path().to_owned(),
        block: block(&record),
        projects: record.projects.clone(),
        machines,
        delays: options.delays.clone(),
        api_date: options.api_date,
        rate_limit: options.rate_limit,
        faults: options.faults.clone(),
    };
    let cloud = Cloud::open(settings).await?;
    let served = cloud.clone();
    services.spawn(async move { match served.serve(api).await {} });
    if let Some(slot) = record.slot {
        serve_machines(&cloud, slot, &mut services).await?;
    }
    Ok(Up { cloud, services })
}

/// The addresses of a lab's servers.
fn block(record: &Record) -> Block {
    match (record.slot, record.loopback) {
        (Some(slot), _) => Block::of_slot(slot.number()),
        (None, Some(loopback)) => Block::of_loopback(loopback.number()),
        (None, None) => Block::of_api(),
    }
}

/// What machines need before the first of them: image, network, certificates, Node.
async fn real_machines(
    dir: &LabDir,
    slot: Slot,
    options: &Options,
    services: &mut JoinSet<Result<()>>,
    say: Say<'_>,
) -> Result<Machines> {
    let cache = Cache::of_user()?;
    say("preparing base image, ACME server and Node mirror (minutes at the first time, then nothing)");
    let (image, package, node) =
        tokio::try_join!(image::prepare(&cache), pebble::prepare(&cache), mirror::prepare(&cache))?;
    say("setting the network up");
    network::up(slot).await?;
    let trust = trust::ensure(dir, slot.stranger().0.into())?;
    pebble::start(dir, slot, &package, &trust).await?;
    let limits = Limits::open(dir, slot, &trust, options.acme_speed).await?;
    services.spawn(limits.serve());
    let mirror = bound(slot, (slot.services().0, MIRROR_PORT).into()).await?;
    serve(services, mirror, mirror::router(node));
    let machines = Nspawn::open(slot, dir, image, trust.root)?;
    Ok(Machines::Nspawn(Arc::new(machines)))
}

/// What machines ask of their cloud: metadata and names.
async fn serve_machines(cloud: &Cloud, slot: Slot, services: &mut JoinSet<Result<()>>) -> Result<()> {
    let metadata = bound(slot, SocketAddr::from(([169, 254, 169, 254], 80))).await?;
    let router = cloud.metadata_router().into_make_service_with_connect_info::<SocketAddr>();
    services.spawn(async move { Ok(axum::serve(metadata, router).await?) });
    let address = SocketAddr::from((slot.services().0, 53));
    let tcp = bound(slot, address).await?;
    let udp = namespace::inside(&slot.router(), move || std::net::UdpSocket::bind(address)).await?;
    udp.set_nonblocking(true)?;
    // machines have no IPv6 beyond the lab, see `forwarding`
    services.spawn(dns::serve(
        cloud.clone(),
        Resolvers::of_host().for_ipv4(),
        UdpSocket::from_std(udp)?,
        tcp,
    ));
    Ok(())
}

/// A listener on the router: only the lab's network sees it, and nothing on the host can be in its way.
async fn bound(slot: Slot, address: SocketAddr) -> Result<TcpListener> {
    let listener = namespace::inside(&slot.router(), move || std::net::TcpListener::bind(address)).await?;
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener).with_context(|| format!("cannot listen on {address}"))
}

/// The API's listener: on the port it had, so that exported endpoints stay good; else on a free one.
async fn listen(port: u16) -> Result<TcpListener> {
    match TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await {
        Err(error) if error.kind() == ErrorKind::AddrInUse && port != 0 => {
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await
        }
        bound => bound,
    }
    .context("cannot listen on 127.0.0.1")
}

fn serve(services: &mut JoinSet<Result<()>>, listener: TcpListener, router: Router) {
    services.spawn(async move { Ok(axum::serve(listener, router).await?) });
}
