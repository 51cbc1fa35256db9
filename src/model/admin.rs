//! The admin networks: from where SSH is allowed.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// The networks that may reach port 22; never empty. The whole internet only where it was spelled `any`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdminNetworks(Vec<IpNet>);

/// Why a list is no set of admin networks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidNetworks {
    /// Nothing was given.
    #[error("no admin network is given")]
    Empty,
    /// Not an address or network.
    #[error("{0:?} is neither an address nor a network like 203.0.113.0/24")]
    Syntax(String),
    /// Everybody, without saying so.
    #[error("{0} would open SSH to the whole internet")]
    Everybody(IpNet),
    /// `any` beside something else.
    #[error("\"any\" stands alone")]
    AnyAmongOthers,
}

impl AdminNetworks {
    /// Parses addresses and networks; `any` alone stands for everybody.
    ///
    /// # Errors
    /// [`InvalidNetworks`], naming the entry.
    pub fn parse<'a>(entries: impl IntoIterator<Item = &'a str>) -> Result<Self, InvalidNetworks> {
        let entries: Vec<&str> = entries.into_iter().map(str::trim).filter(|e| !e.is_empty()).collect();
        if entries == ["any"] {
            return Ok(Self(everybody()));
        }
        if entries.contains(&"any") {
            return Err(InvalidNetworks::AnyAmongOthers);
        }
        let mut networks = entries.into_iter().map(network).collect::<Result<Vec<_>, _>>()?;
        networks.sort();
        networks.dedup();
        if networks.is_empty() { Err(InvalidNetworks::Empty) } else { Ok(Self(networks)) }
    }

    /// The networks, sorted, each once.
    pub fn all(&self) -> &[IpNet] {
        &self.0
    }

    /// The IPv4 ones.
    pub fn v4(&self) -> Vec<Ipv4Net> {
        self.0.iter().filter_map(|n| if let IpNet::V4(v4) = n { Some(*v4) } else { None }).collect()
    }

    /// The IPv6 ones.
    pub fn v6(&self) -> Vec<Ipv6Net> {
        self.0.iter().filter_map(|n| if let IpNet::V6(v6) = n { Some(*v6) } else { None }).collect()
    }
}

impl fmt::Display for AdminNetworks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts: Vec<String> = self.0.iter().map(IpNet::to_string).collect();
        f.write_str(&texts.join(", "))
    }
}

fn network(entry: &str) -> Result<IpNet, InvalidNetworks> {
    let parsed = IpNet::from_str(entry).or_else(|_| entry.parse::<std::net::IpAddr>().map(IpNet::from));
    let network = parsed.map_err(|_| InvalidNetworks::Syntax(entry.to_owned()))?.trunc();
    if network.prefix_len() == 0 { Err(InvalidNetworks::Everybody(network)) } else { Ok(network) }
}

fn everybody() -> Vec<IpNet> {
    vec![
        IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::UNSPECIFIED, 0)),
        IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::UNSPECIFIED, 0)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(entries: &[&str]) -> Result<String, String> {
        AdminNetworks::parse(entries.iter().copied()).map(|n| n.to_string()).map_err(|e| e.to_string())
    }

    #[test]
    fn single_addresses_become_networks_and_host_bits_are_cut() {
        assert_eq!(
            texts(&["203.0.113.7", "2001:db8::9", "10.1.2.3/8"]),
            Ok("10.0.0.0/8, 203.0.113.7/32, 2001:db8::9/128".into())
        );
    }

    #[test]
    fn everybody_must_be_spelled_any() {
        assert_eq!(texts(&["any"]), Ok("0.0.0.0/0, ::/0".into()));
        assert_eq!(texts(&["0.0.0.0/0"]), Err("0.0.0.0/0 would open SSH to the whole internet".into()));
        assert_eq!(texts(&["::/0"]), Err("::/0 would open SSH to the whole internet".into()));
        assert_eq!(texts(&["any", "10.0.0.1"]), Err("\"any\" stands alone".into()));
    }

    #[test]
    fn nothing_and_nonsense_are_refused() {
        assert_eq!(texts(&[]), Err("no admin network is given".into()));
        assert!(texts(&["home"]).unwrap_err().starts_with("\"home\" is neither"));
    }
}
