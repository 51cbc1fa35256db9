//! Hetzner's API as of 2026-11, played on this computer: a stranger's client cannot tell the difference.

mod action;
mod address;
mod body;
mod catalog;
mod error;
mod filter;
mod firewall;
mod firewall_place;
mod firewall_routes;
mod firewall_rule;
mod http;
mod image;
mod job;
mod label;
mod path;
mod pricing;
mod primary_ip;
mod primary_ip_routes;
mod query;
mod rate_limit;
mod request_log;
mod rrset;
mod rrset_routes;
mod server;
mod server_create;
mod server_power;
mod sort;
mod ssh_key;
mod store;
mod table;
mod world;
mod zone;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use anyhow::{Context, Result};
use axum::Router;
use futures_util::{StreamExt, stream};
use tokio::sync::{mpsc, watch};

pub use action::Delays;

use self::error::ApiError;
use self::filter::Refresh;
use self::rate_limit::RateLimit;
use self::request_log::RequestLog;
use self::server::ServerStatus;
use self::store::Store;
use self::world::World;
use super::dns::ZoneData;
use super::machine::Machines;

/// How many machines boot or stop side by side: more would only wait for the same cores.
const SIDE_BY_SIDE: usize = 4;
/// How long a halt waits for actions: a machine's stop takes at most 30 s, a boot less.
const HALT_DEADLINE: Duration = Duration::from_secs(90);

/// What a cloud is opened with.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The lab's directory; holds `cloud.db` and `requests.jsonl`.
    pub dir: PathBuf,
    /// The lab's number on this computer, 0 to 15; in each address.
    pub slot: u8,
    /// The project's token, 64 characters.
    pub token: String,
    /// Who plays the servers.
    pub machines: Machines,
    /// How long actions take.
    pub delays: Delays,
}

/// A handle on the cloud; clones are the same cloud.
#[derive(Debug, Clone)]
pub struct Cloud(Arc<Inner>);

/// A handle that does not keep the cloud alive.
#[derive(Debug)]
pub(crate) struct WeakCloud(Weak<Inner>);

#[derive(Debug)]
struct Inner {
    world: Mutex<World>,
    store: Store,
    machines: Machines,
    filters: mpsc::UnboundedSender<Refresh>,
    load: watch::Sender<Load>,
    token: String,
    rate_limit: RateLimit,
    log: RequestLog,
}

/// How many actions are being worked on, and whether more may begin.
#[derive(Debug, Default)]
struct Load {
    jobs: usize,
    halting: bool,
}

/// Counts as one action being worked on until dropped.
#[derive(Debug)]
pub(crate) struct Busy(Cloud);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.0.load.send_modify(|load| load.jobs -= 1);
    }
}

/// One line of `lab status`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerSummary {
    /// The server's id.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// Its public IPv4 address.
    pub ipv4: Option<Ipv4Addr>,
    /// `running`, `off`, … as the API says it.
    pub status: String,
}

/// What a server may know about itself.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) ipv4: Option<Ipv4Addr>,
    /// The first address of its network.
    pub(crate) ipv6: Option<Ipv6Addr>,
    /// Its network zone.
    pub(crate) region: &'static str,
    pub(crate) availability_zone: &'static str,
    pub(crate) public_keys: Vec<String>,
    pub(crate) user_data: Option<String>,
}

impl Cloud {
    /// Opens the cloud of a directory as it was left. Starts nothing, see [`Cloud::resume`].
    ///
    /// # Errors
    /// The directory cannot be written, or its state cannot be read.
    pub async fn open(settings: Settings) -> Result<Self> {
        let Settings { dir, slot, token, machines, delays } = settings;
        std::fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
        let (store, rows) = Store::open(&dir.join("cloud.db")).await?;
        let mut world = World::new(slot, delays);
        world.load(&rows)?;
        let (filters, requests) = mpsc::unbounded_channel();
        let cloud = Self(Arc::new(Inner {
            world: Mutex::new(world),
            store,
            machines,
            filters,
            load: watch::Sender::new(Load::default()),
            token,
            rate_limit: RateLimit::hourly(),
            log: RequestLog::open(&dir.join("requests.jsonl"))?,
        }));
        tokio::spawn(filter::serve(WeakCloud(Arc::downgrade(&cloud.0)), requests));
        Ok(cloud)
    }

    /// The API, below `/v1`.
    pub fn api_router(&self) -> Router {
        http::router(self.clone())
    }

    /// The metadata service of all servers; needs `ConnectInfo<SocketAddr>` to know who asks.
    pub fn metadata_router(&self) -> Router {
        super::metadata::router(self.clone())
    }

    /// Brings everything back to where it was: boots the servers that ran, sets their filters, and does again what
    /// was interrupted. Safe while machines still run. What cannot be booted is off and logged.
    pub async fn resume(&self) {
        let (idle, shutting_down) = self.read(server::to_bring_back);
        let shutdowns = shutting_down.into_iter().map(|id| async move {
            if let Some(_busy) = self.busy() {
                job::finish_shutdown(self, id).await;
            }
        });
        futures_util::future::join_all(shutdowns).await;
        stream::iter(idle).for_each_concurrent(SIDE_BY_SIDE, |id| self.bring_back(id)).await;
        let begun = self
            .change(|world| {
                world.begin_again();
                Ok(())
            })
            .await;
        if begun.is_err() {
            tracing::error!("interrupted actions were not begun again");
        }
    }

