//! The plan that removes instances, made from the record and from what bears the fleet's label.

use std::collections::BTreeSet;

use super::{FleetStep, InstancePlan, Plan, Step};
use crate::model::instance::{Instance, Stage};
use crate::model::name::InstanceName;
use crate::model::observed::Observed;

/// Decides what is to be removed: these instances, and, when none other is left, what the fleet has in common.
/// `others` says whether the state knows instances that stay; `everything` removes servers of no instance too.
pub fn destroy(instances: Vec<Instance>, others: bool, everything: bool, seen: &Observed) -> Plan {
    let going: BTreeSet<InstanceName> = instances.iter().map(|i| i.name.clone()).collect();
    let strays_stay = !everything && !seen.strays.is_empty();
    let staying = others || strays_stay || seen.servers.keys().any(|name| !going.contains(name));
    let mut plan = Plan::default();
    if everything && !seen.strays.is_empty() {
        plan.before.push(FleetStep::DeleteStrays(seen.strays.iter().map(|server| server.id).collect()));
    }
    for instance in instances {
        let steps = steps(&instance, seen);
        plan.instances.push(InstancePlan { instance, steps });
    }
    if !staying {
        plan.after.extend(seen.firewalls.iter().map(|firewall| FleetStep::DeleteFirewall(firewall.id)));
        plan.after.extend(seen.ssh_keys.iter().map(|key| FleetStep::DeleteSshKey(key.id)));
    }
    if !going.is_empty() || !plan.after.is_empty() {
        plan.after.push(FleetStep::ProveAbsence(if staying { going.into_iter().collect() } else { Vec::new() }));
    }
    plan
}

fn steps(instance: &Instance, seen: &Observed) -> Vec<Step> {
    let mut servers: Vec<u64> = seen.servers.get(&instance.name).into_iter().flatten().map(|s| s.id).collect();
    servers.sort_unstable();
    let mut steps = Vec::new();
    match instance.stage {
        Stage::Destroying(_) | Stage::Gone => {}
        Stage::Planned
        | Stage::Created(_)
        | Stage::Reachable(_)
        | Stage::Trusted(_)
        | Stage::Installed(_)
        | Stage::Serving(_) => steps.push(Step::Condemn),
    }
    let label = instance.name.as_str();
    for (zone, found) in &seen.zones {
        if found.records.keys().any(|(name, _)| name == label) {
            steps.push(Step::Unname(zone.clone()));
        }
    }
    steps.push(Step::Delete(servers));
    steps
}
