//! What bears the fleet's label and belongs to nothing.

use std::collections::BTreeSet;

use super::{Case, Reconciliation, Servers, is_going, month, shown};
use crate::model::drift::{Drift, Finding};
use crate::model::instance::Instance;
use crate::model::name::InstanceName;
use crate::model::observed::{CloudAddress, CloudSnapshot, Observed};
use crate::model::price::Price;
use crate::plan::FleetStep;

pub(super) fn find(case: &Case<'_>, servers: &Servers, seen: &Observed, result: &mut Reconciliation) {
    strays(case, servers, seen, result);
    names(case, servers, seen, result);
    let addresses = seen.addresses.iter().map(|address| {
        let drift = Drift::OrphanAddress(address.id, address.ip.clone());
        Finding::of_fleet(drift).costing(address_month(address, seen))
    });
    result.findings.extend(addresses);
    let snapshots = seen.snapshots.iter().map(|snapshot| {
        let drift = Drift::OrphanSnapshot(snapshot.id, snapshot.description.clone());
        Finding::of_fleet(drift).costing(snapshot_month(snapshot, seen))
    });
    result.findings.extend(snapshots);
    let before = &mut result.plan.before;
    if !seen.addresses.is_empty() {
        before.push(FleetStep::DeleteAddresses(seen.addresses.iter().map(|address| address.id).collect()));
    }
    if !seen.snapshots.is_empty() {
        before.push(FleetStep::DeleteSnapshots(seen.snapshots.iter().map(|snapshot| snapshot.id).collect()));
    }
}

/// Servers without an instance's label, and those that an instance has besides its own.
fn strays(case: &Case<'_>, servers: &Servers, seen: &Observed, result: &mut Reconciliation) {
    let mut ids: Vec<u64> = Vec::new();
    for server in &servers.strays {
        let finding = Finding::of_fleet(Drift::OrphanServer(shown(server)));
        result.findings.push(finding.costing(month(server, seen)));
        ids.extend((!server.protected).then_some(server.id));
    }
    for instance in case.instances.iter().filter(|instance| !case.busy.contains(&instance.name)) {
        if !is_going(instance) {
            let second = servers.of(&instance.name).iter().skip(1).filter(|server| !server.protected);
            ids.extend(second.map(|server| server.id));
        }
    }
    if !ids.is_empty() {
        result.plan.before.push(FleetStep::DeleteStrays(ids));
    }
}

/// Names of the fleet's that belong to no instance, or to one that has its name elsewhere. Those of instances that go
/// go with them.
fn names(case: &Case<'_>, servers: &Servers, seen: &Observed, result: &mut Reconciliation) {
    let mut orphans = BTreeSet::new();
    for (zone, found) in &seen.zones {
        for (name, _) in found.records.keys() {
            if !is_wanted(name, zone, case, servers) {
                orphans.insert((zone.clone(), name.clone()));
            }
        }
    }
    let finding = |(zone, name): &(String, String)| Drift::OrphanName(name.clone(), zone.clone());
    result.findings.extend(orphans.iter().map(finding).map(Finding::of_fleet));
    if !orphans.is_empty() {
        result.plan.before.push(FleetStep::DeleteNames(orphans.into_iter().collect()));
    }
}

fn is_wanted(name: &str, zone: &str, case: &Case<'_>, servers: &Servers) -> bool {
    let Ok(name) = name.parse::<InstanceName>() else {
        return false;
    };
    let known = case.instances.iter().find(|instance| instance.name == name);
    let has_one = |known: &Instance| is_going(known) || known.spec.domain.as_deref() == Some(zone);
    case.busy.contains(&name) || known.map_or_else(|| !servers.of(&name).is_empty(), has_one)
}

/// Only IPv4 addresses cost.
fn address_month(address: &CloudAddress, seen: &Observed) -> Option<Price> {
    let prices = seen.prices.as_ref().filter(|_| address.ip.parse::<std::net::Ipv4Addr>().is_ok())?;
    prices.ipv4.get(&address.location).copied()
}

fn snapshot_month(snapshot: &CloudSnapshot, seen: &Observed) -> Option<Price> {
    seen.prices.as_ref()?.snapshot_gb?.times(snapshot.size?)
}
