//! What a certificate names, and whom Let's Encrypt takes to be behind it.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use serde::Deserialize;

/// A name in lower case or an address: equal if ACME takes them for equal.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "Wire")]
pub(super) enum Identifier {
    /// Maybe with a leading `*.`.
    Name(String),
    /// An IPv4 address that is written as IPv6 is one of IPv4.
    Address(IpAddr),
}

#[derive(Deserialize)]
struct Wire {
    r#type: String,
    value: String,
}

impl TryFrom<Wire> for Identifier {
    type Error = String;

    fn try_from(wire: Wire) -> Result<Self, String> {
        match (wire.r#type.as_str(), wire.value.parse::<IpAddr>()) {
            ("dns", Err(_)) => Ok(Self::Name(wire.value.to_lowercase())),
            ("ip", Ok(address)) => Ok(Self::Address(address.to_canonical())),
            (kind, _) => Err(format!("{:?} is no identifier of type {kind:?}", wire.value)),
        }
    }
}

impl Identifier {
    /// What is validated: the name below a wildcard.
    pub(super) fn validated(&self) -> Self {
        match self {
            Self::Name(name) => Self::Name(name.strip_prefix("*.").unwrap_or(name).to_owned()),
            Self::Address(_) => self.clone(),
        }
    }

    /// The registered domain, IPv4 address or IPv6 /64. Without the list of public suffixes a registered domain is
    /// the last two labels.
    pub(super) fn holder(&self) -> String {
        match self {
            Self::Name(name) => match name.rmatch_indices('.').nth(1) {
                Some((dot, _)) => name.get(dot + 1..).unwrap_or(name).to_owned(),
                None => name.clone(),
            },
            Self::Address(IpAddr::V4(address)) => format!("{address}/32"),
            Self::Address(IpAddr::V6(address)) => {
                format!("{}/64", Ipv6Addr::from_bits(address.to_bits() >> 64 << 64))
            }
        }
    }
}

impl fmt::Display for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address(address) => address.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn identifier(kind: &str, value: &str) -> Result<Identifier, serde_json::Error> {
        serde_json::from_value(json!({"type": kind, "value": value}))
    }

    #[test]
    fn a_name_counts_for_its_registered_domain_and_an_address_for_its_holder() {
        for (kind, value, holder) in [
            ("dns", "a.b.Example.COM", "example.com"),
            ("dns", "*.example.com", "example.com"),
            ("dns", "example.com", "example.com"),
            ("dns", "localhost", "localhost"),
            ("ip", "198.18.0.2", "198.18.0.2/32"),
            ("ip", "::ffff:198.18.0.2", "198.18.0.2/32"),
            ("ip", "2001:db8:0:2:a:b:c:d", "2001:db8:0:2::/64"),
        ] {
            assert_eq!(identifier(kind, value).unwrap().holder(), holder, "{value}");
        }
    }

    #[test]
    fn what_is_written_otherwise_and_means_the_same_is_the_same() {
        assert_eq!(identifier("dns", "A.example").unwrap(), identifier("dns", "a.EXAMPLE").unwrap());
        assert_eq!(identifier("ip", "2001:DB8:0::1").unwrap(), identifier("ip", "2001:db8::1").unwrap());
        assert_eq!(identifier("dns", "*.a.example").unwrap().validated().to_string(), "a.example");
    }

    #[test]
    fn what_pebble_refuses_is_none() {
        for (kind, value) in [("ip", "a.example"), ("dns", "198.18.0.2"), ("email", "a@b.example")] {
            assert!(identifier(kind, value).is_err(), "{kind} {value}");
        }
    }
}
