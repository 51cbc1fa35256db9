//! Hetzner's API as of 2026-11, played on this computer: a stranger's client cannot tell the difference.

mod absent;
mod action;
mod address;
mod answer;
mod api_date;
mod body;
mod catalog;
mod datacenter;
mod deed;
mod delays;
mod deprecation;
mod error;
pub mod fault;
mod filter;
mod firewall;
mod firewall_place;
mod firewall_routes;
mod firewall_rule;
mod gateway_route;
mod http;
mod image;
mod image_routes;
mod image_system;
mod job;
mod label;
mod life;
mod location;
mod meta;
mod metrics;
mod names;
mod network;
mod network_routes;
mod password;
mod path;
mod placement_group;
mod pointer;
mod pricing;
mod primary_ip;
mod primary_ip_routes;
mod private_net;
mod project;
mod query;
mod rate_limit;
mod recent;
mod record;
mod request_log;
mod resource;
mod rrset;
mod rrset_routes;
mod serve;
mod server;
mod server_actions;
mod server_create;
mod server_network;
mod server_type;
mod snapshot;
mod sort;
mod ssh_key;
mod store;
mod subnet;
mod table;
mod volume;
mod volume_routes;
mod world;
mod zone;
mod zone_file;
mod zone_routes;
mod zone_words;

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use anyhow::{Context, Result};
use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};

pub use address::Block;
pub use api_date::ApiDate;
pub use delays::Delays;
pub use project::ProjectKey;
pub use rate_limit::HOURLY;

use self::address::Pool;
use self::error::ApiError;
use self::fault::{Encounter, Fault, Faults};
use self::filter::Refresh;
use self::rate_limit::RateLimit;
use self::request_log::RequestLog;
use self::store::Store;
use self::world::World;
use super::dns::ZoneData;
use super::machine::Machines;
use super::metadata::PrivateNetwork;

/// What a cloud is opened with.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The lab's directory; holds `cloud.db` and `requests.jsonl`.
    pub dir: PathBuf,
    /// The addresses that servers get.
    pub block: Block,
    /// The projects, apart from each other; new ones come at the end.
    pub projects: Vec<ProjectKey>,
    /// Who plays the servers.
    pub machines: Machines,
    /// How long actions take.
    pub delays: Delays,
    /// Whose API is played.
    pub api_date: ApiDate,
    /// Requests an hour for each project; `None`: as many as come.
    pub rate_limit: Option<u32>,
    /// What goes wrong from the beginning.
    pub faults: Vec<Fault>,
}

/// A handle on the cloud as one of its projects sees it; clones are the same.
#[derive(Debug, Clone)]
pub struct Cloud {
    lab: Arc<Inner>,
    project: usize,
    /// The request that this handle is for, and its faults.
    encounter: Option<Arc<Encounter>>,
}

/// A handle that does not keep the cloud alive.
#[derive(Debug)]
pub(crate) struct WeakCloud(Weak<Inner>);

#[derive(Debug)]
struct Inner {
    projects: Vec<Tenancy>,
    /// For requests without a project's token.
    strangers: RateLimit,
    store: Store,
    machines: Machines,
    filters: mpsc::UnboundedSender<Refresh>,
    load: watch::Sender<Load>,
    log: RequestLog,
    faults: Faults,
}

/// What each project has for itself.
#[derive(Debug)]
struct Tenancy {
    name: String,
    token: String,
    world: Mutex<World>,
    rate_limit: RateLimit,
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
        self.0.lab.load.send_modify(|load| load.jobs -= 1);
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
    pub(crate) private_networks: Vec<PrivateNetwork>,
}

impl Cloud {
    /// Opens the cloud of a directory as it was left. Starts nothing, see [`Cloud::resume`].
    ///
    /// # Errors
    /// The directory cannot be written, or its state cannot be read.
    pub async fn open(settings: Settings) -> Result<Self> {
        let Settings { dir, block, projects, machines, delays, api_date, rate_limit, faults } = settings;
        std::fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
        let (store, rows) = Store::open(&dir.join("cloud.db")).await?;
        let pool = Pool::new(block);
        let tenancy = |(place, ProjectKey { name, token }): (usize, ProjectKey)| {
            let mut world = World::new(place, pool.clone(), delays.clone(), api_date);
            world.load(rows.iter().filter(|row| row.project() == place))?;
            Ok(Tenancy { name, token, world: Mutex::new(world), rate_limit: RateLimit::hourly(rate_limit) })
        };
        let projects = projects.into_iter().enumerate().map(tenancy).collect::<Result<_>>()?;
        let (filters, requests) = mpsc::unbounded_channel();
        let lab = Arc::new(Inner {
            projects,
            strangers: RateLimit::hourly(rate_limit),
            store,
            machines,
            filters,
            load: watch::Sender::new(Load::default()),
            log: RequestLog::open(&dir.join("requests.jsonl"))?,
            faults: Faults::new(faults),
        });
        tokio::spawn(filter::serve(WeakCloud(Arc::downgrade(&lab)), requests));
        Ok(Self { lab, project: 0, encounter: None })
    }