    async fn bring_back(&self, id: u64) {
        let running =
            self.read(|world| world.servers.get(id).is_some_and(|s| s.status == ServerStatus::Running));
        let outcome = if running { job::start(self, id).await } else { job::create(self, id).await };
        let Err(error) = outcome else {
            return;
        };
        tracing::error!("server {id} did not come back: {error:#}");
        let saved = self
            .change(|world| {
                world.servers.find_mut(id)?.status = ServerStatus::Off;
                Ok(())
            })
            .await;
        if saved.is_err() {
            tracing::error!("server {id} is off, but this could not be written down");
        }
    }

    /// Ends what runs and stops all machines in order. The state still says "running", so that [`Cloud::resume`]
    /// boots them again; actions that could not be ended in time go on there, too.
    ///
    /// # Errors
    /// Actions still ran after 90 s, or a machine did not stop; the others are stopped all the same.
    pub async fn halt(&self) -> Result<()> {
        self.0.load.send_modify(|load| load.halting = true);
        let mut load = self.0.load.subscribe();
        let idle = tokio::time::timeout(HALT_DEADLINE, load.wait_for(|load| load.jobs == 0)).await;
        let waited = match idle {
            Ok(_) => Ok(()),
            Err(_) => Err(anyhow::anyhow!("actions still ran after {} s", HALT_DEADLINE.as_secs())),
        };
        let servers: Vec<u64> = self.read(|world| world.servers.iter().map(|(id, _)| id).collect());
        let stopped: Vec<Result<()>> = stream::iter(servers)
            .map(|id| async move {
                self.0.machines.stop(id).await.with_context(|| format!("server {id} did not stop"))
            })
            .buffer_unordered(SIDE_BY_SIDE)
            .collect()
            .await;
        std::iter::once(waited).chain(stopped).collect()
    }

    /// The servers, in the order of their ids.
    pub fn summary(&self) -> Vec<ServerSummary> {
        self.read(server::summaries)
    }

    /// Looks at the world.
    pub(crate) fn read<T>(&self, look: impl FnOnce(&World) -> T) -> T {
        look(&self.world())
    }

    /// Changes the world, sees to it that the change is written down, and begins the actions it has set going.
    ///
    /// That a client goes away meanwhile changes nothing: all is under way before the first wait.
    pub(crate) async fn change<T>(
        &self,
        change: impl FnOnce(&mut World) -> Result<T, ApiError>,
    ) -> Result<T, ApiError> {
        let (outcome, written) = {
            let mut world = self.world();
            let outcome = change(&mut world);
            let changes = world.take_changes().map_err(|e| ApiError::internal(&e))?;
            let written = self.0.store.write(changes);
            for action in world.take_to_begin() {
                job::begin(self, action);
            }
            (outcome, written)
        };
        written.await.map_err(|e| ApiError::internal(&e))?;
        outcome
    }

    /// What the metadata service tells the server that has this source address.
    pub(crate) fn identity(&self, address: IpAddr) -> Option<Identity> {
        self.read(|world| server::at(world, address).and_then(|id| server::identity(world, id)))
    }

    /// Shows the name server the zones as they are now.
    pub(crate) fn with_zones<T>(&self, look: impl FnOnce(&[ZoneData]) -> T) -> T {
        look(&self.read(zone::all_data))
    }

    /// The reverse name of an address, if it has one.
    pub(crate) fn pointer(&self, address: IpAddr) -> Option<String> {
        self.read(|world| primary_ip::pointer(world, address))
    }

    fn world(&self) -> MutexGuard<'_, World> {
        // a handler that panicked has left the world as it was before or after one small step
        self.0.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn machines(&self) -> &Machines {
        &self.0.machines
    }

    /// Sets a server's filter to what the memory says.
    pub(crate) async fn filter(&self, server: u64) -> Result<()> {
        filter::refresh(&self.0.filters, server).await
    }

    /// The same, for rules that have changed: a server that is being made gets them with its machine, one that is
    /// being deleted needs none.
    async fn refilter(&self, server: u64) -> Result<()> {
        if self.read(|world| server::has_machine(world, server)) { self.filter(server).await } else { Ok(()) }
    }

    /// Counts one more action being worked on; `None` once the lab is being halted.
    pub(crate) fn busy(&self) -> Option<Busy> {
        let admitted = self.0.load.send_if_modified(|load| {
            load.jobs += usize::from(!load.halting);
            !load.halting
        });
        admitted.then(|| Busy(self.clone()))
    }

    fn is_halting(&self) -> bool {
        self.0.load.borrow().halting
    }
}

impl WeakCloud {
    fn upgrade(&self) -> Option<Cloud> {
        self.0.upgrade().map(Cloud)
    }
}
