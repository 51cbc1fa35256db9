//! The plan that mends what differs between state, cloud and hosts.

mod instance;
mod leftover;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::provision::common;
use super::{FleetStep, InstancePlan, Plan, Step, destroy};
use crate::model::admin::AdminNetworks;
use crate::model::authority::Authority;
use crate::model::drift::{Drift, Finding, Seen};
use crate::model::fleet::FleetId;
use crate::model::instance::{Instance, InstanceSpec, Stage};
use crate::model::name::InstanceName;
use crate::model::observed::{CloudServer, Observed};
use crate::model::operator_key::Keys;
use crate::model::price::Price;

/// What is compared with what was seen.
#[derive(Clone, Debug)]
pub struct Case<'a> {
    /// The fleet.
    pub fleet: &'a FleetId,
    /// All instances of the state; read after the cloud, so that none is taken for an orphan that was just begun.
    pub instances: Vec<Instance>,
    /// Instances that another process works on: they are left alone.
    pub busy: &'a BTreeSet<InstanceName>,
    /// Whether another process makes an image: its server is left alone, too.
    pub makes_an_image: bool,
    /// From where SSH is allowed.
    pub admin: &'a AdminNetworks,
    /// The keys that log in.
    pub keys: &'a Keys,
    /// Locations that the operator named in the configuration; others must be in the EU.
    pub named_locations: &'a [String],
    /// Who certifies what is deployed.
    pub authority: Authority,
    /// What is written down of an orphan while it is removed, as nobody knows what was asked for.
    pub blank: &'a InstanceSpec,
    /// The time, in RFC 3339.
    pub now: &'a str,
    /// Who was asked for before this time is protected from deletion; none: nobody.
    pub protect_before: Option<Timestamp>,
}

/// What differs, and what mends it.
#[derive(Clone, Debug, Default, PartialEq)]
#[must_use = "findings mend nothing until their plan is applied"]
pub struct Reconciliation {
    /// The differences, those of the fleet first.
    pub findings: Vec<Finding>,
    /// What mends those that can be mended.
    pub plan: Plan,
    /// What was left alone, because another process works on it.
    pub left_alone: Vec<InstanceName>,
}

impl Case<'_> {
    /// Whether something is to be created, so that what is on offer has to be known.
    pub fn creates(&self, seen: &Observed) -> bool {
        let servers = Servers::sort(self, seen);
        let mut living =
            self.instances.iter().filter(|known| !is_going(known) && !self.busy.contains(&known.name));
        living.any(|instance| servers.of(&instance.name).is_empty())
    }

    /// Whether something is there that costs and belongs to nothing, so that prices have to be known.
    pub fn costs(&self, seen: &Observed) -> bool {
        let servers = Servers::sort(self, seen);
        let known = |name: &InstanceName| self.instances.iter().any(|instance| instance.name == *name);
        let left = !servers.strays.is_empty() || !seen.addresses.is_empty() || !seen.snapshots.is_empty();
        left || servers.of.iter().any(|(name, all)| all.len() > 1 || !known(name))
    }
}

/// Compares, and decides what is to be done.
pub fn reconcile(case: Case<'_>, seen: &Observed) -> Reconciliation {
    let (left_alone, instances): (Vec<_>, Vec<_>) =
        case.instances.iter().cloned().partition(|instance| case.busy.contains(&instance.name));
    let servers = Servers::sort(&case, seen);
    let mut result = Reconciliation {
        left_alone: left_alone.into_iter().map(|instance| instance.name).collect(),
        ..Reconciliation::default()
    };
    let fleet_stays = !case.busy.is_empty()
        || case.makes_an_image
        || instances.iter().any(|known| !is_going(known))
        || servers.protected_orphans(&case).next().is_some();
    if fleet_stays {
        keep_common(&case, seen, &servers, &mut result);
    }
    leftover::find(&case, &servers, seen, &mut result);
    let mut prices = Vec::new();
    let mut gone: Vec<InstanceName> = Vec::new();
    for instance in instances {
        let part = instance::mend(instance, &case, &servers, seen, &mut prices);
        if is_going(&part.plan.instance) {
            gone.push(part.plan.instance.name.clone());
        }
        result.findings.extend(part.findings);
        result.plan.instances.push(part.plan);
    }
    gone.extend(remove_orphans(&case, &servers, seen, &mut result));
    if fleet_stays {
        admit_all(seen, case.busy, &mut result.plan);
    } else {
        drop_common(&case, seen, &mut result);
    }
    if !gone.is_empty() || !fleet_stays && !result.plan.is_empty() {
        let names = if fleet_stays { gone } else { Vec::new() };
        result.plan.after.push(FleetStep::ProveAbsence(names));
    }
    if let (Some(offer), false) = (&seen.offer, prices.is_empty()) {
        result.plan.cost = Some((prices.into_iter().sum(), offer.currency.clone()));
    }
    result.plan.instances.sort_by(|a, b| a.instance.name.cmp(&b.instance.name));
    // stable: what is found of one instance stays in its order
    result.findings.sort_by_key(|finding| (finding.subject != "fleet", finding.subject.clone()));
    result
}

