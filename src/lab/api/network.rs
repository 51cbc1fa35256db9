//! Private networks.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::action::{Action, Command};
use super::body::Body;
use super::error::ApiError;
use super::gateway_route::Route;
use super::meta::Meta;
use super::private_net::PrivateNet;
use super::resource::Resource;
use super::server;
use super::subnet::{Subnet, first_host};
use super::table::{Row, Table};
use super::world::World;
use crate::lab::metadata::PrivateNetwork;

/// The longest prefix, which is the smallest network.
const PREFIX_MAX: u8 = 24;

/// A network.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Network {
    pub(crate) meta: Meta,
    pub(crate) ip_range: Ipv4Net,
    pub(crate) subnets: Vec<Subnet>,
    pub(crate) routes: Vec<Route>,
    pub(crate) protected: bool,
    pub(crate) expose_routes_to_vswitch: bool,
}

impl Row for Network {
    const KIND: &'static str = "network";
    const TITLE: &'static str = "network";
    const FIRST_ID: u64 = 7001;

    fn name(&self) -> Option<&str> {
        Some(&self.meta.name)
    }
}

impl Resource for Network {
    const PLURAL: &'static str = "networks";

    fn table(world: &World) -> &Table<Self> {
        &world.networks
    }

    fn table_mut(world: &mut World) -> &mut Table<Self> {
        &mut world.networks
    }

    fn meta(&self) -> &Meta {
        &self.meta
    }

    fn meta_mut(&mut self) -> &mut Meta {
        &mut self.meta
    }

    fn amend(&mut self, body: &Body) -> Result<(), ApiError> {
        let expose = body.optional("expose_routes_to_vswitch")?;
        self.expose_routes_to_vswitch = expose.unwrap_or(self.expose_routes_to_vswitch);
        Ok(())
    }

    fn view(&self, world: &World) -> Value {
        let subnet = |subnet: &Subnet| {
            json!({
                "type": subnet.kind,
                "ip_range": subnet.ip_range,
                "network_zone": subnet.network_zone,
                "gateway": subnet.gateway(self),
                "vswitch_id": subnet.vswitch_id,
            })
        };
        json!({
            "id": self.meta.id,
            "name": self.meta.name,
            "labels": self.meta.labels,
            "created": self.meta.created,
            "ip_range": self.ip_range,
            "subnets": self.subnets.iter().map(subnet).collect::<Vec<_>>(),
            "routes": self.routes,
            "servers": members(world, self.meta.id),
            "load_balancers": [],
            "protection": {"delete": self.protected},
            "expose_routes_to_vswitch": self.expose_routes_to_vswitch,
        })
    }
}

impl Network {
    /// The first address of the whole range.
    pub(crate) fn gateway(&self) -> Ipv4Addr {
        first_host(self.ip_range)
    }
}

/// Whether a range is one of those that RFC 1918 sets apart.
pub(crate) fn is_private(range: Ipv4Net) -> bool {
    range.network().is_private() && range.broadcast().is_private()
}

/// Whether two ranges have an address in common.
pub(crate) fn overlap(a: Ipv4Net, b: Ipv4Net) -> bool {
    a.contains(&b) || b.contains(&a)
}

/// Refuses what cannot be the range of a network.
pub(crate) fn check_range(range: Ipv4Net) -> Result<(), ApiError> {
    let wrong = |why| Err(ApiError::field("ip_range", why));
    if range.trunc() != range {
        wrong("has bits beyond its netmask")
    } else if !is_private(range) {
        wrong("is not a private range of RFC 1918")
    } else if range.prefix_len() > PREFIX_MAX {
        wrong("must be at least a /24")
    } else {
        Ok(())
    }
}

/// 404 for a network that is not there, 409 for one that is being changed.
pub(crate) fn check_settled(world: &World, id: u64) -> Result<(), ApiError> {
    world.networks.find(id)?;
    let changes = |action: &Action| {
        let attaches = matches!(
            action.command,
            Command::AttachToNetwork | Command::DetachFromNetwork | Command::ChangeAliasIps
        );
        !attaches && action.concerns(Network::KIND, id)
    };
    if world.running().any(changes) { Err(ApiError::conflict("network")) } else { Ok(()) }
}

/// What a server may know about its place in a network.
pub(crate) fn identity(world: &World, net: &PrivateNet) -> Option<PrivateNetwork> {
    let network = world.networks.get(net.network)?;
    let subnet = network.subnets.iter().map(|subnet| subnet.ip_range).find(|range| range.contains(&net.ip));
    Some(PrivateNetwork {
        ip: net.ip,
        alias_ips: net.alias_ips.clone(),
        mac_address: net.mac_address.clone(),
        network_id: net.network,
        network_name: network.meta.name.clone(),
        network: network.ip_range,
        subnet: subnet.unwrap_or(network.ip_range),
        gateway: network.gateway(),
    })
}

/// The servers in a network.
pub(crate) fn members(world: &World, network: u64) -> Vec<u64> {
    let member = |net: &PrivateNet| net.network == network;
    let members = world.servers.iter().filter(|(_, server)| server.private_net.iter().any(member));
    members.map(|(id, _)| id).collect()
}

/// The machines in the network of an action.
pub(crate) fn machines_of(world: &World, action: &Action) -> Vec<u64> {
    let members = action.target::<Network>().map_or_else(Vec::new, |id| members(world, id));
    members.into_iter().filter(|id| server::has_machine(world, *id)).collect()
}
