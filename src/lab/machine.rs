//! The machines behind the API's servers.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::nspawn::Nspawn;

/// What the API tells a machine to be.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MachineSpec {
    /// The server's id in the API.
    pub id: u64,
    /// Its host name.
    pub name: String,
    /// Its public IPv4 address, routed to it as a /32.
    pub ipv4: Option<Ipv4Addr>,
    /// The first address of its public IPv6 /64 (`…::`); the machine itself has `…::1`.
    pub ipv6: Option<Ipv6Addr>,
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
}

impl Machines {
    /// Makes disk and network of a machine; does not boot it. Safe to run twice.
    pub async fn create(&self, spec: &MachineSpec) -> Result<()> {
        match self {
            Self::None => Ok(()),
            Self::Nspawn(machines) => machines.create(spec),
        }
    }

    /// Boots a machine; returns once its init runs. Safe to run twice.
    pub async fn start(&self, spec: &MachineSpec) -> Result<()> {
        match self {
            Self::None => Ok(()),
            Self::Nspawn(machines) => machines.start(spec).await,
        }
    }

    /// Powers a machine off in order; by force after 30 s. Safe to run twice.
    pub async fn stop(&self, id: u64) -> Result<()> {
        match self {
            Self::None => Ok(()),
            Self::Nspawn(machines) => machines.stop(id).await,
        }
    }

    /// Stops a machine and removes disk, network and filter. Safe to run twice.
    pub async fn delete(&self, id: u64) -> Result<()> {
        match self {
            Self::None => Ok(()),
            Self::Nspawn(machines) => machines.delete(id).await,
        }
    }

    /// Filters what may reach a machine, at once. `None`: no firewall, everything passes; an empty list: nothing does.
    pub async fn filter(&self, spec: &MachineSpec, accepts: Option<&[Accept]>) -> Result<()> {
        match self {
            Self::None => Ok(()),
            Self::Nspawn(machines) => machines.filter(spec, accepts).await,
        }
    }
}
