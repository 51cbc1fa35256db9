//! What a server can ask about its private networks.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use serde_json::json;

/// A server's place in a private network, as the metadata service tells it.
#[derive(Clone, Debug)]
pub(crate) struct PrivateNetwork {
    pub(crate) ip: Ipv4Addr,
    pub(crate) alias_ips: Vec<Ipv4Addr>,
    pub(crate) mac_address: String,
    pub(crate) network_id: u64,
    pub(crate) network_name: String,
    /// The whole network.
    pub(crate) network: Ipv4Net,
    /// The part of it that the server's address is from.
    pub(crate) subnet: Ipv4Net,
    pub(crate) gateway: Ipv4Addr,
}

/// A YAML list; interfaces are numbered from 1.
pub(super) fn list(networks: &[PrivateNetwork]) -> String {
    if networks.is_empty() {
        return "[]\n".to_owned();
    }
    (1_u32..).zip(networks).map(|(number, network)| item(number, network)).collect()
}

fn item(number: u32, network: &PrivateNetwork) -> String {
    let aliases: Vec<String> = network.alias_ips.iter().map(Ipv4Addr::to_string).collect();
    format!(
        "- ip: {}\n  alias_ips: [{}]\n  interface_num: {number}\n  mac_address: {}\n  network_id: {}\n  \
         network_name: {}\n  network: {}\n  subnet: {}\n  gateway: {}\n",
        network.ip,
        aliases.join(", "),
        network.mac_address,
        network.network_id,
        json!(network.network_name),
        network.network,
        network.subnet,
        network.gateway,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_told_as_at_hetzner() {
        let network = PrivateNetwork {
            ip: "10.0.1.2".parse().unwrap(),
            alias_ips: vec!["10.0.1.8".parse().unwrap(), "10.0.1.9".parse().unwrap()],
            mac_address: "86:00:00:2a:7d:e0".to_owned(),
            network_id: 7001,
            network_name: "nw-test1".to_owned(),
            network: "10.0.0.0/8".parse().unwrap(),
            subnet: "10.0.1.0/24".parse().unwrap(),
            gateway: "10.0.0.1".parse().unwrap(),
        };
        assert_eq!(
            list(&[network]),
            "- ip: 10.0.1.2
  alias_ips: [10.0.1.8, 10.0.1.9]
  interface_num: 1
  mac_address: 86:00:00:2a:7d:e0
  network_id: 7001
  network_name: \"nw-test1\"
  network: 10.0.0.0/8
  subnet: 10.0.1.0/24
  gateway: 10.0.0.1
"
        );
        assert_eq!(list(&[]), "[]\n");
    }
}
