//! Primary IPs: the addresses of servers, made with them or kept for themselves.

use std::net::IpAddr;

use axum::http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::address;
use super::error::ApiError;
use super::label::Labels;
use super::server;
use super::sort::SortKey;
use super::table::{Resource, Row, Table};
use super::world::{World, now};

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
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) labels: Labels,
    created: Timestamp,
    /// Its location's name.
    pub(crate) location: String,
    pub(crate) family: Family,
    /// The last number of its address, see `address`.
    pub(crate) number: u8,
    /// Goes with the server it is assigned to.
    pub(crate) auto_delete: bool,
    /// The server that has it.
    pub(crate) assignee: Option<u64>,
}

impl Row for PrimaryIp {
    const KIND: &'static str = "primary_ip";
    const TITLE: &'static str = "primary IP";
    const FIRST_ID: u64 = 4001;
}

impl Resource for PrimaryIp {
    const PLURAL: &'static str = "primary_ips";
    const PATH_TAKES_NAME: bool = false;

    fn table(world: &World) -> &Table<Self> {
        &world.primary_ips
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
            "created" => Some(SortKey::Time(Some(self.created))),
            _ => None,
        }
    }

    fn view(&self, world: &World) -> Value {
        let ip = self.ip(world.slot);
        let pointers = match self.family {
            Family::Ipv4 => json!([{"ip": ip, "dns_ptr": self.default_pointer(world.slot)}]),
            Family::Ipv6 => json!([]),
        };
        json!({
            "id": self.id,
            "name": self.name,
            "labels": self.labels,
            "created": self.created,
            "blocked": false,
            "location": world.catalog.location_view(&self.location),
            "ip": ip,
            "dns_ptr": pointers,
            "protection": {"delete": false},
            "type": self.family,
            "auto_delete": self.auto_delete,
            "assignee_type": if self.assignee.is_some() { "server" } else { "unassigned" },
            "assignee_id": self.assignee,
        })
    }
}

impl PrimaryIp {
    /// `198.18.0.2`, or the network `2001:db8:0:2::/64`.
    pub(crate) fn ip(&self, slot: u8) -> String {
        match self.family {
            Family::Ipv4 => address::v4(slot, self.number).to_string(),
            Family::Ipv6 => format!("{}/64", address::v6(slot, self.number)),
        }
    }

    /// The reverse name an IPv4 address has until somebody sets another.
    pub(crate) fn default_pointer(&self, slot: u8) -> String {
        let [a, b, c, d] = address::v4(slot, self.number).octets();
        format!("static.{d}.{c}.{b}.{a}.clients.your-server.de")
    }

    /// Whether it has this address.
    pub(crate) fn is_at(&self, slot: u8, wanted: &str) -> bool {
        match (self.family, wanted.parse()) {
            (Family::Ipv4, Ok(IpAddr::V4(ip))) => ip == address::v4(slot, self.number),
            (Family::Ipv6, Ok(IpAddr::V6(ip))) => ip == address::v6(slot, self.number),
            _ => self.ip(slot) == wanted,
        }
    }
}

/// The address of a family that a server has.
pub(crate) fn of_server(world: &World, server: u64, family: Family) -> Option<&PrimaryIp> {
    world.primary_ips.iter().map(|(_, ip)| ip).find(|ip| ip.assignee == Some(server) && ip.family == family)
}

/// The reverse name of an address.
pub(crate) fn pointer(world: &World, address: IpAddr) -> Option<String> {
    let IpAddr::V4(address) = address else {
        return None;
    };
    let mut ips = world.primary_ips.iter().map(|(_, ip)| ip);
    let found = ips.find(|ip| ip.family == Family::Ipv4 && address::v4(world.slot, ip.number) == address)?;
    Some(found.default_pointer(world.slot))
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

/// Gives an existing primary IP to a server.
pub(crate) fn assign(world: &mut World, id: u64, server: u64) -> Result<(), ApiError> {
    world.primary_ips.find_mut(id)?.assignee = Some(server);
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
pub(crate) fn release(world: &mut World, server: u64) {
    let ids: Vec<u64> = server::addresses(world, server).iter().map(|ip| ip.id).collect();
    for id in ids {
        let Some(ip) = world.primary_ips.get_mut(id) else {
            continue;
        };
        ip.assignee = None;
        if ip.auto_delete {
            drop_ip(world, id);
        }
    }
}

/// Takes an address out of the world and its number back into the pool.
pub(crate) fn drop_ip(world: &mut World, id: u64) {
    match world.primary_ips.remove(id) {
        Some(PrimaryIp { family: Family::Ipv4, number, .. }) => world.addresses().free_v4(number),
        Some(PrimaryIp { family: Family::Ipv6, number, .. }) => world.addresses().free_v6(number),
        None => {}
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

/// Makes a primary IP; 403 if no address is left.
pub(crate) fn make(world: &mut World, wish: Wish, location: String) -> Result<u64, ApiError> {
    let Wish { name, labels, family, auto_delete, assignee } = wish;
    let number = match family {
        Family::Ipv4 => world.addresses().take_v4(),
        Family::Ipv6 => {
            // both addresses of a server end alike where that is possible
            let sibling = assignee.and_then(|id| of_server(world, id, Family::Ipv4)).map(|ip| ip.number);
            world.addresses().take_v6(sibling)
        }
    };
    let number = number.ok_or_else(|| ApiError::limit_exceeded("primary_ip_limit"))?;
    Ok(world.primary_ips.insert(|id| PrimaryIp {
        id,
        name: name.unwrap_or_else(|| format!("primary_ip-{id}")),
        labels,
        created: now(),
        location,
        family,
        number,
        auto_delete,
        assignee,
    }))
}
