//! Primary IPs: the addresses of servers, made with them or kept for themselves.

use std::collections::BTreeMap;
use std::net::IpAddr;

use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::address::Block;
use super::body::Body;
use super::error::ApiError;
use super::label::Labels;
use super::meta::Meta;
use super::query::Query;
use super::resource::Resource;
use super::table::{Row, Table};
use super::world::World;
use super::{datacenter, server};

/// The two kinds of address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Family {
    Ipv4,
    Ipv6,
}

impl Family {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Ipv4 => "ipv4",
            Self::Ipv6 => "ipv6",
        }
    }
}

/// A primary IP.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct PrimaryIp {
    pub(crate) meta: Meta,
    /// Its location's name.
    pub(crate) location: String,
    pub(crate) family: Family,
    /// The number of its address, see `address`.
    pub(crate) number: u16,
    /// Goes with the server it is assigned to.
    pub(crate) auto_delete: bool,
    /// The server that has it. Set by [`assign`] and [`unassign`] alone, which tell the server, too.
    pub(crate) assignee: Option<u64>,
    pub(crate) protected: bool,
    /// The reverse names that somebody has set, see [`PrimaryIp::pointer`].
    pub(crate) pointers: BTreeMap<IpAddr, String>,
}

impl Row for PrimaryIp {
    const KIND: &'static str = "primary_ip";
    const TITLE: &'static str = "primary IP";
    const FIRST_ID: u64 = 4001;

    fn name(&self) -> Option<&str> {
        Some(&self.meta.name)
    }
}

impl Resource for PrimaryIp {
    const PLURAL: &'static str = "primary_ips";

    fn table(world: &World) -> &Table<Self> {
        &world.primary_ips
    }

    fn table_mut(world: &mut World) -> &mut Table<Self> {
        &mut world.primary_ips
    }

    fn meta(&self) -> &Meta {
        &self.meta
    }

    fn meta_mut(&mut self) -> &mut Meta {
        &mut self.meta
    }

    fn is_wanted(&self, world: &World, query: &Query) -> bool {
        query.first("ip").is_none_or(|wanted| self.is_at(world.block(), wanted))
            && query.allows("type", self.family.as_str())
    }

    fn amend(&mut self, body: &Body) -> Result<(), ApiError> {
        self.auto_delete = body.optional("auto_delete")?.unwrap_or(self.auto_delete);
        if self.auto_delete && self.protected {
            let message = "a protected primary IP cannot be deleted with its server";
            return Err(ApiError::unprocessable("invalid_input", message));
        }
        Ok(())
    }

    fn view(&self, world: &World) -> Value {
        let mut view = json!({
            "id": self.meta.id,
            "name": self.meta.name,
            "labels": self.meta.labels,
            "created": self.meta.created,
            "blocked": false,
            "location": world.catalog.location_view(&self.location),
            "ip": self.ip(world.block()),
            "dns_ptr": self.pointers_view(world.block()),
            "protection": {"delete": self.protected},
            "type": self.family,
            "auto_delete": self.auto_delete,
            "assignee_type": if self.assignee.is_some() { "server" } else { "unassigned" },
            "assignee_id": self.assignee,
        });
        datacenter::add(&mut view, world, &self.location);
        view
    }
}

impl PrimaryIp {
    /// `198.18.0.2`, or the network `2001:db8:0:2::/64`.
    pub(crate) fn ip(&self, block: Block) -> String {
        match self.family {
            Family::Ipv4 => block.v4(self.number).to_string(),
            Family::Ipv6 => format!("{}/64", block.v6(self.number)),
        }
    }

    /// The one address, or the first of the network.
    pub(crate) fn first(&self, block: Block) -> IpAddr {
        match self.family {
            Family::Ipv4 => block.v4(self.number).into(),
            Family::Ipv6 => block.v6(self.number).into(),
        }
    }

    /// Whether an address is this one or in this network.
    pub(crate) fn holds(&self, block: Block, address: IpAddr) -> bool {
        match (self.first(block), address) {
            (IpAddr::V6(first), IpAddr::V6(address)) => u128::from(first) >> 64 == u128::from(address) >> 64,
            (first, address) => first == address,
        }
    }

    /// Whether it is what a filter asks for: an address, or the network as [`PrimaryIp::ip`] has it.
    fn is_at(&self, block: Block, wanted: &str) -> bool {
        wanted
            .parse()
            .map_or_else(|_| self.ip(block) == wanted, |address: IpAddr| self.first(block) == address)
    }
}

