//! Reverse names.

use std::net::IpAddr;

use serde_json::{Value, json};

use super::address::Block;
use super::body::Body;
use super::error::ApiError;
use super::primary_ip::{Family, PrimaryIp};
use super::server_create;

/// What a request wants to be the name of an address.
#[derive(Debug)]
pub(crate) struct Pointer {
    pub(crate) ip: IpAddr,
    /// `None`: as if nobody had ever set one.
    name: Option<String>,
}

impl Pointer {
    pub(crate) fn read(body: &Body) -> Result<Self, ApiError> {
        let ip: String = body.required("ip")?;
        let ip = ip.parse().map_err(|_| ApiError::field("ip", "is not an IP address"))?;
        let name: Option<String> = body.optional("dns_ptr")?;
        if name.as_deref().is_some_and(|name| !server_create::is_host_name(name)) {
            return Err(ApiError::field("dns_ptr", "is not a valid hostname"));
        }
        Ok(Self { ip, name })
    }

    /// Sets or resets it where the address is.
    pub(crate) fn set(self, at: &mut PrimaryIp) {
        match self.name {
            Some(name) => at.pointers.insert(self.ip, name),
            None => at.pointers.remove(&self.ip),
        };
    }

    /// That the address is somewhere else.
    pub(crate) fn not_found(&self) -> ApiError {
        ApiError::field("ip", &format!("{} does not belong to the resource", self.ip))
    }
}

impl PrimaryIp {
    /// The reverse name of one of its addresses: what somebody has set; else an IPv4 address has one all the same.
    pub(crate) fn pointer(&self, address: IpAddr) -> Option<String> {
        let set = self.pointers.get(&address).cloned();
        set.or_else(|| match address {
            IpAddr::V4(address) => {
                let [a, b, c, d] = address.octets();
                Some(format!("static.{d}.{c}.{b}.{a}.clients.your-server.de"))
            }
            IpAddr::V6(_) => None,
        })
    }

    /// Its addresses that have a reverse name.
    pub(crate) fn pointers_view(&self, block: Block) -> Value {
        let addresses: Vec<IpAddr> = match self.family {
            Family::Ipv4 => vec![self.first(block)],
            Family::Ipv6 => self.pointers.keys().copied().collect(),
        };
        let view = |ip: &IpAddr| json!({"ip": ip, "dns_ptr": self.pointer(*ip)});
        addresses.iter().map(view).collect()
    }
}
