//! Subnets: the parts of a network, in which servers get addresses.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

use super::body::Body;
use super::error::ApiError;
use super::network::{Network, is_private, overlap};
use super::world::World;

/// Subnets of one network.
const PER_NETWORK_MAX: usize = 50;
/// The longest prefix, which is the smallest subnet.
const PREFIX_MAX: u8 = 30;
/// The prefix of a subnet whose range nobody chose.
const PREFIX_DEFAULT: u8 = 24;
/// The only zone where vSwitches are.
const VSWITCH_ZONE: &str = "eu-central";
/// The gateway of public interfaces, which no private one can be.
pub(crate) const PUBLIC_GATEWAY: Ipv4Addr = Ipv4Addr::new(172, 31, 1, 1);

/// A part of a network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Subnet {
    #[serde(rename = "type")]
    pub(crate) kind: Kind,
    pub(crate) ip_range: Ipv4Net,
    pub(crate) network_zone: String,
    pub(crate) vswitch_id: Option<u64>,
}

/// What a subnet connects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    Cloud,
    /// The old name of `cloud`.
    Server,
    /// Dedicated servers.
    Vswitch,
}

impl Subnet {
    /// Whether a cloud server in a zone can have addresses of it.
    pub(crate) fn serves(&self, network_zone: &str) -> bool {
        self.kind != Kind::Vswitch && self.network_zone == network_zone
    }

    /// Whether an address is one that a member can have, whoever has it now.
    pub(crate) fn has_host(&self, ip: Ipv4Addr) -> bool {
        let range = self.ip_range;
        range.contains(&ip) && ip != range.network() && ip != range.broadcast() && ip != PUBLIC_GATEWAY
    }

    /// The gateway of its members.
    pub(crate) fn gateway(&self, network: &Network) -> Ipv4Addr {
        match self.kind {
            Kind::Cloud | Kind::Server => network.gateway(),
            Kind::Vswitch => first_host(self.ip_range),
        }
    }
}

/// The first address after a range's own.
pub(crate) fn first_host(range: Ipv4Net) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(range.network()).saturating_add(1))
}

/// What a request asks for; only its form is checked.
#[derive(Debug)]
pub(crate) struct Wish {
    kind: Kind,
    /// `None`: the first free /24.
    ip_range: Option<Ipv4Net>,
    network_zone: String,
    vswitch_id: Option<u64>,
}

impl Wish {
    pub(crate) fn read(body: &Body) -> Result<Self, ApiError> {
        let kind = body.required("type")?;
        let vswitch_id = body.optional("vswitch_id")?.filter(|id| *id != 0);
        match (kind, vswitch_id) {
            (Kind::Vswitch, None) => Err(ApiError::field("vswitch_id", "is required for type vswitch")),
            (Kind::Cloud | Kind::Server, Some(_)) => {
                Err(ApiError::field("vswitch_id", "is only for type vswitch"))
            }
            (Kind::Vswitch, Some(_)) | (Kind::Cloud | Kind::Server, None) => Ok(()),
        }?;
        // hcloud-go sends an empty range where it has none
        let text = body.optional::<String>("ip_range")?.filter(|text| !text.is_empty());
        let ip_range = text.map(|text| text.parse()).transpose();
        let ip_range =
            ip_range.map_err(|_| ApiError::field("ip_range", "is not a network in CIDR notation"))?;
        Ok(Self { kind, ip_range, network_zone: body.required("network_zone")?, vswitch_id })
    }

    /// The subnet that a network would get.
    pub(crate) fn fit(self, world: &World, network: &Network) -> Result<Subnet, ApiError> {
        let Self { kind, ip_range, network_zone, vswitch_id } = self;
        if network.subnets.len() >= PER_NETWORK_MAX {
            return Err(ApiError::limit_exceeded("network_subnets_limit"));
        }
        check_zone(world, network, kind, &network_zone)?;
        if vswitch_id.is_some_and(|id| is_coupled(world, network, id)) {
            let message = "the vSwitch is already used in a network";
            return Err(ApiError::unprocessable("vswitch_id_already_used", message));
        }
        let ip_range = match ip_range {
            Some(range) => check_range(network, range).map(|()| range)?,
            None => free_range(network)
                .ok_or_else(|| ApiError::field("ip_range", "no free range is left in the network"))?,
        };
        Ok(Subnet { kind, ip_range, network_zone, vswitch_id })
    }
}

fn check_zone(world: &World, network: &Network, kind: Kind, zone: &str) -> Result<(), ApiError> {
    let wrong = |why| Err(ApiError::field("network_zone", why));
    if !world.catalog.locations.iter().any(|location| location.network_zone == zone) {
        wrong("network zone not found")
    } else if network.subnets.iter().any(|subnet| subnet.network_zone != zone) {
        wrong("must be the one of the network's other subnets")
    } else if kind == Kind::Vswitch && zone != VSWITCH_ZONE {
        wrong("has no vSwitches")
    } else {
        Ok(())
    }
}

fn is_coupled(world: &World, network: &Network, vswitch: u64) -> bool {
    let others = world.networks.iter().flat_map(|(_, network)| &network.subnets);
    others.chain(&network.subnets).any(|subnet| subnet.vswitch_id == Some(vswitch))
}

fn check_range(network: &Network, range: Ipv4Net) -> Result<(), ApiError> {
    let wrong = |why| Err(ApiError::field("ip_range", why));
    if range.trunc() != range {
        wrong("has bits beyond its netmask")
    } else if range.prefix_len() > PREFIX_MAX {
        wrong("must be at least a /30")
    } else if !is_private(range) || !network.ip_range.contains(&range) {
        wrong("is not in the network's ip_range")
    } else if is_taken(network, range) {
        wrong("overlaps with another subnet or route")
    } else {
        Ok(())
    }
}

fn is_taken(network: &Network, range: Ipv4Net) -> bool {
    let routed = network.routes.iter().map(|route| route.destination).filter(|to| to.prefix_len() > 0);
    network.subnets.iter().map(|subnet| subnet.ip_range).chain(routed).any(|other| overlap(range, other))
}

fn free_range(network: &Network) -> Option<Ipv4Net> {
    network.ip_range.subnets(PREFIX_DEFAULT).ok()?.find(|range| !is_taken(network, *range))
}
