//! What was seen of the cloud and the gateways: plain facts, on which plans are made.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use crate::model::admin::AdminNetworks;
use crate::model::fleet::{NEXT_HOST_KEY, OpId};
use crate::model::image::{BUILDER, BakedImage};
use crate::model::name::InstanceName;
use crate::model::price::Price;
use crate::model::release::OpenClawVersion;
use crate::model::zone::CloudZone;

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
    /// Servers that the state knows by id and that the label does not find.
    pub by_id: BTreeMap<u64, CloudServer>,
    /// Addresses of the fleet's that no server has.
    pub addresses: Vec<CloudAddress>,
    /// Snapshots with the fleet's label that are no images.
    pub snapshots: Vec<CloudSnapshot>,
    /// What things cost; only looked up when something that costs is found.
    pub prices: Option<Prices>,
    /// Creates whose outcome is not known, and for how long yet lists may hide what they made.
    pub interrupted: BTreeMap<InstanceName, Duration>,
    /// What the hosts of serving instances are like, where they were looked at.
    pub hosts: BTreeMap<InstanceName, HostState>,
}

/// The releases of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Releases {
    /// What it is to serve.
    pub serving: OpenClawVersion,
    /// A change that nobody has confirmed yet.
    pub trial: Option<Trial>,
    /// What can be rolled back to: the releases whose states are kept, the last one first.
    pub kept: Vec<OpenClawVersion>,
}

/// A change of the release that is not confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trial {
    /// Where it goes back to.
    pub from: OpenClawVersion,
    /// What is tried.
    pub to: OpenClawVersion,
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
    /// All its labels.
    pub labels: BTreeMap<String, String>,
    /// The ids of the firewalls that are applied to it.
    pub firewalls: BTreeSet<u64>,
    /// Whether it cannot be deleted before somebody takes its protection off.
    pub protected: bool,
}

/// An address that no server has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloudAddress {
    /// Its id.
    pub id: u64,
    /// The address or network.
    pub ip: String,
    /// Where it is kept.
    pub location: String,
}

/// A snapshot.
#[derive(Clone, Debug, PartialEq)]
pub struct CloudSnapshot {
    /// Its id.
    pub id: u64,
    /// What somebody wrote about it.
    pub description: String,
    /// How many GB are paid for, once it is made.
    pub size: Option<f64>,
}

/// What things cost in a month.
#[derive(Clone, Debug, Default)]
pub struct Prices {
    /// The currency of all prices, such as `EUR`.
    pub currency: String,
    /// A server, by type and location; also of types that are not sold any more.
    pub server: BTreeMap<(String, String), Price>,
    /// An IPv4 address, by location.
    pub ipv4: BTreeMap<String, Price>,
    /// A GB of a snapshot.
    pub snapshot_gb: Option<Price>,
}

/// What a host is like, looked at from outside and over SSH.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostState {
    /// Every check holds.
    Serves,
    /// It showed another host key than the pinned one; the fingerprint.
    OtherKey(String),
    /// It cannot be logged in to; why.
    Unreachable(String),
    /// It was set up for another release than the record has.
    SetUpFor(String),
    /// Another release runs than the one it is set up for; what was seen.
    Runs(String),
    /// Its certificate is wrong or about to end; why.
    Certificate(String),
    /// It does not serve; why.
    Fails(String),
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

/// Hetzner's locations in the EU, Germany first.
pub const EU_LOCATIONS: [&str; 3] = ["fsn1", "nbg1", "hel1"];

/// What can be had, where and for how much.
#[derive(Clone, Debug, Default)]
pub struct Offer {
    /// The server types.
    pub types: Vec<TypeOffer>,
    /// The locations.
    pub locations: Vec<LocationOffer>,
    /// The system images.
    pub images: Vec<ImageOffer>,
    /// The fleet's own images that are of use.
    pub baked: Vec<BakedImage>,
    /// By which set-up, as a hash, a server of this version is made.
    pub set_up: String,
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
    /// GB of disk.
    pub disk: u32,
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

impl CloudServer {
    /// Whether it is only there to become an image.
    pub fn is_builder(&self) -> bool {
        self.labels.contains_key(BUILDER)
    }

    /// What its labels should say and do not: all of them as they should be, with those that are nobody's business, and
    /// the keys that differ.
    pub fn relabelled(&self, wanted: &BTreeMap<String, String>) -> (BTreeMap<String, String>, Vec<String>) {
        let wrong = wanted.iter().filter(|(key, value)| self.labels.get(*key) != Some(*value));
        let mut wrong: Vec<String> = wrong.map(|(key, _)| key.clone()).collect();
        let mut labels = self.labels.clone();
        // another key than the pinned one would be accepted by who has lost the state
        if !wanted.contains_key(NEXT_HOST_KEY) {
            wrong.extend(labels.remove_entry(NEXT_HOST_KEY).map(|(key, _)| key));
        }
        labels.extend(wanted.clone());
        (labels, wrong)
    }
}

impl HostState {
    /// Whether something can be done about it from here.
    pub fn can_be_mended(&self) -> bool {
        match self {
            Self::Runs(_) | Self::Certificate(_) | Self::Fails(_) | Self::SetUpFor(_) => true,
            Self::Serves | Self::OtherKey(_) | Self::Unreachable(_) => false,
        }
    }

    /// Whether somebody answers there who can be trusted.
    pub fn can_be_reached(&self) -> bool {
        match self {
            Self::OtherKey(_) | Self::Unreachable(_) => false,
            Self::Serves | Self::SetUpFor(_) | Self::Runs(_) | Self::Certificate(_) | Self::Fails(_) => true,
        }
    }
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
