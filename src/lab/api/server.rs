//! Servers: what they are, and how they are listed, renamed and deleted.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::get;
use axum::{Json, Router};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::action::{self, Action, Command, Target};
use super::body::{Body, Reference};
use super::error::ApiError;
use super::label::Labels;
use super::path::Id;
use super::pricing::included_traffic;
use super::primary_ip::{Family, PrimaryIp};
use super::query::Query;
use super::sort::SortKey;
use super::table::{Resource, Row, Table};
use super::world::World;
use super::{Cloud, Identity, ServerSummary, firewall, primary_ip, server_create};
use crate::lab::machine::MachineSpec;

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
        }
    }
}

/// A server. Its addresses are the primary IPs that are assigned to it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Server {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) status: ServerStatus,
    pub(crate) created: Timestamp,
    pub(crate) server_type: u64,
    pub(crate) image: u64,
    /// Its location's name.
    pub(crate) location: String,
    pub(crate) labels: Labels,
    /// Given at its birth, never shown by the API.
    pub(crate) user_data: Option<String>,
    /// The public keys given at its birth.
    pub(crate) ssh_keys: Vec<String>,
    /// A shutdown was sent and the machine is on its way down.
    pub(crate) shutting_down: bool,
}

impl Row for Server {
    const KIND: &'static str = "server";
    const TITLE: &'static str = "server";
    const FIRST_ID: u64 = 101;
}

impl Resource for Server {
    const PLURAL: &'static str = "servers";
    const PATH_TAKES_NAME: bool = false;

