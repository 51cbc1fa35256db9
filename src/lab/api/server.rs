//! Servers: what they are, and how they are listed, renamed and deleted.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use axum::extract::Path;
use axum::routing::{post, put};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::action::{Command, Target};
use super::body::{Body, Reference};
use super::error::ApiError;
use super::image::Image;
use super::meta::Meta;
use super::path::Id;
use super::pricing::included_traffic;
use super::primary_ip::{Family, PrimaryIp};
use super::private_net::PrivateNet;
use super::project::Project;
use super::query::Query;
use super::resource::{self, Resource};
use super::server_type::ServerType;
use super::table::{Row, Table};
use super::world::World;
use super::{
    Cloud, Identity, ServerSummary, datacenter, firewall, network, primary_ip, server_create, snapshot,
    volume,
};
use crate::lab::machine::{Attachment, MachineSpec};

/// Where a server stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ServerStatus {
    Initializing,
    Starting,
    Running,
    Stopping,
    Off,
    Deleting,
    Rebuilding,
    Migrating,
}

impl ServerStatus {
    fn as_str(self) -> &'static str {
        match self {
            Self::Initializing => "initializing",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Off => "off",
            Self::Deleting => "deleting",
            Self::Rebuilding => "rebuilding",
            Self::Migrating => "migrating",
        }
    }
}

/// A server.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Server {
    pub(crate) meta: Meta,
    pub(crate) status: ServerStatus,
    pub(crate) server_type: u64,
    pub(crate) image: u64,
    /// Its location's name.
    pub(crate) location: String,
    /// Given at its birth, never shown by the API.
    pub(crate) user_data: Option<String>,
    /// The public keys given at its birth.
    pub(crate) ssh_keys: Vec<String>,
    /// A shutdown was sent and the machine is on its way down.
    pub(crate) shutting_down: bool,
    /// The primary IP of each family that is assigned to it, see `primary_ip::assign`.
    pub(crate) ipv4: Option<u64>,
    pub(crate) ipv6: Option<u64>,
    /// GB; stays where a change of type does not upgrade the disk.
    pub(crate) primary_disk_size: u64,
    pub(crate) protection: Protection,
    /// Hours between which backups are made, `22-02`; `None`: no backups.
    pub(crate) backup_window: Option<String>,
    /// The next boot is into the rescue system.
    pub(crate) rescue_enabled: bool,
    /// The volumes that are attached to it.
    pub(crate) volumes: Vec<u64>,
    pub(crate) private_net: Vec<PrivateNet>,
    pub(crate) placement_group: Option<u64>,
}

/// What a server is protected from.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct Protection {
    pub(crate) delete: bool,
    pub(crate) rebuild: bool,
}

impl Row for Server {
    const KIND: &'static str = "server";
    const TITLE: &'static str = "server";
    const FIRST_ID: u64 = 101;

    fn name(&self) -> Option<&str> {
        Some(&self.meta.name)
    }
}

impl Resource for Server {
    const PLURAL: &'static str = "servers";

    fn table(world: &World) -> &Table<Self> {
        &world.servers
    }

    fn table_mut(world: &mut World) -> &mut Table<Self> {
        &mut world.servers
    }

    fn meta(&self) -> &Meta {
        &self.meta
    }

    fn meta_mut(&mut self) -> &mut Meta {
        &mut self.meta
    }

    fn check_name(name: &str) -> Result<(), ApiError> {
        server_create::check_host_name(name)
    }

    fn is_wanted(&self, _world: &World, query: &Query) -> bool {
        query.allows("status", self.status.as_str())
    }

    fn view(&self, world: &World) -> Value {
        let mut view = json!({
            "id": self.meta.id,
            "name": self.meta.name,
            "status": self.status,
            "created": self.meta.created,
            "public_net": self.public_net(world),
            "private_net": self.private_net,
            "server_type": self.server_type(world).map(|t| t.view(world)),
            "location": world.catalog.location_view(&self.location),
            "image": world.images.get(self.image).map(|image| image.view(world)),
            "iso": null,
            "rescue_enabled": self.rescue_enabled,
            "locked": world.is_locked(self.meta.id),
            "backup_window": self.backup_window,
            "outgoing_traffic": 0,
            "ingoing_traffic": 0,
            "included_traffic": included_traffic(&self.location),
            "protection": self.protection,
            "labels": self.meta.labels,
            "volumes": self.volumes,
            "load_balancers": [],
            "primary_disk_size": self.primary_disk_size,
            "placement_group": self.placement_group
                .and_then(|id| world.placement_groups.get(id))
                .map(|group| group.view(world)),
        });
        datacenter::add(&mut view, world, &self.location);
        view
    }
}

