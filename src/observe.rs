//! Asks Hetzner by label, and the gateways themselves, and answers with plain facts. Changes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::Path;

use jiff::Timestamp;

use crate::hcloud::{
    Client, Error, Firewall, Image, Pricing, PrimaryIp, Rrset, Rule, Server, ServerType, SshKey,
};
use crate::host::outside::Gate;
use crate::model::fleet::{FleetId, INSTANCE, OP, OpId};
use crate::model::image::{BakedImage, Recipe};
use crate::model::instance::{Instance, Stage};
use crate::model::name::InstanceName;
use crate::model::observed::{
    CloudAddress, CloudFirewall, CloudServer, CloudSnapshot, CloudSshKey, EU_LOCATIONS, FirewallRule,
    ImageOffer, LocationOffer, Observed, Offer, Prices, TypeOffer,
};
use crate::model::price::Price;
use crate::model::zone::{CloudZone, Delegation};

/// What bears the fleet's label. One request per kind and page, and one for each firewall and key.
///
/// # Errors
/// What the API or the network says.
pub async fn cloud(client: &Client, fleet: &FleetId) -> Result<Observed, Error> {
    let selector = fleet.selector();
    let answers =
        tokio::join!(client.servers(&selector), client.firewalls(&selector), client.ssh_keys(&selector));
    // of several failures always the same one is told, whichever came first
    let (servers, mut firewalls, mut keys) = (answers.0?, answers.1?, answers.2?);
    // lists still show for a while what was deleted
    let (there, known) = tokio::try_join!(
        existing(&firewalls, |firewall| async { Ok(client.firewall(firewall.id).await?.is_some()) }),
        existing(&keys, |key| async { Ok(client.ssh_key(key.id).await?.is_some()) }),
    )?;
    (firewalls, keys) = (there, known);
    // of several, the one whose name is unique is the fleet's
    firewalls.sort_by_key(|firewall| (firewall.name != fleet.common_name(), firewall.id));
    let mut seen = Observed {
        firewalls: firewalls.into_iter().map(firewall).collect(),
        ssh_keys: keys.iter().map(ssh_key).collect(),
        ..Observed::default()
    };
    for found in servers {
        match found.labels.get(INSTANCE).and_then(|name| name.parse::<InstanceName>().ok()) {
            Some(name) => seen.servers.entry(name).or_default().push(server(&found)),
            None => seen.strays.push(server(&found)),
        }
    }
    Ok(seen)
}

/// These zones, as far as the project has them.
///
/// # Errors
/// What the API or the network says.
pub async fn zones(
    client: &Client,
    fleet: &FleetId,
    names: &BTreeSet<String>,
) -> Result<BTreeMap<String, CloudZone>, Error> {
    let mut zones = BTreeMap::new();
    for name in names {
        if let Some(zone) = zone(client, fleet, name).await? {
            zones.insert(name.clone(), zone);
        }
    }
    Ok(zones)
}

