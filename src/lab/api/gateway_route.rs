//! Routes of a network: destinations beyond it, and the member that leads there.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

use super::body::Body;
use super::error::ApiError;
use super::network::{Network, is_private, overlap};
use super::subnet::{Kind, PUBLIC_GATEWAY};

/// Routes of one network.
const PER_NETWORK_MAX: usize = 100;

/// Where packets for a destination go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Route {
    pub(crate) destination: Ipv4Net,
    pub(crate) gateway: Ipv4Addr,
}

impl Route {
    pub(crate) fn read(body: &Body) -> Result<Self, ApiError> {
        Ok(Self { destination: body.required("destination")?, gateway: body.required("gateway")? })
    }

    /// Refuses what a network cannot have.
    pub(crate) fn check(&self, network: &Network) -> Result<(), ApiError> {
        if network.routes.len() >= PER_NETWORK_MAX {
            return Err(ApiError::limit_exceeded("network_routes_limit"));
        }
        self.check_destination(network)?;
        self.check_gateway(network)
    }

    fn check_destination(&self, network: &Network) -> Result<(), ApiError> {
        let to = self.destination;
        let wrong = |why| Err(ApiError::field("destination", why));
        let is_default = to.prefix_len() == 0;
        if to.trunc() != to || !(is_default || is_private(to)) {
            return wrong("must be a private network or 0.0.0.0/0");
        }
        if !is_default && to.contains(&PUBLIC_GATEWAY) {
            return wrong("overlaps with 172.31.1.1");
        }
        // the default route yields to every other one and so overlaps with none of them
        let clashes = |other: Ipv4Net| if is_default { other == to } else { overlap(to, other) };
        let routed =
            network.routes.iter().map(|route| route.destination).filter(|d| is_default || d.prefix_len() > 0);
        if network.subnets.iter().map(|subnet| subnet.ip_range).chain(routed).any(clashes) {
            let message = "network route destination overlaps with another subnetwork or network route";
            return Err(ApiError::unprocessable("invalid_input", message));
        }
        Ok(())
    }

    fn check_gateway(&self, network: &Network) -> Result<(), ApiError> {
        let via = self.gateway;
        let wrong = |why| Err(ApiError::field("gateway", why));
        let behind = network.subnets.iter().find(|subnet| subnet.ip_range.contains(&via));
        if via == network.gateway() || via == PUBLIC_GATEWAY {
            wrong("is a reserved address")
        } else if !network.ip_range.contains(&via) {
            wrong("is not in the network's ip_range")
        } else if behind.is_some_and(|subnet| subnet.kind == Kind::Vswitch) {
            wrong("is behind a vSwitch")
        } else {
            Ok(())
        }
    }
}