/// Every server of the fleet, by the instance that has it.
struct Servers {
    /// By instance, the one that is its own first.
    of: BTreeMap<InstanceName, Vec<CloudServer>>,
    /// Those of no instance that could have one.
    strays: Vec<CloudServer>,
}

impl Servers {
    /// A server belongs to the instance whose record has it, whatever its labels say, else to the one its label names.
    fn sort(case: &Case<'_>, seen: &Observed) -> Self {
        let recorded: BTreeMap<u64, &InstanceName> = case
            .instances
            .iter()
            .filter_map(|instance| Some((instance.stage.server()?.id, &instance.name)))
            .collect();
        let labelled = seen.servers.iter().flat_map(|(name, all)| all.iter().map(move |s| (Some(name), s)));
        let is_at_work = |server: &&CloudServer| case.makes_an_image && server.is_builder();
        let strays = seen.strays.iter().filter(|server| !is_at_work(server));
        let unlabelled = strays.chain(seen.by_id.values()).map(|server| (None, server));
        let (mut of, mut strays) = (BTreeMap::<InstanceName, Vec<CloudServer>>::new(), Vec::new());
        for (label, server) in labelled.chain(unlabelled) {
            match recorded.get(&server.id).copied().or(label) {
                Some(name) => of.entry(name.clone()).or_default().push(server.clone()),
                None => strays.push(server.clone()),
            }
        }
        for (name, servers) in &mut of {
            let unique = case.fleet.server_name(name);
            let is_recorded = |id| recorded.get(&id).is_some_and(|owner| *owner == name);
            servers.sort_by_key(|server| (!is_recorded(server.id), server.name != unique, server.id));
        }
        Self { of, strays }
    }

    /// What is protected and belongs to nothing: somebody has wanted it to stay.
    fn protected_orphans(&self, case: &Case<'_>) -> impl Iterator<Item = &CloudServer> {
        let is_known = |name: &InstanceName| case.instances.iter().any(|known| known.name == *name);
        let orphans = self.of.iter().filter(move |(name, _)| !is_known(name)).flat_map(|(_, all)| all);
        orphans.chain(&self.strays).filter(|server| server.protected)
    }

    /// The servers of an instance, its own first.
    fn of(&self, name: &InstanceName) -> &[CloudServer] {
        self.of.get(name).map(Vec::as_slice).unwrap_or_default()
    }
}

fn is_going(instance: &Instance) -> bool {
    matches!(instance.stage, Stage::Destroying(_) | Stage::Gone)
}

fn shown(server: &CloudServer) -> Seen {
    let (server_type, location) = (server.server_type.clone(), server.location.clone());
    Seen { id: server.id, server_type, location, protected: server.protected }
}

/// What a server costs in a month with its address.
fn month(server: &CloudServer, seen: &Observed) -> Option<Price> {
    let prices = seen.prices.as_ref()?;
    let server_month = prices.server.get(&(server.server_type.clone(), server.location.clone()))?;
    let address = server.ipv4.and_then(|_| prices.ipv4.get(&server.location)).copied();
    Some(*server_month + address.unwrap_or_default())
}

