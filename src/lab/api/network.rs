//! Private networks.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::action::Action;
use super::body::Body;
use super::error::ApiError;
use super::meta::Meta;
use super::resource::Resource;
use super::table::{Row, Table};
use super::world::World;

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

/// A part of a network, in which servers get addresses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Subnet {
    /// `cloud`, `server` or `vswitch`.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) ip_range: Ipv4Net,
    pub(crate) network_zone: String,
    pub(crate) vswitch_id: Option<u64>,
}

/// Where packets for a destination beyond the network go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Route {
    pub(crate) destination: Ipv4Net,
    pub(crate) gateway: Ipv4Addr,
}

/// A server's place in a network.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct PrivateNet {
    pub(crate) network: u64,
    pub(crate) ip: Ipv4Addr,
    pub(crate) alias_ips: Vec<Ipv4Addr>,
    pub(crate) mac_address: String,
}

impl Row for Network {
    const KIND: &'static str = "network";
    const TITLE: &'static str = "network";
    const FIRST_ID: u64 = 7001;
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
        let member = |net: &PrivateNet| net.network == self.meta.id;
        let servers = world.servers.iter().filter(|(_, server)| server.private_net.iter().any(member));
        let servers: Vec<u64> = servers.map(|(id, _)| id).collect();
        let subnet = |subnet: &Subnet| {
            json!({
                "type": subnet.kind,
                "ip_range": subnet.ip_range,
                "network_zone": subnet.network_zone,
                "gateway": self.gateway(),
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
            "servers": servers,
            "load_balancers": [],
            "protection": {"delete": self.protected},
            "expose_routes_to_vswitch": self.expose_routes_to_vswitch,
        })
    }
}

impl Network {
    /// The first address of the whole range.
    pub(crate) fn gateway(&self) -> Ipv4Addr {
        Ipv4Addr::from(u32::from(self.ip_range.network()).saturating_add(1))
    }
}

/// The servers in the network of an action.
pub(crate) fn members(world: &World, action: &Action) -> Vec<u64> {
    let network = action.target::<Network>();
    let member = |net: &PrivateNet| Some(net.network) == network;
    let members = world.servers.iter().filter(|(_, server)| server.private_net.iter().any(member));
    members.map(|(id, _)| id).collect()
}
