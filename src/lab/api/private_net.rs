//! A server's place in a private network.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

use super::action::{Action, Command, Target};
use super::error::ApiError;
use super::network::{self, Network, overlap};
use super::server::Server;
use super::subnet::Subnet;
use super::world::World;

/// Networks of one server.
const PER_SERVER_MAX: usize = 3;
/// Servers in one network.
const MEMBERS_MAX: usize = 100;
/// Alias addresses of one server in one network.
const ALIASES_MAX: usize = 5;

/// A place.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct PrivateNet {
    pub(crate) network: u64,
    pub(crate) ip: Ipv4Addr,
    pub(crate) alias_ips: Vec<Ipv4Addr>,
    pub(crate) mac_address: String,
}

/// What a request asks for.
#[derive(Debug, Default)]
pub(crate) struct Wish {
    pub(crate) network: u64,
    pub(crate) ip: Option<Ipv4Addr>,
    pub(crate) alias_ips: Vec<Ipv4Addr>,
    /// The subnet in which an address is chosen.
    pub(crate) ip_range: Option<Ipv4Net>,
}

impl Wish {
    /// The place that a server in a location would get besides those that it has.
    pub(crate) fn find(
        self,
        world: &World,
        location: &str,
        own: &[PrivateNet],
    ) -> Result<PrivateNet, ApiError> {
        let network = world.networks.find(self.network)?;
        check_joinable(world, network, own)?;
        let mut offer = Offer::of(world, network, location);
        let ip = self.address(&offer)?;
        offer.used.insert(ip);
        offer.check_aliases(&self.alias_ips)?;
        Ok(PrivateNet { network: self.network, ip, alias_ips: self.alias_ips, mac_address: mac_address(ip) })
    }

    fn address(&self, offer: &Offer<'_>) -> Result<Ipv4Addr, ApiError> {
        let mut subnets = offer.subnets.clone();
        subnets.retain(|subnet| self.ip_range.is_none_or(|range| range == subnet.ip_range));
        if subnets.is_empty() {
            return Err(no_subnet());
        }
        let Some(ip) = self.ip else {
            let mut hosts = subnets.iter().flat_map(|subnet| subnet.ip_range.hosts());
            return hosts.find(|ip| offer.is_free(*ip) && !self.alias_ips.contains(ip)).ok_or_else(no_subnet);
        };
        if self.ip_range.is_some_and(|range| !range.contains(&ip)) {
            return Err(ApiError::field("ip", "is not in ip_range"));
        }
        if offer.is_free(ip) { Ok(ip) } else { Err(not_available()) }
    }
}

/// The addresses of a network that a server in some location could have.
#[derive(Debug)]
struct Offer<'a> {
    network: &'a Network,
    subnets: Vec<&'a Subnet>,
    used: BTreeSet<Ipv4Addr>,
}

impl<'a> Offer<'a> {
    fn of(world: &World, network: &'a Network, location: &str) -> Self {
        let location = world.catalog.locations.iter().find(|l| l.name == location);
        let zone = location.map_or("", |location| location.network_zone);
        let subnets = network.subnets.iter().filter(|subnet| subnet.serves(zone)).collect();
        let places = world.servers.iter().flat_map(|(_, server)| &server.private_net);
        let here = places.filter(|net| net.network == network.meta.id);
        let used = here.flat_map(PrivateNet::addresses).collect();
        Self { network, subnets, used }
    }

    fn is_free(&self, ip: Ipv4Addr) -> bool {
        ip != self.network.gateway()
            && !self.used.contains(&ip)
            && self.subnets.iter().any(|subnet| subnet.has_host(ip))
    }

    fn check_aliases(&self, aliases: &[Ipv4Addr]) -> Result<(), ApiError> {
        if aliases.len() > ALIASES_MAX {
            return Err(ApiError::field("alias_ips", &format!("at most {ALIASES_MAX} are possible")));
        }
        let distinct: BTreeSet<Ipv4Addr> = aliases.iter().copied().collect();
        let free = distinct.len() == aliases.len() && distinct.into_iter().all(|ip| self.is_free(ip));
        if free { Ok(()) } else { Err(not_available()) }
    }
}

impl PrivateNet {
    /// All its addresses.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = Ipv4Addr> {
        std::iter::once(self.ip).chain(self.alias_ips.iter().copied())
    }
}

fn check_joinable(world: &World, network: &Network, own: &[PrivateNet]) -> Result<(), ApiError> {
    let id = network.meta.id;
    if own.iter().any(|net| net.network == id) {
        let message = "server is already attached to the network";
        return Err(ApiError::unprocessable("server_already_attached", message));
    }
    let mut others = own.iter().filter_map(|net| world.networks.get(net.network));
    if others.any(|other| overlap(other.ip_range, network.ip_range)) {
        let message = "network ip_range overlaps with one of the server's networks";
        return Err(ApiError::unprocessable("networks_overlap", message));
    }
    if own.len() >= PER_SERVER_MAX {
        return Err(ApiError::limit_exceeded("server_networks_limit"));
    }
    if network::members(world, id).len() >= MEMBERS_MAX {
        return Err(ApiError::limit_exceeded("network_members_limit"));
    }
    Ok(())
}

/// Refuses alias addresses that a server cannot have instead of those that it has.
pub(crate) fn check_aliases(
    world: &World,
    server: &Server,
    place: &PrivateNet,
    aliases: &[Ipv4Addr],
) -> Result<(), ApiError> {
    let mut offer = Offer::of(world, world.networks.find(place.network)?, &server.location);
    for own in &place.alias_ips {
        offer.used.remove(own);
    }
    offer.check_aliases(aliases)
}

/// Hetzner's prefix and the address, which no other member of the network has.
fn mac_address(ip: Ipv4Addr) -> String {
    let [a, b, c, d] = ip.octets();
    format!("86:00:{a:02x}:{b:02x}:{c:02x}:{d:02x}")
}

fn no_subnet() -> ApiError {
    ApiError::unprocessable("no_subnet_available", "no subnet or IP available")
}

fn not_available() -> ApiError {
    ApiError::unprocessable("ip_not_available", "provided IP is not available")
}

/// What an action on a place names.
pub(crate) fn targets(server: u64, network: u64) -> Vec<Target> {
    vec![Target::of::<Server>(server), Target::of::<Network>(network)]
}

/// Takes a server out of a network.
pub(crate) fn leave(world: &mut World, server: u64, network: u64) -> Result<(), ApiError> {
    world.servers.find_mut(server)?.private_net.retain(|net| net.network != network);
    Ok(())
}

/// What the end of an action changes: whom a network did not take is not in it.
pub(crate) fn settle(world: &mut World, action: &Action, success: bool) -> Result<(), ApiError> {
    match (action.command, action.target::<Server>(), action.target::<Network>()) {
        (Command::AttachToNetwork, Some(server), Some(network))
            if !success && world.servers.get(server).is_some() =>
        {
            leave(world, server, network)
        }
        _ => Ok(()),
    }
}
