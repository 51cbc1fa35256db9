//! The cloud firewall as nft commands for the router: pure text, compared in tests.

use std::fmt::Write;
use std::net::IpAddr;

use anyhow::{Context, Result};
use ipnet::IpNet;

use super::machine::{Accept, MachineSpec};

/// The router's rules before any machine: what no server's chain accepts reaches nobody.
///
/// Can be loaded again over itself; the servers' chains stay.
pub(super) fn base(management: IpAddr) -> String {
    format!(
        "add table inet cloud
add map inet cloud by4 {{ type ipv4_addr : verdict; }}
add map inet cloud by6 {{ type ipv6_addr : verdict; flags interval; }}
add chain inet cloud passing {{ type filter hook forward priority filter; policy accept; }}
flush chain inet cloud passing
add rule inet cloud passing ct state established,related accept
add rule inet cloud passing ct state invalid drop
add rule inet cloud passing ip daddr vmap @by4
add rule inet cloud passing ip6 daddr vmap @by6
add rule inet cloud passing iifname != \"host\" ip daddr {management} tcp dport {{ 14001, 15000 }} drop
"
    )
}

/// Sets what may reach a machine, in one transaction.
///
/// # Errors
/// A source that is no CIDR block, a protocol the cloud does not have.
pub(super) fn of_machine(spec: &MachineSpec, accepts: Option<&[Accept]>) -> Result<String> {
    let chain = format!("s{}", spec.id);
    let mut text = format!("add chain inet cloud {chain}\nflush chain inet cloud {chain}\n");
    match accepts {
        None => writeln!(text, "add rule inet cloud {chain} accept")?,
        Some(accepts) => {
            for accept in accepts {
                rules(&mut text, &chain, accept)?;
            }
            writeln!(text, "add rule inet cloud {chain} drop")?;
        }
    }
    if let Some(address) = spec.ipv4 {
        writeln!(text, "add element inet cloud by4 {{ {address} : goto {chain} }}")?;
    }
    if let Some(prefix) = spec.ipv6 {
        writeln!(text, "add element inet cloud by6 {{ {prefix}/64 : goto {chain} }}")?;
    }
    Ok(text)
}

/// Removes a machine's chain and what points to it; the addresses must have been set before.
pub(super) fn without_machine(spec: &MachineSpec) -> Result<String> {
    let mut text = of_machine(spec, None)?;
    if let Some(address) = spec.ipv4 {
        writeln!(text, "delete element inet cloud by4 {{ {address} }}")?;
    }
    if let Some(prefix) = spec.ipv6 {
        writeln!(text, "delete element inet cloud by6 {{ {prefix}/64 }}")?;
    }
    let chain = format!("s{}", spec.id);
    writeln!(text, "flush chain inet cloud {chain}\ndelete chain inet cloud {chain}")?;
    Ok(text)
}

fn rules(text: &mut String, chain: &str, accept: &Accept) -> Result<()> {
    for source in &accept.sources {
        let block: IpNet = source.parse().with_context(|| format!("{source:?} is no CIDR block"))?;
        let from = origin(block);
        let what = what(accept, block)?;
        writeln!(text, "add rule inet cloud {chain} {from} {what} accept")?;
    }
    Ok(())
}

fn origin(block: IpNet) -> String {
    match block.trunc() {
        IpNet::V4(net) if net.prefix_len() == 0 => "meta nfproto ipv4".to_owned(),
        IpNet::V6(net) if net.prefix_len() == 0 => "meta nfproto ipv6".to_owned(),
        IpNet::V4(net) => format!("ip saddr {net}"),
        IpNet::V6(net) => format!("ip6 saddr {net}"),
    }
}

fn what(accept: &Accept, block: IpNet) -> Result<String> {
    let protocol = accept.protocol.as_str();
    Ok(match (protocol, accept.ports) {
        ("tcp" | "udp", Some((first, last))) => format!("{protocol} dport {first}-{last}"),
        ("icmp", _) if matches!(block, IpNet::V6(_)) => "meta l4proto ipv6-icmp".to_owned(),
        ("tcp" | "udp" | "icmp" | "esp" | "gre", _) => format!("meta l4proto {protocol}"),
        _ => anyhow::bail!("{protocol:?} is no protocol of the cloud firewall"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> MachineSpec {
        MachineSpec {
            id: 7,
            name: "a".to_owned(),
            ipv4: Some("198.18.0.2".parse().unwrap()),
            ipv6: Some("2001:db8:0:2::".parse().unwrap()),
            ..MachineSpec::default()
        }
    }

    fn accept(protocol: &str, ports: Option<(u16, u16)>, sources: &[&str]) -> Accept {
        let sources = sources.iter().map(|&source| source.to_owned()).collect();
        Accept { protocol: protocol.to_owned(), ports, sources }
    }

    #[test]
    fn rules_become_one_accept_per_source_and_a_drop() {
        let accepts = [
            accept("tcp", Some((443, 443)), &["0.0.0.0/0", "::/0"]),
            accept("tcp", Some((22, 22)), &["198.19.0.1/32"]),
            accept("icmp", None, &["192.0.2.7/24", "2001:db8::/32"]),
        ];
        assert_eq!(
            of_machine(&spec(), Some(&accepts)).unwrap(),
            "add chain inet cloud s7
flush chain inet cloud s7
add rule inet cloud s7 meta nfproto ipv4 tcp dport 443-443 accept
add rule inet cloud s7 meta nfproto ipv6 tcp dport 443-443 accept
add rule inet cloud s7 ip saddr 198.19.0.1/32 tcp dport 22-22 accept
add rule inet cloud s7 ip saddr 192.0.2.0/24 meta l4proto icmp accept
add rule inet cloud s7 ip6 saddr 2001:db8::/32 meta l4proto ipv6-icmp accept
add rule inet cloud s7 drop
add element inet cloud by4 { 198.18.0.2 : goto s7 }
add element inet cloud by6 { 2001:db8:0:2::/64 : goto s7 }
"
        );
    }

    #[test]
    fn without_a_firewall_everything_passes() {
        let text = of_machine(&spec(), None).unwrap();
        assert!(text.contains("s7 accept") && !text.contains("drop"), "{text}");
    }

    #[test]
    fn what_is_no_block_or_protocol_is_refused() {
        let bad = [accept("tcp", None, &["1.2.3.4; drop"]), accept("sctp", None, &["0.0.0.0/0"])];
        for accept in bad {
            assert!(of_machine(&spec(), Some(&[accept])).is_err());
        }
    }
}