/// Firewall and key: one of each, as they should be.
fn keep_common(case: &Case<'_>, seen: &Observed, servers: &Servers, result: &mut Reconciliation) {
    let mut find = |drift| result.findings.push(Finding::of_fleet(drift));
    for key in seen.ssh_keys.iter().filter(|key| key.public_key != case.keys.fleet) {
        find(Drift::OrphanSshKey(key.id));
        result.plan.before.push(FleetStep::DeleteSshKey(key.id));
    }
    let plan = common(case.admin, &case.keys.fleet, seen);
    for step in &plan.before {
        match step {
            FleetStep::CreateSshKey => find(Drift::NoSshKey),
            FleetStep::CreateFirewall(_) => find(Drift::NoFirewall),
            _ => {}
        }
    }
    let changes = |step: &FleetStep| matches!(step, FleetStep::SetFirewallRules(..));
    if let (Some(firewall), true) =
        (seen.firewalls.first(), plan.before.iter().chain(&plan.after).any(changes))
    {
        find(Drift::FirewallRules(firewall.id));
    }
    result.plan.before.extend(plan.before);
    result.plan.after.extend(plan.after);
    for firewall in seen.firewalls.iter().skip(1) {
        find(Drift::SecondFirewall(firewall.id));
        let all = servers.of.values().flatten().filter(|server| server.firewalls.contains(&firewall.id));
        let ids = all.map(|server| server.id).collect();
        result.plan.after.push(FleetStep::DropFirewall(firewall.id, ids));
    }
}

/// With no instance left, firewall and key are of no use.
fn drop_common(case: &Case<'_>, seen: &Observed, result: &mut Reconciliation) {
    for firewall in &seen.firewalls {
        result.plan.after.push(FleetStep::DeleteFirewall(firewall.id));
    }
    for key in &seen.ssh_keys {
        result.plan.after.push(FleetStep::DeleteSshKey(key.id));
    }
    // the end of the last instance takes them with it anyway
    if case.instances.is_empty() {
        let firewalls = seen.firewalls.iter().map(|firewall| Drift::OrphanFirewall(firewall.id));
        let keys = seen.ssh_keys.iter().map(|key| Drift::OrphanSshKey(key.id));
        result.findings.extend(firewalls.chain(keys).map(Finding::of_fleet));
    }
}

/// Changed admin networks reach every host before the cloud closes the old ones; where a host cannot be told, the cloud
/// lets both in until it can.
fn admit_all(seen: &Observed, busy: &BTreeSet<InstanceName>, plan: &mut Plan) {
    let narrows = |step: &FleetStep| matches!(step, FleetStep::SetFirewallRules(..));
    if !plan.after.iter().any(narrows) {
        return;
    }
    let mut all_told = busy.is_empty();
    for part in plan.instances.iter_mut().filter(|part| !is_going(&part.instance)) {
        let reached = seen.hosts.get(&part.instance.name).is_none_or(|host| host.can_be_reached());
        let condemned = part.steps.contains(&Step::Condemn);
        let lives = part.instance.stage != Stage::Planned || !part.steps.is_empty();
        if reached && lives && !condemned {
            super::provision::admit(&mut part.steps);
        } else if !condemned {
            all_told = false;
        }
    }
    if !all_told {
        plan.after.retain(|step| !narrows(step));
    }
}

/// Servers with the name of an instance that the state does not know: removed as `destroy` does.
fn remove_orphans(
    case: &Case<'_>,
    servers: &Servers,
    seen: &Observed,
    result: &mut Reconciliation,
) -> Vec<InstanceName> {
    let known: BTreeSet<&InstanceName> = case.instances.iter().map(|instance| &instance.name).collect();
    let orphans = servers.of.iter().filter(|(name, _)| !known.contains(name) && !case.busy.contains(name));
    let mut gone = Vec::new();
    for (name, all) in orphans {
        let findings = all
            .iter()
            .map(|server| Finding::of(name, Drift::OrphanServer(shown(server))).costing(month(server, seen)));
        result.findings.extend(findings);
        if all.iter().any(|server| server.protected) {
            continue;
        }
        let (spec, created) = (case.blank.clone(), case.now.to_owned());
        // never as one that is wanted: killed before the next step, the next command would make it serve
        let instance = Instance { name: name.clone(), spec, stage: Stage::Destroying(None), created };
        let steps = destroy::steps(&instance, all.iter().map(|server| server.id).collect(), seen);
        result.plan.instances.push(InstancePlan { instance, steps });
        gone.push(name.clone());
    }
    gone
}

#[cfg(test)]
mod tests;
