//! The plan that makes instances serve.

use std::collections::BTreeMap;

use super::order::order;
use super::{FleetStep, InstancePlan, Plan, Step, host_key, keys};
use crate::model::admin::AdminNetworks;
use crate::model::fleet::FleetId;
use crate::model::instance::{Instance, Server, Stage};
use crate::model::observed::{CloudServer, FirewallRule, Observed, firewall_rules};
use crate::model::operator_key::Keys;
use crate::model::price::Price;
use crate::model::refusal::Refusal;

/// What is wanted.
#[derive(Clone, Debug)]
pub struct Wish<'a> {
    /// The instances, as the state knows them or new.
    pub instances: Vec<Instance>,
    /// The other instances of the fleet: they stay as they are, but share its firewall.
    pub others: Vec<Instance>,
    /// From where SSH is allowed.
    pub admin: &'a AdminNetworks,
    /// The keys that log in.
    pub keys: &'a Keys,
    /// Locations that the operator named in the configuration; others must be in the EU.
    pub named_locations: &'a [String],
}

/// Decides what is to be done so that all wished instances serve.
///
/// # Errors
/// [`Refusal`] where something wished for cannot be had; nothing is to be done then.
pub fn provision(wish: Wish<'_>, seen: &Observed) -> Result<Plan, Refusal> {
    let mut plan = common(wish.admin, &wish.keys.fleet, seen);
    let mut prices = Vec::new();
    for instance in wish.instances {
        let servers = seen.servers.get(&instance.name).map(Vec::as_slice).unwrap_or_default();
        let mut steps = steps(&instance, servers, wish.named_locations, wish.keys, seen, &mut prices)?;
        if !plan.after.is_empty() {
            admit(&mut steps);
        }
        plan.instances.push(InstancePlan { instance, steps });
    }
    if !plan.after.is_empty() {
        let others = wish.others.into_iter().filter(|other| stands(other, seen));
        plan.instances.extend(others.map(|instance| {
            let mut steps = remaining(&instance, true, &[], seen);
            steps.retain(|step| matches!(step, Step::Reach | Step::Trust));
            admit(&mut steps);
            InstancePlan { instance, steps }
        }));
    }
    if let (Some(offer), false) = (&seen.offer, prices.is_empty()) {
        plan.cost = Some((prices.into_iter().sum(), offer.currency.clone()));
    }
    Ok(plan)
}

/// What the fleet needs as a whole. Changed admin networks reach the cloud's firewall and each host's own; so that the
/// operator is not locked out half-way, the cloud lets both the old and the new ones in until all hosts know.
pub(super) fn common(admin: &AdminNetworks, public_key: &str, seen: &Observed) -> Plan {
    let mut plan = Plan::default();
    if !seen.ssh_keys.iter().any(|key| key.public_key == public_key) {
        plan.before.push(FleetStep::CreateSshKey);
    }
    let rules = firewall_rules(admin);
    match seen.firewalls.first() {
        None => plan.before.push(FleetStep::CreateFirewall(rules)),
        // what hosts let in themselves did not change
        Some(firewall) if firewall.rules != rules && admins(&firewall.rules) == admins(&rules) => {
            plan.before.push(FleetStep::SetFirewallRules(firewall.id, rules));
        }
        Some(firewall) if firewall.rules != rules => {
            let both = union(&firewall.rules, &rules);
            if both != firewall.rules {
                plan.before.push(FleetStep::SetFirewallRules(firewall.id, both));
            }
            plan.after.push(FleetStep::SetFirewallRules(firewall.id, rules));
        }
        Some(_) => {}
    }
    plan
}

/// From where SSH is allowed.
fn admins(rules: &[FirewallRule]) -> Option<&[String]> {
    rules.iter().find(|rule| rule.port.as_deref() == Some("22")).map(|rule| rule.sources.as_slice())
}

/// The new rules, with the sources that the old ones had for the same port.
fn union(old: &[FirewallRule], new: &[FirewallRule]) -> Vec<FirewallRule> {
    let widen = |rule: &FirewallRule| {
        let mut rule = rule.clone();
        let same = old.iter().filter(|o| {
            (&o.direction, &o.protocol, &o.port) == (&rule.direction, &rule.protocol, &rule.port)
        });
        let had: Vec<String> = same.flat_map(|o| o.sources.clone()).collect();
        rule.sources.extend(had);
        rule.sources.sort();
        rule.sources.dedup();
        rule
    };
    new.iter().map(widen).collect()
}

/// Puts the change of the host's firewall where the host is trusted first; a server that is still to be created is born
/// with it.
pub(super) fn admit(steps: &mut Vec<Step>) {
    if !matches!(steps.first(), Some(Step::Create(_))) {
        let trusted = steps.iter().position(|step| *step == Step::Trust).map_or(0, |trust| trust + 1);
        steps.insert(trusted, Step::Admit);
    }
}

/// Whether an instance has the server that the record says, and is to keep it.
fn stands(instance: &Instance, seen: &Observed) -> bool {
    let going = matches!(instance.stage, Stage::Destroying(_) | Stage::Gone);
    let servers = seen.servers.get(&instance.name).map(Vec::as_slice).unwrap_or_default();
    !going && instance.stage.server().is_some_and(|known| servers.iter().any(|server| server.id == known.id))
}