impl Server {
    pub(crate) fn server_type<'a>(&self, world: &'a World) -> Option<&'a ServerType> {
        world.catalog.server_type(&Reference::Id(self.server_type))
    }

    fn public_net(&self, world: &World) -> Value {
        let ip = |family| primary_ip::of_server(world, self.meta.id, family);
        let ipv4 = ip(Family::Ipv4).map(|ip| {
            let pointer = ip.pointer(ip.first(world.block()));
            json!({"id": ip.meta.id, "ip": ip.ip(world.block()), "blocked": false, "dns_ptr": pointer})
        });
        let ipv6 = ip(Family::Ipv6).map(|ip| {
            let pointers = ip.pointers_view(world.block());
            json!({"id": ip.meta.id, "ip": ip.ip(world.block()), "blocked": false, "dns_ptr": pointers})
        });
        json!({
            "ipv4": ipv4,
            "ipv6": ipv6,
            "floating_ips": [],
            "firewalls": firewall::applied_to_server(world, self.meta.id),
        })
    }
}

/// The public IPv4 address of a server.
pub(crate) fn ipv4(world: &World, id: u64) -> Option<Ipv4Addr> {
    primary_ip::of_server(world, id, Family::Ipv4).map(|ip| world.block().v4(ip.number))
}

/// The first address of the public IPv6 network of a server.
pub(crate) fn ipv6(world: &World, id: u64) -> Option<Ipv6Addr> {
    primary_ip::of_server(world, id, Family::Ipv6).map(|ip| world.block().v6(ip.number))
}

/// What a server's machine is to be.
pub(crate) fn machine_spec(world: &World, id: u64) -> Option<MachineSpec> {
    let server = world.servers.get(id)?;
    Some(MachineSpec {
        id,
        name: server.meta.name.clone(),
        ipv4: ipv4(world, id),
        ipv6: ipv6(world, id),
        // an image that is no more was a snapshot, and the machine goes on with what it has of it
        snapshot: world.images.get(server.image).is_none_or(Image::is_snapshot).then_some(server.image),
        volumes: server.volumes.clone(),
        networks: server.private_net.iter().filter_map(|net| attachment(world, net)).collect(),
        user_data: server.user_data.clone(),
        ssh_keys: server.ssh_keys.clone(),
    })
}

/// A machine's place in a private network.
fn attachment(world: &World, net: &PrivateNet) -> Option<Attachment> {
    let network = world.networks.get(net.network)?;
    Some(Attachment {
        network: net.network,
        ip_range: network.ip_range,
        ip: net.ip,
        mac_address: net.mac_address.clone(),
        alias_ips: net.alias_ips.clone(),
        routes: network.routes.iter().map(|route| (route.destination, route.gateway)).collect(),
    })
}

/// The server that a packet with this source address comes from.
pub(crate) fn at(world: &World, address: IpAddr) -> Option<u64> {
    let network = |a: Ipv6Addr| u128::from(a) >> 64;
    match address.to_canonical() {
        IpAddr::V4(wanted) => {
            world.servers.iter().map(|(id, _)| id).find(|id| ipv4(world, *id) == Some(wanted))
        }
        IpAddr::V6(wanted) => world
            .servers
            .iter()
            .map(|(id, _)| id)
            .find(|id| ipv6(world, *id).is_some_and(|own| network(own) == network(wanted))),
    }
}

/// Whether a server's machine is there to stay.
pub(crate) fn has_machine(world: &World, id: u64) -> bool {
    let passing = |s: ServerStatus| matches!(s, ServerStatus::Initializing | ServerStatus::Deleting);
    world.servers.get(id).is_some_and(|server| !passing(server.status))
}