    /// Answers the API, below `/v1`, and what changes faults, below `/control`, for ever.
    pub async fn serve(&self, listener: TcpListener) -> Infallible {
        serve::serve(listener, http::router(self.clone())).await
    }

    /// The metadata service of all servers; needs `ConnectInfo<SocketAddr>` to know who asks.
    pub fn metadata_router(&self) -> Router {
        super::metadata::router(self.clone())
    }

    /// The same cloud as the project in this place sees it.
    pub(crate) fn of_project(&self, project: usize) -> Self {
        Self { lab: Arc::clone(&self.lab), project, encounter: None }
    }

    /// The cloud as each project sees it.
    fn projects(&self) -> impl Iterator<Item = Self> {
        (0..self.lab.projects.len()).map(|project| self.of_project(project))
    }

    /// The place of the project that has this token.
    fn project_of(&self, token: &str) -> Option<usize> {
        self.lab.projects.iter().position(|project| project.token == token)
    }

    /// The servers, in the order of their ids.
    pub fn summary(&self) -> Vec<ServerSummary> {
        self.projects().flat_map(|project| project.read(server::summaries)).collect()
    }

    /// Looks at the world.
    pub(crate) fn read<T>(&self, look: impl FnOnce(&World) -> T) -> T {
        self.locked(|world| look(world))
    }

    /// Changes the world, sees to it that the change is written down, and begins the actions it has set going.
    ///
    /// That a client goes away meanwhile changes nothing: all is under way before the first wait.
    pub(crate) async fn change<T>(
        &self,
        change: impl FnOnce(&mut World) -> Result<T, ApiError>,
    ) -> Result<T, ApiError> {
        let (outcome, written) = self.locked(|world| {
            let outcome = change(world);
            let changes = world.take_changes().map_err(|e| ApiError::internal(&e))?;
            let written = self.lab.store.write(changes);
            for action in world.take_to_begin() {
                job::begin(&self.of_project(self.project), action);
            }
            job::remove_snapshots(self, std::mem::take(&mut world.discarded_snapshots));
            Ok((outcome, written))
        })?;
        written.await.map_err(|e| ApiError::internal(&e))?;
        outcome
    }

    /// What the metadata service tells the server that has this source address.
    pub(crate) fn identity(&self, address: IpAddr) -> Option<Identity> {
        let own = |world: &World| server::at(world, address).and_then(|id| server::identity(world, id));
        self.projects().find_map(|project| project.read(own))
    }

    /// Shows the name server the zones as they are now.
    pub(crate) fn with_zones<T>(&self, look: impl FnOnce(&[ZoneData]) -> T) -> T {
        let zones: Vec<ZoneData> = self.projects().flat_map(|project| project.read(zone::all_data)).collect();
        look(&zones)
    }

    /// The reverse name of an address, if it has one.
    pub(crate) fn pointer(&self, address: IpAddr) -> Option<String> {
        self.projects().find_map(|project| project.read(|world| primary_ip::pointer(world, address)))
    }

    fn locked<T>(&self, work: impl FnOnce(&mut World) -> T) -> T {
        // a handler that panicked has left the world as it was before or after one small step
        let mut world = self.tenancy().world.lock().unwrap_or_else(PoisonError::into_inner);
        world.encounter.clone_from(&self.encounter);
        let outcome = work(&mut world);
        world.encounter = None;
        outcome
    }

    #[expect(clippy::indexing_slicing, reason = "a handle is only made for a project that is there")]
    fn tenancy(&self) -> &Tenancy {
        &self.lab.projects[self.project]
    }

    fn faults(&self) -> &Faults {
        &self.lab.faults
    }

    pub(crate) fn machines(&self) -> &Machines {
        &self.lab.machines
    }

    /// Sets a server's filter to what the memory says.
    pub(crate) async fn filter(&self, server: u64) -> Result<()> {
        filter::refresh(&self.lab.filters, self.project, server).await
    }

    /// The same, for rules that have changed: a server that is being made gets them with its machine, one that is
    /// being deleted needs none.
    async fn refilter(&self, server: u64) -> Result<()> {
        if self.read(|world| server::has_machine(world, server)) { self.filter(server).await } else { Ok(()) }
    }

    /// Counts one more action being worked on; `None` once the lab is being halted.
    pub(crate) fn busy(&self) -> Option<Busy> {
        let admitted = self.lab.load.send_if_modified(|load| {
            load.jobs += usize::from(!load.halting);
            !load.halting
        });
        admitted.then(|| Busy(self.clone()))
    }

    fn is_halting(&self) -> bool {
        self.lab.load.borrow().halting
    }
}

impl WeakCloud {
    fn upgrade(&self, project: usize) -> Option<Cloud> {
        self.0.upgrade().map(|lab| Cloud { lab, project, encounter: None })
    }
}
