//! What was seen of the cloud and the gateways: plain facts, on which plans are made.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, Ipv6Addr};

use crate::model::admin::AdminNetworks;
use crate::model::fleet::OpId;
use crate::model::name::InstanceName;
use crate::model::price::Price;

/// What was seen.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// Servers with the fleet's label, by the instance that their label names. More than one is a fault to clean up.
    pub servers: BTreeMap<InstanceName, Vec<CloudServer>>,
    /// Servers with the fleet's label whose instance label is none.
    pub strays: Vec<CloudServer>,
    /// The fleet's firewalls.
    pub firewalls: Vec<CloudFirewall>,
    /// The fleet's SSH keys.
    pub ssh_keys: Vec<CloudSshKey>,
    /// What can be had; only looked up when something is to be created.
    pub offer: Option<Offer>,
    /// The zones that were looked up, by name.
    pub zones: BTreeMap<String, CloudZone>,
    /// Instances that answered as they should just now.
    pub healthy: BTreeSet<InstanceName>,
}

/// A server of the fleet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloudServer {
    /// Its id.
    pub id: u64,
    /// Its name in the cloud.
    pub name: String,
    /// Its IPv4 address.
    pub ipv4: Option<Ipv4Addr>,
    /// The host's address in its IPv6 network.
    pub ipv6: Option<Ipv6Addr>,
    /// Where it stands.
    pub location: String,
    /// Its type.
    pub server_type: String,
    /// Whether it is switched off.
    pub off: bool,
    /// Which create made it.
    pub op: Option<OpId>,
}

/// One rule of a cloud firewall.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FirewallRule {
    /// `in` or `out`.
    pub direction: String,
    /// `tcp`, …
    pub protocol: String,
    /// A port or a range.
    pub port: Option<String>,
    /// From where; sorted.
    pub sources: Vec<String>,
}

/// A firewall of the fleet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloudFirewall {
    /// Its id.
    pub id: u64,
    /// Its rules, sorted.
    pub rules: Vec<FirewallRule>,
}

/// An SSH key of the fleet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloudSshKey {
    /// Its id.
    pub id: u64,
    /// Type and key, without comment.
    pub public_key: String,
}

/// What can be had, where and for how much.
#[derive(Clone, Debug, Default)]
pub struct Offer {
    /// The server types.
    pub types: Vec<TypeOffer>,
    /// The locations.
    pub locations: Vec<LocationOffer>,
    /// The system images.
    pub images: Vec<ImageOffer>,
    /// The currency of all prices, such as `EUR`.
    pub currency: String,
    /// What an IPv4 address costs in a month, by location.
    pub ipv4_month: BTreeMap<String, Price>,
}

/// A server type.
#[derive(Clone, Debug)]
pub struct TypeOffer {
    /// Its name.
    pub name: String,
    /// Virtual cores, GB of memory.
    pub size: (u32, f64),
    /// `x86` or `arm`.
    pub architecture: String,
    /// What it costs in a month, at the locations that have it.
    pub month: BTreeMap<String, Price>,
    /// Where Hetzner says it is out of stock. It may be wrong.
    pub sold_out: BTreeSet<String>,
}

/// A location.
#[derive(Clone, Debug)]
pub struct LocationOffer {
    /// Its name.
    pub name: String,
    /// Whether it is in the EU (network zone `eu-central`: Germany and Finland).
    pub in_eu: bool,
}

/// A system image.
#[derive(Clone, Debug)]
pub struct ImageOffer {
    /// Its id.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// `x86` or `arm`.
    pub architecture: String,
}

/// A zone of the project.
#[derive(Clone, Debug, Default)]
pub struct CloudZone {
    /// The values of the fleet's A and AAAA record sets, by relative name and type; sorted.
    pub records: BTreeMap<(String, String), Vec<String>>,
    /// Names with A or AAAA records that are not the fleet's.
    pub foreign: BTreeSet<String>,
}

/// The rules of the fleet's firewall: 443 for all, 22 for the admin networks, nothing else; sorted.
pub fn firewall_rules(admin: &AdminNetworks) -> Vec<FirewallRule> {
    let tcp_in = |port: &str, sources: Vec<String>| FirewallRule {
        direction: "in".into(),
        protocol: "tcp".into(),
        port: Some(port.into()),
        sources,
    };
    let mut admins: Vec<String> = admin.all().iter().map(ToString::to_string).collect();
    admins.sort();
    let mut rules = vec![tcp_in("443", vec!["0.0.0.0/0".into(), "::/0".into()]), tcp_in("22", admins)];
    rules.sort();
    rules
}