/// The address of a family that a server has.
pub(crate) fn of_server(world: &World, server: u64, family: Family) -> Option<&PrimaryIp> {
    let server = world.servers.get(server)?;
    let id = match family {
        Family::Ipv4 => server.ipv4,
        Family::Ipv6 => server.ipv6,
    };
    world.primary_ips.get(id?)
}

/// The reverse name of an address.
pub(crate) fn pointer(world: &World, address: IpAddr) -> Option<String> {
    let mut ips = world.primary_ips.iter().map(|(_, ip)| ip);
    ips.find(|ip| ip.holds(world.block(), address))?.pointer(address)
}

/// Refuses an existing primary IP that a new server cannot have.
pub(crate) fn check_usable(world: &World, id: u64, family: Family, location: &str) -> Result<(), ApiError> {
    let ip = world.primary_ips.find(id)?;
    if ip.family != family {
        let message = "primary IP has the wrong IP version";
        Err(ApiError::new(StatusCode::PRECONDITION_FAILED, "primary_ip_version_mismatch", message))
    } else if ip.assignee.is_some() {
        Err(ApiError::unprocessable("primary_ip_assigned", "primary IP is already assigned to a server"))
    } else if ip.location != location {
        let message = "primary IP is in a different datacenter";
        Err(ApiError::unprocessable("primary_ip_datacenter_mismatch", message))
    } else {
        Ok(())
    }
}

/// Gives a primary IP to a server.
pub(crate) fn assign(world: &mut World, id: u64, server: u64) -> Result<(), ApiError> {
    world.primary_ips.find_mut(id)?.assignee = Some(server);
    tell(world, id, server, Some(id))
}

/// Takes a primary IP from the server that has it.
pub(crate) fn unassign(world: &mut World, id: u64) -> Result<(), ApiError> {
    match world.primary_ips.find_mut(id)?.assignee.take() {
        Some(server) => tell(world, id, server, None),
        None => Ok(()),
    }
}

/// Writes down at the server which primary IP of a family it has.
fn tell(world: &mut World, id: u64, server: u64, has: Option<u64>) -> Result<(), ApiError> {
    let family = world.primary_ips.find(id)?.family;
    let server = world.servers.find_mut(server)?;
    match family {
        Family::Ipv4 => server.ipv4 = has,
        Family::Ipv6 => server.ipv6 = has,
    }
    Ok(())
}

/// Makes a primary IP that goes with its server.
pub(crate) fn make_for(
    world: &mut World,
    family: Family,
    server: u64,
    location: &str,
) -> Result<(), ApiError> {
    let wish = Wish { name: None, labels: Labels::new(), family, auto_delete: true, assignee: Some(server) };
    make(world, wish, location.to_owned()).map(|_| ())
}

/// Takes a deleted server's addresses from it.
pub(crate) fn release(world: &mut World, server: u64) -> Result<(), ApiError> {
    let addresses: Vec<(u64, bool)> =
        server::addresses(world, server).iter().map(|ip| (ip.meta.id, ip.auto_delete)).collect();
    for (id, auto_delete) in addresses {
        unassign(world, id)?;
        if auto_delete {
            drop_ip(world, id);
        }
    }
    Ok(())
}

/// Takes an address out of the world and its number back into the pool.
pub(crate) fn drop_ip(world: &mut World, id: u64) {
    if let Some(ip) = world.primary_ips.remove(id) {
        world.pool.free(ip.family, ip.number);
    }
}

/// What a new primary IP is to be.
#[derive(Debug)]
pub(crate) struct Wish {
    /// `None`: named after its id.
    pub(crate) name: Option<String>,
    pub(crate) labels: Labels,
    pub(crate) family: Family,
    pub(crate) auto_delete: bool,
    pub(crate) assignee: Option<u64>,
}

/// Makes a primary IP, whose quota was checked; 403 if no address is left.
pub(crate) fn make(world: &mut World, wish: Wish, location: String) -> Result<u64, ApiError> {
    let Wish { name, labels, family, auto_delete, assignee } = wish;
    // both addresses of a server end alike where that is possible
    let wished = match assignee {
        Some(server) => world.servers.ordinal(server),
        None => world.primary_ips.ordinal(world.primary_ips.next_id()),
    };
    let number =
        world.pool.take(family, wished).ok_or_else(|| ApiError::limit_exceeded("primary_ip_limit"))?;
    let id = world.primary_ips.insert(|id| {
        let name = name.unwrap_or_else(|| format!("primary_ip-{id}"));
        PrimaryIp {
            meta: Meta::new(id, name, labels),
            location,
            family,
            number,
            auto_delete,
            assignee: None,
            protected: false,
            pointers: BTreeMap::new(),
        }
    });
    if let Some(server) = assignee {
        assign(world, id, server)?;
    }
    Ok(id)
}