/// Those of what a list shows that exist.
async fn existing<'a, T: Clone, F>(listed: &'a [T], look: impl Fn(&'a T) -> F) -> Result<Vec<T>, Error>
where
    F: Future<Output = Result<bool, Error>>,
{
    let looks = listed.iter().map(async |item| Ok::<_, Error>(look(item).await?.then(|| item.clone())));
    Ok(futures_util::future::try_join_all(looks).await?.into_iter().flatten().collect())
}

/// Gives each server that the state knows to the instance that has it there, whatever its label says: a standby that was claimed just
/// now may still bear the name that it had. And leaves out servers that were deleted, which lists still show for a while. Those that the
/// state knows are taken for what they are; so this asks only for what an interrupted command left.
///
/// # Errors
/// What the API or the network says.
pub async fn confirm(client: &Client, instances: &[Instance], seen: &mut Observed) -> Result<(), Error> {
    let recorded = instances.iter().filter_map(|known| Some((known.stage.server()?.id, &known.name)));
    let recorded: BTreeMap<u64, &InstanceName> = recorded.collect();
    let labelled = std::mem::take(&mut seen.servers).into_iter();
    for (label, server) in labelled.flat_map(|(label, all)| all.into_iter().map(move |s| (label.clone(), s)))
    {
        let owner = recorded.get(&server.id).map_or(label, |owner| (*owner).clone());
        seen.servers.entry(owner).or_default().push(server);
    }
    for servers in seen.servers.values_mut().chain([&mut seen.strays]) {
        let look = async |server: &CloudServer| -> Result<bool, Error> {
            Ok(recorded.contains_key(&server.id) || client.server(server.id).await?.is_some())
        };
        *servers = existing(servers, look).await?;
    }
    seen.servers.retain(|_, servers| !servers.is_empty());
    Ok(())
}

/// What can be had now, where and for how much; without what the fleet has itself. Hetzner is not asked where that may be, if
/// nobody wants another location than the EU's.
///
/// # Errors
/// What the API or the network says.
pub async fn offer(client: &Client, eu_only: bool, now: Timestamp) -> Result<Offer, Error> {
    let locations = async {
        if eu_only {
            return Ok(EU_LOCATIONS.map(|name| LocationOffer { name: name.to_owned(), in_eu: true }).into());
        }
        let location = |l: crate::hcloud::Location| LocationOffer {
            in_eu: l.network_zone == "eu-central",
            name: l.name,
        };
        Ok::<Vec<_>, Error>(client.locations().await?.into_iter().map(location).collect())
    };
    // of several failures always the same one is told, whichever came first
    let answers = tokio::join!(client.server_types(), locations, client.system_images(), client.pricing());
    let (types, locations, images, pricing) = (answers.0?, answers.1?, answers.2?, answers.3?);
    let image = |i: crate::hcloud::Image| {
        i.name.map(|name| ImageOffer { id: i.id, name, architecture: i.architecture })
    };
    Ok(Offer {
        types: types.into_iter().filter(|t| t.is_sold(now)).map(type_offer).collect(),
        locations,
        images: images.into_iter().filter_map(image).collect(),
        baked: Vec::new(),
        set_up: String::new(),
        ipv4_month: ipv4_month(&pricing),
        currency: pricing.currency,
    })
}

/// What the label of servers does not show: servers that the state knows by id, addresses that no server has, snapshots.
/// Two requests, and a few for each recorded server that is missing.
///
/// # Errors
/// What the API or the network says.
pub async fn hidden(
    client: &Client,
    fleet: &FleetId,
    instances: &[Instance],
    seen: &mut Observed,
) -> Result<(), Error> {
    let selector = fleet.selector();
    let (addresses, snapshots) =
        tokio::try_join!(client.primary_ips(&selector), client.snapshots(&selector))?;
    seen.addresses.extend(addresses.into_iter().filter_map(loose));
    seen.snapshots = snapshots.into_iter().filter(|found| baked(found).is_none()).map(snapshot).collect();
    for gone in unlisted(client, instances, seen).await? {
        let kept = client.primary_ip_by_address(&gone.to_string()).await?;
        seen.addresses.extend(kept.and_then(loose));
    }
    seen.addresses.sort_by_key(|address| address.id);
    seen.addresses.dedup();
    Ok(())
}

/// Servers that the state knows by id and that the label does not find. A request for each; the addresses of those that are gone.
///
/// # Errors
/// What the API or the network says.
pub async fn unlisted(
    client: &Client,
    instances: &[Instance],
    seen: &mut Observed,
) -> Result<Vec<Ipv4Addr>, Error> {
    let listed: BTreeSet<u64> =
        seen.servers.values().flatten().chain(&seen.strays).map(|server| server.id).collect();
    let recorded = instances.iter().filter_map(|instance| instance.stage.server());
    let mut gone = Vec::new();
    for missing in recorded.filter(|server| !listed.contains(&server.id)) {
        match client.server(missing.id).await? {
            Some(found) => drop(seen.by_id.insert(missing.id, server(&found))),
            None => gone.push(missing.ipv4),
        }
    }
    Ok(gone)
}

/// An address that no server has.
fn loose(found: PrimaryIp) -> Option<CloudAddress> {
    let location = found.location.map(|location| location.name).unwrap_or_default();
    found.assignee_id.is_none().then_some(CloudAddress { id: found.id, ip: found.ip, location })
}

fn snapshot(found: Image) -> CloudSnapshot {
    CloudSnapshot { id: found.id, description: found.description, size: found.image_size }
}

/// The images of a fleet.
///
/// # Errors
/// What the API or the network says.
pub async fn images(client: &Client, fleet: &FleetId) -> Result<Vec<BakedImage>, Error> {
    Ok(client.snapshots(&fleet.selector()).await?.iter().filter_map(baked).collect())
}

/// A snapshot as an image of ours; none where it is another one.
pub fn baked(found: &Image) -> Option<BakedImage> {
    Some(BakedImage {
        id: found.id,
        recipe: Recipe::of_labels(&found.labels)?,
        architecture: found.architecture.clone(),
        disk: found.disk_size,
        size: found.image_size,
        created: found.created.parse().ok(),
        is_whole: found.status == "available",
    })
}

/// What things cost.
///
/// # Errors
/// What the API or the network says.
pub async fn prices(client: &Client) -> Result<Prices, Error> {
    let (types, pricing) = tokio::try_join!(client.server_types(), client.pricing())?;
    let server = types.iter().flat_map(|t| {
        t.prices.iter().filter_map(move |p| {
            Some(((t.name.clone(), p.location.clone()), Price::parse(&p.price_monthly.net)?))
        })
    });
    Ok(Prices {
        server: server.collect(),
        ipv4: ipv4_month(&pricing),
        snapshot_gb: pricing.image.and_then(|image| Price::parse(&image.price_per_gb_month.net)),
        currency: pricing.currency,
    })
}

async fn zone(client: &Client, fleet: &FleetId, name: &str) -> Result<Option<CloudZone>, Error> {
    let Some(found) = client.zone(name).await? else { return Ok(None) };
    let servers = found.authoritative_nameservers;
    let (status, assigned, named) = (servers.delegation_status, servers.assigned, servers.delegated);
    let mut seen = CloudZone {
        is_secondary: found.mode == "secondary",
        delegation: Delegation { status, assigned, named },
        ..CloudZone::default()
    };
    for set in client.rrsets(name).await? {
        let ours = fleet.owns(&set.labels);
        match (set.kind.as_str(), ours) {
            ("A" | "AAAA", true) => {
                let values = values(&set);
                seen.records.insert((set.name, set.kind), values);
            }
            ("A" | "AAAA" | "CNAME", false) => {
                seen.foreign.insert(set.name);
            }
            ("NS", _) if set.name != "@" => {
                seen.handed_on.insert(set.name);
            }
            ("CAA", _) => {
                let values = values(&set);
                seen.caa.insert(set.name, values);
            }
            _ => {}
        }
    }
    Ok(Some(seen))
}

fn values(set: &Rrset) -> Vec<String> {
    let mut values: Vec<String> = set.records.iter().map(|record| record.value.clone()).collect();
    values.sort();
    values
}

/// The facts of a server.
pub fn server(found: &Server) -> CloudServer {
    CloudServer {
        id: found.id,
        name: found.name.clone(),
        ipv4: found.public_net.ipv4.as_ref().map(|v4| v4.ip),
        ipv6: found.public_net.ipv6.as_ref().and_then(|v6| host_address(&v6.ip)),
        location: found.location.name.clone(),
        server_type: found.server_type.name.clone(),
        off: found.status == "off",
        op: found.labels.get(OP).cloned().map(OpId::stored),
        labels: found.labels.clone(),
        firewalls: found.public_net.firewalls.iter().map(|firewall| firewall.id).collect(),
        protected: found.protection.delete,
    }
}

/// Hetzner gives a /64; its images take the address that ends in `::1`.
fn host_address(network: &str) -> Option<Ipv6Addr> {
    let (address, _) = network.split_once('/')?;
    let network: Ipv6Addr = address.parse().ok()?;
    Some(Ipv6Addr::from_bits(network.to_bits() | 1))
}

fn firewall(found: Firewall) -> CloudFirewall {
    let mut rules: Vec<FirewallRule> = found.rules.into_iter().map(rule).collect();
    rules.sort();
    CloudFirewall { id: found.id, rules }
}

fn rule(rule: Rule) -> FirewallRule {
    let mut sources = rule.source_ips;
    sources.sort();
    FirewallRule { direction: rule.direction, protocol: rule.protocol, port: rule.port, sources }
}

fn ssh_key(found: &SshKey) -> CloudSshKey {
    let parts: Vec<&str> = found.public_key.split_whitespace().take(2).collect();
    CloudSshKey { id: found.id, public_key: parts.join(" ") }
}

fn type_offer(found: ServerType) -> TypeOffer {
    let month =
        found.prices.iter().filter_map(|p| Some((p.location.clone(), Price::parse(&p.price_monthly.net)?)));
    let sold_out = found.locations.iter().filter(|location| !location.available);
    TypeOffer {
        month: month.collect(),
        sold_out: sold_out.map(|location| location.name.clone()).collect(),
        size: (found.cores, found.memory),
        disk: found.disk,
        name: found.name,
        architecture: found.architecture,
    }
}

fn ipv4_month(pricing: &Pricing) -> BTreeMap<String, Price> {
    let v4 = pricing.primary_ips.iter().filter(|addresses| addresses.family == "ipv4");
    v4.flat_map(|addresses| &addresses.prices)
        .filter_map(|p| Some((p.location.clone(), Price::parse(&p.price_monthly.net)?)))
        .collect()
}

/// The instances that were serving and, looked at from here just now, still do.
pub async fn healthy(instances: &[Instance], acme_root: Option<&Path>) -> BTreeSet<InstanceName> {
    let all_holds = async |gate: &Gate| gate.check_once().await.iter().all(|(_, found)| found.is_ok());
    those(instances, acme_root, all_holds).await
}

/// The instances that were serving and just now say that they are ready, behind a certificate that holds. The other checks take
/// seconds.
pub async fn ready(instances: &[Instance], acme_root: Option<&Path>) -> BTreeSet<InstanceName> {
    those(instances, acme_root, async |gate: &Gate| gate.ready().await.is_ok()).await
}

/// The instances that were serving, and for which this holds.
async fn those(
    instances: &[Instance],
    acme_root: Option<&Path>,
    holds: impl AsyncFn(&Gate) -> bool,
) -> BTreeSet<InstanceName> {
    let serving = instances.iter().filter(|instance| matches!(instance.stage, Stage::Serving(_)));
    let gates = Gate::of_all(serving, acme_root).unwrap_or_default();
    let looks = gates.iter().map(async |(name, gate)| holds(gate).await.then(|| name.clone()));
    futures_util::future::join_all(looks).await.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::host_address;

    #[test]
    fn a_host_takes_the_first_address_of_its_network() {
        assert_eq!(host_address("2001:db8:1:7::/64").unwrap().to_string(), "2001:db8:1:7::1");
        assert_eq!(host_address("nonsense"), None);
    }
}