/// The steps that make an instance serve that has these servers.
pub(super) fn steps(
    instance: &Instance,
    servers: &[CloudServer],
    named_locations: &[String],
    operators: &Keys,
    seen: &Observed,
    prices: &mut Vec<Price>,
) -> Result<Vec<Step>, Refusal> {
    if let Stage::Destroying(_) | Stage::Gone = instance.stage {
        let name = &instance.name;
        let hint = format!("run `clawberth destroy {name}` to finish that, then deploy again");
        return Err(Refusal::new(format!("{name} is being removed"), hint));
    }
    let mut steps = Vec::new();
    let server = match servers {
        [] => None,
        [server] => Some(server),
        [..] => return Err(several(instance, servers)),
    };
    let known = match (server, instance.stage.server()) {
        (Some(seen), Some(known)) if seen.id == known.id => Some(known),
        (Some(found), _) => {
            steps.push(Step::Adopt(found.id));
            None
        }
        (None, _) => {
            let (order, price) = order(&instance.spec, named_locations, seen)?;
            steps.push(Step::Create(order));
            prices.extend(price);
            None
        }
    };
    if let Some(server) = server.filter(|server| server.off) {
        steps.push(Step::PowerOn(server.id));
    }
    steps.extend(naming(instance, server, known, seen)?);
    // a server that is switched on starts the way anew, as its outcome says
    let stands = known.is_some() && server.is_some_and(|server| !server.off);
    let mut rest = remaining(instance, stands, own_key(known, server), seen);
    keys::add_to(&mut rest, instance, known.is_none(), operators);
    steps.extend(rest);
    Ok(steps)
}

/// The steps after which a server shows a host key that it has made itself, and its labels name that one. Whatever else is done
/// already: it is not finished while it shows a key that others may know. While it may show either, the labels name both.
fn own_key(known: Option<&Server>, server: Option<&CloudServer>) -> &'static [Step] {
    let own = known.filter(|known| known.own_host_key);
    let Some((known, server)) = own.zip(server) else {
        return host_key::first();
    };
    if host_key::is_begun(known) {
        return host_key::replace(known);
    }
    let named: BTreeMap<_, _> = FleetId::key_labels(&known.host_keys()).collect();
    if server.relabelled(&named).1.is_empty() { &[] } else { &[Step::LabelHostKey] }
}

/// The steps that lead from where the instance stands to serving.
fn remaining(instance: &Instance, stands: bool, own_key: &[Step], seen: &Observed) -> Vec<Step> {
    let done = match (&instance.stage, stands) {
        (_, false) | (Stage::Planned | Stage::Created(_) | Stage::Destroying(_) | Stage::Gone, true) => 0,
        (Stage::Reachable(_), true) => 1,
        (Stage::Trusted(_), true) => 2,
        (Stage::Installed(_), true) => 3,
        (Stage::Serving(_), true) if seen.healthy.contains(&instance.name) => 4,
        (Stage::Serving(_), true) => 3,
    };
    let to_trust = [Step::Reach, Step::Trust].into_iter().skip(done);
    let to_serve = [Step::Install, Step::Serve].into_iter().skip(done.saturating_sub(2));
    to_trust.chain(own_key.iter().cloned()).chain(to_serve).collect()
}

fn naming(
    instance: &Instance,
    server: Option<&CloudServer>,
    known: Option<&Server>,
    seen: &Observed,
) -> Result<Option<Step>, Refusal> {
    let Some(domain) = &instance.spec.domain else {
        return Ok(None);
    };
    let Some(zone) = seen.zones.get(domain) else {
        let hint = "create the zone in the Hetzner Console and delegate the domain to it, or deploy without --domain";
        return Err(Refusal::new(format!("cannot use the domain {domain}"), hint)
            .because(format!("the project has no zone {domain}")));
    };
    let label = instance.name.as_str();
    if zone.foreign.contains(label) {
        let hint = format!("remove the record {label}.{domain}, or choose another name");
        return Err(Refusal::new(format!("{label}.{domain} is taken"), hint)
            .because("the zone has an address record of that name that is not the fleet's"));
    }
    let wanted = |kind: &str| match (server.or(None), kind) {
        (Some(server), "A") => server.ipv4.map(|a| vec![a.to_string()]).unwrap_or_default(),
        (Some(server), _) => server.ipv6.map(|a| vec![a.to_string()]).unwrap_or_default(),
        (None, _) => Vec::new(),
    };
    let there =
        |kind: &str| zone.records.get(&(label.to_owned(), kind.to_owned())).cloned().unwrap_or_default();
    let right = known.is_some() && ["A", "AAAA"].iter().all(|kind| wanted(kind) == there(kind));
    Ok((!right).then(|| Step::Name(domain.clone())))
}

fn several(instance: &Instance, servers: &[CloudServer]) -> Refusal {
    let ids: Vec<String> = servers.iter().map(|server| server.id.to_string()).collect();
    let name = &instance.name;
    Refusal::new(
        format!("{name} has more than one server"),
        format!("run `clawberth destroy {name}` to remove them all, or delete the wrong one in the console"),
    )
    .because(format!("servers {} bear its label", ids.join(", ")))
}

#[cfg(test)]
mod tests;
