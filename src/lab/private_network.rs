//! Private networks: for each a namespace that routes between its members, and leads nowhere else.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use anyhow::{Context, Result};
use ipnet::Ipv4Net;
use serde::Deserialize;
use tokio::sync::Mutex;

use super::machine::{Attachment, MachineSpec};
use super::network::{make_namespace, namespaces, remove_link, remove_namespace};
use super::slot::Slot;
use super::tool;

/// A network begins with its first member and ends with its last, so members come and go one at a time.
static MEMBERS: Mutex<()> = Mutex::const_new(());
/// Hetzner's, on private interfaces.
const MTU: u16 = 1450;
/// The first private interface at Hetzner is `ens10`; there is room for three.
const FIRST_INTERFACE: u32 = 10;

/// A link as `ip -j link` describes it.
#[derive(Debug, Deserialize)]
struct Link {
    ifname: String,
    ifalias: Option<String>,
}

/// A route as `ip -j route` describes it.
#[derive(Debug, Deserialize)]
struct Route {
    dst: String,
}

/// Gives a machine, whose namespace is there, the private networks of its spec, and takes the others from it. What
/// is right already is left alone, with all connections through it.
pub(super) async fn connect(slot: Slot, spec: &MachineSpec) -> Result<()> {
    let _one_at_a_time = MEMBERS.lock().await;
    let wanted: Vec<u64> = spec.networks.iter().map(|place| place.network).collect();
    leave(slot, spec.id, &wanted).await?;
    for place in &spec.networks {
        let joined = join(slot, spec.id, place).await;
        joined.with_context(|| format!("cannot connect {} to network {}", spec.name, place.network))?;
    }
    Ok(())
}

/// Takes a machine out of all private networks.
pub(super) async fn disconnect(slot: Slot, id: u64) -> Result<()> {
    let _one_at_a_time = MEMBERS.lock().await;
    leave(slot, id, &[]).await
}

/// Removes a machine's links but those to the networks it stays in, and networks that have no members then.
async fn leave(slot: Slot, id: u64, stays: &[u64]) -> Result<()> {
    let prefix = slot.network_prefix();
    for name in namespaces()? {
        let network = name.strip_prefix(&prefix).and_then(|network| network.parse().ok());
        if network.is_none_or(|network| stays.contains(&network)) {
            continue;
        }
        remove_link(Some(&name), &member(id)).await?;
        if !links(&name).await?.iter().any(|link| link.ifname.starts_with('m')) {
            remove_namespace(&name).await?;
        }
    }
    Ok(())
}

async fn join(slot: Slot, id: u64, place: &Attachment) -> Result<()> {
    let (router, link) = (slot.network(place.network), member(id));
    make_namespace(&router).await?;
    let sysctls = "cd /proc/sys/net/ipv4 && echo 1 > ip_forward && echo 1 > conf/all/rp_filter";
    tool::shell_inside(&router, sysctls).await?;
    let right = nature(place);
    if !links(&router).await?.iter().any(|l| l.ifname == link && l.ifalias.as_ref() == Some(&right)) {
        plug(slot, id, place).await?;
        // Last: with it the link is whole.
        tool::ip(&format!("-n {router} link set {link} alias {right}")).await?;
    }
    route(&router, &link, place).await
}

/// What cannot change without a new link.
fn nature(place: &Attachment) -> String {
    format!("{}@{}", place.ip, place.ip_range)
}

/// Makes the link of a machine to a network's router, in place of one that is not right.
async fn plug(slot: Slot, id: u64, place: &Attachment) -> Result<()> {
    let (router, link, machine) = (slot.network(place.network), member(id), slot.machine(id));
    remove_link(Some(&router), &link).await?;
    let taken: BTreeSet<String> = links(&machine).await?.into_iter().map(|link| link.ifname).collect();
    let mut names = (FIRST_INTERFACE..).map(|number| format!("ens{number}"));
    let name = names.find(|name| !taken.contains(name)).context("no interface name is free")?;
    let (ip, gateway, range) = (place.ip, place.gateway(), place.ip_range.trunc());
    let mac = &place.mac_address;
    tool::ip(&format!(
        "-n {router} link add {link} mtu {MTU} type veth peer name {name} netns {machine} address {mac} mtu {MTU}"
    ))
    .await?;
    for words in [
        format!("-n {router} addr add {gateway}/32 dev {link}"),
        format!("-n {router} link set {link} up"),
        format!("-n {router} route add {ip}/32 dev {link}"),
        format!("-n {machine} addr add {ip}/32 dev {name}"),
        format!("-n {machine} link set {name} up"),
        format!("-n {machine} route add {gateway} dev {name}"),
        format!("-n {machine} route add {range} via {gateway}"),
    ] {
        tool::ip(&words).await?;
    }
    Ok(())
}

/// Leads to a member what is for it or beyond it, and nothing else.
async fn route(router: &str, link: &str, place: &Attachment) -> Result<()> {
    let wanted = destinations(place);
    let there = tool::ip(&format!("-j -n {router} route show dev {link}")).await?;
    let there: Vec<Route> = serde_json::from_str(&there).context("ip describes no routes")?;
    for Route { dst } in there {
        if dst != place.ip.to_string() && !wanted.contains(&dst) {
            tool::ip(&format!("-n {router} route delete {dst} dev {link}")).await?;
        }
    }
    for destination in wanted {
        let via = place.ip;
        tool::ip(&format!("-n {router} route replace {destination} via {via} dev {link}")).await?;
    }
    Ok(())
}

/// Where packets go to a member, besides its own address: written as `ip` does.
fn destinations(place: &Attachment) -> BTreeSet<String> {
    let is_its = |via: &Ipv4Addr| *via == place.ip || place.alias_ips.contains(via);
    let beyond = place.routes.iter().filter(|(_, via)| is_its(via)).map(|(destination, _)| *destination);
    let aliases = place.alias_ips.iter().map(|alias| Ipv4Net::from(*alias));
    aliases.chain(beyond).map(|destination| written(destination.trunc())).collect()
}

fn written(destination: Ipv4Net) -> String {
    match destination.prefix_len() {
        0 => "default".to_owned(),
        32 => destination.addr().to_string(),
        _ => destination.to_string(),
    }
}

async fn links(namespace: &str) -> Result<Vec<Link>> {
    let links = tool::ip(&format!("-j -n {namespace} link show")).await?;
    serde_json::from_str(&links).context("ip describes no links")
}

fn member(id: u64) -> String {
    format!("m{id}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_gets_its_aliases_and_what_is_beyond_it() {
        let place = Attachment {
            network: 1,
            ip_range: "10.0.0.0/16".parse().unwrap(),
            ip: "10.0.0.2".parse().unwrap(),
            mac_address: "86:00:00:00:00:01".to_owned(),
            alias_ips: vec!["10.0.0.9".parse().unwrap()],
            routes: [("0.0.0.0/0", "10.0.0.2"), ("10.7.1.0/24", "10.0.0.9"), ("10.8.0.0/24", "10.0.0.3")]
                .map(|(destination, via)| (destination.parse().unwrap(), via.parse().unwrap()))
                .to_vec(),
        };
        let wanted = ["10.0.0.9", "10.7.1.0/24", "default"].map(str::to_owned);
        assert_eq!(destinations(&place), BTreeSet::from(wanted));
    }
}
