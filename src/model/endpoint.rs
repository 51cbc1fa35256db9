//! Where a gateway is reached.

use std::fmt;
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

/// The host part of a gateway's URL: the server's address, or a name under the operator's domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    /// `https://198.51.100.7`, with an IP-address certificate.
    Address(Ipv4Addr),
    /// `https://alice.example.org`.
    Domain(String),
}

impl Endpoint {
    /// The origin: `https://HOST`, without a slash at the end.
    pub fn origin(&self) -> String {
        format!("https://{self}")
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Domain(name) => name.fmt(f),
        }
    }
}
