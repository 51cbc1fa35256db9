//! The machines behind the API's servers.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use anyhow::Result;
use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

use super::nspawn::Nspawn;
use super::scripted::Scripted;

/// What the API tells a machine to be.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct MachineSpec {
    /// The server's id in the API.
    pub id: u64,
    /// Its host name.
    pub name: String,
    /// Its public IPv4 address, routed to it as a /32.
    pub ipv4: Option<Ipv4Addr>,
    /// The first address of its public IPv6 /64 (`…::`); the machine itself has `…::1`.
    pub ipv6: Option<Ipv6Addr>,
    /// The snapshot that its disk begins as; `None`: the lab's base image.
    #[serde(default)]
    pub snapshot: Option<u64>,
    /// The volumes that are attached to it.
    #[serde(default)]
    pub volumes: Vec<u64>,
    /// The private networks that it is in.
    #[serde(default)]
    pub networks: Vec<Attachment>,
    /// What it was created with. Not kept with the disk: a real machine asks the metadata service for it.
    #[serde(skip)]
    pub user_data: Option<String>,
    /// The public keys it was created with.
    #[serde(skip)]
    pub ssh_keys: Vec<String>,
}

/// A machine's place in a private network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// The network's id in the API.
    pub network: u64,
    /// The whole network; its first address is the gateway.
    pub ip_range: Ipv4Net,
    /// The machine's address in it, as a /32.
    pub ip: Ipv4Addr,
    /// The address of the machine's interface in it.
    pub mac_address: String,
    /// More addresses of the machine.
    pub alias_ips: Vec<Ipv4Addr>,
    /// Destinations beyond the network, and the member that leads there.
    pub routes: Vec<(Ipv4Net, Ipv4Addr)>,
}

impl Attachment {
    /// The first address of the network's range.
    pub fn gateway(&self) -> Ipv4Addr {
        Ipv4Addr::from(u32::from(self.ip_range.network()).saturating_add(1))
    }
}

/// One accept rule of the cloud firewall; what no rule accepts is dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accept {
    /// `tcp`, `udp`, `icmp`, `esp` or `gre`.
    pub protocol: String,
    /// First and last port, for `tcp` and `udp`.
    pub ports: Option<(u16, u16)>,
    /// CIDR blocks, IPv4 and IPv6.
    pub sources: Vec<String>,
}

/// Who plays the servers.
#[derive(Debug, Clone)]
pub enum Machines {
    /// Nobody: the API alone. Servers are "running" without a machine.
    None,
    /// Real Debian machines on this host.
    Nspawn(Arc<Nspawn>),
    /// Endpoints in this process that do as a script says.
    Scripted(Arc<Scripted>),
}

impl Machines {
    /// Makes disk and network of a machine; does not boot it. Safe to run twice.
    pub async fn create(&self, spec: &MachineSpec) -> Result<()> {
        match self {
            Self::None => Ok(()),
            Self::Nspawn(machines) => machines.create(spec),
            Self::Scripted(hosts) => hosts.create(spec),
        }
    }

    /// Boots a machine; returns once its init runs. Safe to run twice.
    pub async fn start(&self, spec: &MachineSpec) -> Result<()> {
        match self {
            Self::None => Ok(()),
            Self::Nspawn(machines) => machines.start(spec).await,
            Self::Scripted(hosts) => hosts.start(spec).await,
        }
    }

    /// Powers a machine off in order; by force after 30 s. Safe to run twice.
    pub async fn stop(&self, id: u64) -> Result<()> {
        match self {
            Self::None => Ok(()),
            Self::Nspawn(machines) => machines.stop(id).await,
            Self::Scripted(hosts) => {
                hosts.stop(id);
                Ok(())
            }
        }
    }

    /// Gives a machine, running or not, the volumes and private networks that its spec names, and takes the others
    /// from it. Safe to run twice; a start does it, too.
    pub async fn connect(&self, spec: &MachineSpec) -> Result<()> {
        match self {
            Self::None | Self::Scripted(_) => Ok(()),
            Self::Nspawn(machines) => machines.connect(spec).await,
        }
    }

    /// Stops a machine and makes its disk empty: the next create begins with a fresh one. Safe to run twice.
    pub async fn erase(&self, id: u64) -> Result<()> {
        match self {
            Self::None => Ok(()),
            Self::Nspawn(machines) => machines.erase(id).await,
            Self::Scripted(hosts) => hosts.delete(id),
        }
    }

    /// Keeps a machine's disk, as it is now, under a snapshot's id. Safe to run twice.
    pub async fn snapshot(&self, id: u64, snapshot: u64) -> Result<()> {
        match self {
            Self::None | Self::Scripted(_) => Ok(()),
            Self::Nspawn(machines) => machines.snapshot(id, snapshot).await,
        }
    }

    /// Removes a snapshot; machines made from it go on. Safe to run twice.
    pub async fn remove_snapshot(&self, snapshot: u64) -> Result<()> {
        match self {
            Self::None | Self::Scripted(_) => Ok(()),
            Self::Nspawn(machines) => machines.remove_snapshot(snapshot).await,
        }
    }

    /// Removes what a volume held. It must be attached to no machine. Safe to run twice.
    pub async fn remove_volume(&self, volume: u64) -> Result<()> {
        match self {
            Self::None | Self::Scripted(_) => Ok(()),
            Self::Nspawn(machines) => machines.remove_volume(volume).await,
        }
    }

    /// Stops a machine and removes disk, network and filter. Safe to run twice.
    pub async fn delete(&self, id: u64) -> Result<()> {
        match self {
            Self::None => Ok(()),
            Self::Nspawn(machines) => machines.delete(id).await,
            Self::Scripted(hosts) => hosts.delete(id),
        }
    }

    /// Filters what may reach a machine, at once. `None`: no firewall, everything passes; an empty list: nothing does.
    pub async fn filter(&self, spec: &MachineSpec, accepts: Option<&[Accept]>) -> Result<()> {
        match self {
            Self::None => Ok(()),
            Self::Nspawn(machines) => machines.filter(spec, accepts).await,
            Self::Scripted(hosts) => {
                hosts.filter(spec, accepts);
                Ok(())
            }
        }
    }
}