/// What a server may know about itself.
pub(crate) fn identity(world: &World, id: u64) -> Option<Identity> {
    let server = world.servers.get(id)?;
    let location = world.catalog.locations.iter().find(|l| l.name == server.location)?;
    Some(Identity {
        id,
        name: server.meta.name.clone(),
        ipv4: ipv4(world, id),
        ipv6: ipv6(world, id),
        region: location.network_zone,
        availability_zone: location.datacenter.name,
        public_keys: server.ssh_keys.clone(),
        user_data: server.user_data.clone(),
        private_networks: server.private_net.iter().filter_map(|net| network::identity(world, net)).collect(),
    })
}

/// The idle servers whose machines a start of the lab makes again, and those it finds on their way down.
pub(crate) fn to_bring_back(world: &World) -> (Vec<u64>, Vec<u64>) {
    let busy = |id: u64| world.is_working_on(id);
    let (down, idle): (Vec<_>, Vec<_>) =
        world.servers.iter().filter(|(id, _)| !busy(*id)).partition(|(_, server)| server.shutting_down);
    let ids = |servers: Vec<(u64, &Server)>| servers.into_iter().map(|(id, _)| id).collect();
    (ids(idle), ids(down))
}

/// One line for each server.
pub(crate) fn summaries(world: &World) -> Vec<ServerSummary> {
    let line = |(id, server): (u64, &Server)| ServerSummary {
        id,
        name: server.meta.name.clone(),
        ipv4: ipv4(world, id),
        status: server.status.as_str().to_owned(),
    };
    world.servers.iter().map(line).collect()
}

/// Takes a deleted server out of the world, with what it alone used.
pub(crate) fn forget(world: &mut World, id: u64) -> Result<(), ApiError> {
    firewall::detach(world, id);
    primary_ip::release(world, id)?;
    volume::release(world, id)?;
    snapshot::discard_backups(world, id);
    world.servers.remove(id);
    Ok(())
}

pub(crate) fn routes() -> Router<Cloud> {
    resource::routes::<Server>()
        .route("/v1/servers", post(server_create::create))
        .route("/v1/servers/{id}", put(update).delete(remove))
}

async fn update(project: Project, Path(id): Path<String>, body: Body) -> Result<Json<Value>, ApiError> {
    let Project(cloud) = project.clone();
    let relabelled = body.labels()?.is_some();
    let answer = resource::update::<Server>(project, Path(id.clone()), body).await?;
    if relabelled {
        // firewalls may select it by label
        let id = cloud.read(|world| world.servers.resolve(&id))?;
        cloud.refilter(id).await.map_err(|e| ApiError::internal(&e))?;
    }
    Ok(answer)
}

async fn remove(Project(cloud): Project, Path(Id(id)): Path<Id>) -> Result<Json<Value>, ApiError> {
    cloud
        .change(|world| {
            check_unlocked(world, id)?;
            let server = world.servers.find_mut(id)?;
            if server.protection.delete {
                return Err(ApiError::protected("server"));
            }
            server.status = ServerStatus::Deleting;
            let action = world.act(Command::DeleteServer, vec![Target::of::<Server>(id)]);
            Ok(Json(json!({"action": world.action_view(action)?})))
        })
        .await
}

/// 404 for a server that is not there, 423 for one that is busy.
pub(crate) fn check_unlocked(world: &World, id: u64) -> Result<(), ApiError> {
    world.servers.find(id)?;
    if world.is_locked(id) { Err(ApiError::locked("server")) } else { Ok(()) }
}

/// The primary IPs of a server.
pub(crate) fn addresses(world: &World, id: u64) -> Vec<&PrimaryIp> {
    [Family::Ipv4, Family::Ipv6].into_iter().filter_map(|f| primary_ip::of_server(world, id, f)).collect()
}

#[cfg(test)]
impl Server {
    /// One that is off and has nothing.
    pub(crate) fn off(id: u64, location: &str) -> Self {
        Self {
            meta: Meta::new(id, format!("server-{id}"), Default::default()),
            status: ServerStatus::Off,
            server_type: 114,
            image: 310_557_660,
            location: location.to_owned(),
            user_data: None,
            ssh_keys: Vec::new(),
            shutting_down: false,
            ipv4: None,
            ipv6: None,
            primary_disk_size: 40,
            protection: Protection::default(),
            backup_window: None,
            rescue_enabled: false,
            volumes: Vec::new(),
            private_net: Vec::new(),
            placement_group: None,
        }
    }
}
