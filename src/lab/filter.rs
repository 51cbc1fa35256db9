//! The cloud firewall as nft commands for the router: pure text, compared in tests.

use std::fmt::Write;
use std::net::IpAddr;

use anyhow::{Context, Result};
use ipnet::{IpNet, Ipv6Net};
use serde_json::Value;

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

/// An address, and the machine's chain that whatever is for it goes through.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    address: IpNet,
    chain: String,
}

impl Entry {
    /// As an element of its map.
    fn element(&self) -> String {
        match self.address {
            IpNet::V4(net) => format!("by4 {{ {}", net.addr()),
            IpNet::V6(net) => format!("by6 {{ {net}"),
        }
    }
}

/// Reads what `nft -j list maps inet` says about the router.
pub(super) fn entries(listing: &str) -> Result<Vec<Entry>> {
    let listing: Value = serde_json::from_str(listing).context("nft describes no maps")?;
    let objects = listing.pointer("/nftables").and_then(Value::as_array).into_iter().flatten();
    let elements = objects.filter_map(|object| object.pointer("/map/elem")?.as_array()).flatten();
    elements
        .map(|element| entry(element).with_context(|| format!("no element of the cloud: {element}")))
        .collect()
}

fn entry(element: &Value) -> Option<Entry> {
    let prefix = |part| element.pointer(&format!("/0/prefix/{part}"));
    let chain = element.pointer("/1/goto/target")?.as_str()?.to_owned();
    let address = match element.pointer("/0")?.as_str() {
        Some(address) => IpNet::from(address.parse::<IpAddr>().ok()?),
        None => format!("{}/{}", prefix("addr")?.as_str()?, prefix("len")?).parse().ok()?,
    };
    Some(Entry { address, chain })
}

/// Sets what may reach a machine, in one transaction. An address may have been another machine's, and one that was
/// this one's may be nobody's now.
///
/// # Errors
/// A source that is no CIDR block, a protocol the cloud does not have.
pub(super) fn of_machine(
    spec: &MachineSpec,
    accepts: Option<&[Accept]>,
    entries: &[Entry],
) -> Result<String> {
    let chain = chain(spec.id);
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
    let v4 = spec.ipv4.map(|address| IpNet::V4(address.into()));
    let v6 = spec.ipv6.map(|prefix| Ipv6Net::new(prefix, 64).map(IpNet::V6)).transpose()?;
    let own: Vec<IpNet> = v4.into_iter().chain(v6).collect();
    for entry in entries.iter().filter(|entry| own.contains(&entry.address) != (entry.chain == chain)) {
        writeln!(text, "delete element inet cloud {} }}", entry.element())?;
    }
    for address in own {
        let entry = Entry { address, chain: chain.clone() };
        writeln!(text, "add element inet cloud {} : goto {chain} }}", entry.element())?;
    }
    Ok(text)
}

/// Removes a machine's chain and what points to it, if they are there.
pub(super) fn without_machine(id: u64, entries: &[Entry]) -> Result<String> {
    let chain = chain(id);
    let mut text = String::new();
    for entry in entries.iter().filter(|entry| entry.chain == chain) {
        writeln!(text, "delete element inet cloud {} }}", entry.element())?;
    }
    for verb in ["add", "flush", "delete"] {
        writeln!(text, "{verb} chain inet cloud {chain}")?;
    }
    Ok(text)
}

fn chain(id: u64) -> String {
    format!("s{id}")
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
            of_machine(&spec(), Some(&accepts), &[]).unwrap(),
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
        let text = of_machine(&spec(), None, &[]).unwrap();
        assert!(text.contains("s7 accept") && !text.contains("drop"), "{text}");
    }

    #[test]
    fn what_is_no_block_or_protocol_is_refused() {
        let bad = [accept("tcp", None, &["1.2.3.4; drop"]), accept("sctp", None, &["0.0.0.0/0"])];
        for accept in bad {
            assert!(of_machine(&spec(), Some(&[accept]), &[]).is_err());
        }
    }

    /// As nft 1.0.6 shows it; 9 has had the address of 7, and 7 another network.
    const LISTING: &str = r#"{"nftables": [
        {"metainfo": {"version": "1.0.6", "json_schema_version": 1}},
        {"map": {"family": "inet", "name": "by4", "table": "cloud", "type": "ipv4_addr", "map": "verdict",
            "elem": [["198.18.0.2", {"goto": {"target": "s9"}}], ["198.18.0.4", {"goto": {"target": "s8"}}]]}},
        {"map": {"family": "inet", "name": "by6", "table": "cloud", "type": "ipv6_addr", "flags": ["interval"],
            "elem": [[{"prefix": {"addr": "2001:db8:0:9::", "len": 64}}, {"goto": {"target": "s7"}}]]}}]}"#;

    #[test]
    fn an_address_moves_from_machine_to_machine() {
        let text = of_machine(&spec(), None, &entries(LISTING).unwrap()).unwrap();
        assert_eq!(
            text.split_once("accept\n").unwrap().1,
            "delete element inet cloud by4 { 198.18.0.2 }
delete element inet cloud by6 { 2001:db8:0:9::/64 }
add element inet cloud by4 { 198.18.0.2 : goto s7 }
add element inet cloud by6 { 2001:db8:0:2::/64 : goto s7 }
"
        );
    }

    #[test]
    fn a_machine_goes_with_all_that_points_to_it() {
        assert_eq!(
            without_machine(9, &entries(LISTING).unwrap()).unwrap(),
            "delete element inet cloud by4 { 198.18.0.2 }
add chain inet cloud s9
flush chain inet cloud s9
delete chain inet cloud s9
"
        );
        assert!(entries(r#"{"nftables": []}"#).unwrap().is_empty(), "a router without maps");
    }
}