    fn table(world: &World) -> &Table<Self> {
        &world.servers
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn labels(&self) -> &Labels {
        &self.labels
    }

    fn sort_key(&self, field: &str) -> Option<SortKey> {
        match field {
            "id" => Some(SortKey::Number(self.id)),
            "name" => Some(SortKey::Text(self.name.clone())),
            "created" => Some(SortKey::Time(Some(self.created))),
            _ => None,
        }
    }

    fn view(&self, world: &World) -> Value {
        let server_type = world.catalog.server_type(&Reference::Id(self.server_type));
        let image = world.catalog.images.iter().find(|image| image.id == self.image);
        json!({
            "id": self.id,
            "name": self.name,
            "status": self.status,
            "created": self.created,
            "public_net": self.public_net(world),
            "private_net": [],
            "server_type": server_type.map(|t| t.view(&world.catalog)),
            "location": world.catalog.location_view(&self.location),
            "image": image.map(super::image::Image::view),
            "iso": null,
            "rescue_enabled": false,
            "locked": world.is_locked(self.id),
            "backup_window": null,
            "outgoing_traffic": 0,
            "ingoing_traffic": 0,
            "included_traffic": included_traffic(&self.location),
            "protection": {"delete": false, "rebuild": false},
            "labels": self.labels,
            "volumes": [],
            "load_balancers": [],
            "primary_disk_size": server_type.map(|t| t.disk),
            "placement_group": null,
        })
    }
}

impl Server {
    fn public_net(&self, world: &World) -> Value {
        let ip = |family| primary_ip::of_server(world, self.id, family);
        let ipv4 = ip(Family::Ipv4).map(|ip| {
            let pointer = ip.default_pointer(world.slot);
            json!({"id": ip.id, "ip": ip.ip(world.slot), "blocked": false, "dns_ptr": pointer})
        });
        let ipv6 = ip(Family::Ipv6)
            .map(|ip| json!({"id": ip.id, "ip": ip.ip(world.slot), "blocked": false, "dns_ptr": []}));
        json!({
            "ipv4": ipv4,
            "ipv6": ipv6,
            "floating_ips": [],
            "firewalls": firewall::applied_to_server(world, self.id),
        })
    }
}

/// The public IPv4 address of a server.
pub(crate) fn ipv4(world: &World, id: u64) -> Option<Ipv4Addr> {
    primary_ip::of_server(world, id, Family::Ipv4).map(|ip| super::address::v4(world.slot, ip.number))
}

/// The first address of the public IPv6 network of a server.
pub(crate) fn ipv6(world: &World, id: u64) -> Option<Ipv6Addr> {
    primary_ip::of_server(world, id, Family::Ipv6).map(|ip| super::address::v6(world.slot, ip.number))
}

/// What a server's machine is to be.
pub(crate) fn machine_spec(world: &World, id: u64) -> Option<MachineSpec> {
    let server = world.servers.get(id)?;
    Some(MachineSpec {
        id,
        name: server.name.clone(),
        ipv4: ipv4(world, id),
        ipv6: ipv6(world, id),
        user_data: server.user_data.clone(),
        ssh_keys: server.ssh_keys.clone(),
        ..MachineSpec::default()
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
        name: server.name.clone(),
        ipv4: ipv4(world, id),
        ipv6: ipv6(world, id),
        region: location.network_zone,
        availability_zone: location.datacenter,
        public_keys: server.ssh_keys.clone(),
        user_data: server.user_data.clone(),
    })
}

/// The idle servers whose machines a start of the lab makes again, and those it finds on their way down.
pub(crate) fn to_bring_back(world: &World) -> (Vec<u64>, Vec<u64>) {
    let busy = |id: u64| world.running().any(|action| action.locks(id));
    let (down, idle): (Vec<_>, Vec<_>) =
        world.servers.iter().filter(|(id, _)| !busy(*id)).partition(|(_, server)| server.shutting_down);
    let ids = |servers: Vec<(u64, &Server)>| servers.into_iter().map(|(id, _)| id).collect();
    (ids(idle), ids(down))
}

/// One line for each server.
pub(crate) fn summaries(world: &World) -> Vec<ServerSummary> {
    let line = |(id, server): (u64, &Server)| ServerSummary {
        id,
        name: server.name.clone(),
        ipv4: ipv4(world, id),
        status: server.status.as_str().to_owned(),
    };
    world.servers.iter().map(line).collect()
}

/// Takes a deleted server out of the world, with what it alone used.
pub(crate) fn forget(world: &mut World, action: &Action) {
    let Some(id) = action.target::<Server>() else {
        return;
    };
    firewall::detach(world, id);
    primary_ip::release(world, id);
    world.servers.remove(id);
}

pub(crate) fn routes() -> Router<Cloud> {
    Router::new()
        .route("/v1/servers", get(list).post(server_create::create))
        .route("/v1/servers/{id}", get(one).put(update).delete(remove))
        .merge(action::routes_of::<Server>())
}

async fn list(State(cloud): State<Cloud>, query: Query) -> Result<Response, ApiError> {
    cloud.read(|world| query.list::<Server>(world, |server| query.allows("status", server.status.as_str())))
}

async fn one(State(cloud): State<Cloud>, Path(Id(id)): Path<Id>) -> Result<Json<Value>, ApiError> {
    cloud.read(|world| Ok(Json(json!({"server": world.servers.find(id)?.view(world)}))))
}

async fn update(
    State(cloud): State<Cloud>,
    Path(Id(id)): Path<Id>,
    body: Body,
) -> Result<Json<Value>, ApiError> {
    let (name, labels) = (body.new_name()?, body.labels()?);
    name.as_deref().map(server_create::check_host_name).transpose()?;
    let relabelled = labels.is_some();
    let answer = cloud
        .change(|world| {
            world.servers.find(id)?;
            if let Some(name) = &name {
                world.servers.check_name_free(name, Some(id))?;
            }
            let server = world.servers.find_mut(id)?;
            server.name = name.unwrap_or_else(|| server.name.clone());
            server.labels = labels.unwrap_or_else(|| server.labels.clone());
            Ok(Json(json!({"server": world.servers.find(id)?.view(world)})))
        })
        .await?;
    if relabelled {
        // firewalls may select it by label
        cloud.refilter(id).await.map_err(|e| ApiError::internal(&e))?;
    }
    Ok(answer)
}

async fn remove(State(cloud): State<Cloud>, Path(Id(id)): Path<Id>) -> Result<Json<Value>, ApiError> {
    cloud
        .change(|world| {
            check_unlocked(world, id)?;
            world.servers.find_mut(id)?.status = ServerStatus::Deleting;
            let action = world.act(Command::DeleteServer, vec![Target::of::<Server>(id)]);
            Ok(Json(json!({"action": world.actions.find(action)?.view(world)})))
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
