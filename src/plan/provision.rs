//! The plan that makes instances serve.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::budget::Budget;
use super::naming::naming;
use super::order::order;
use super::{FleetStep, InstancePlan, LIMITS, Later, Plan, Step, host_key, keys, minute, pool};
use crate::model::admin::AdminNetworks;
use crate::model::authority::Authority;
use crate::model::fleet::FleetId;
use crate::model::instance::{Instance, Server, Stage};
use crate::model::name::InstanceName;
use crate::model::observed::{CloudServer, FirewallRule, Observed, firewall_rules};
use crate::model::operator_key::Keys;
use crate::model::price::Price;
use crate::model::refusal::Refusal;

/// What is wanted.
#[derive(Clone, Debug)]
pub struct Wish<'a> {
    /// The instances, as the state knows them or new.
    pub instances: Vec<Instance>,
    /// The standbys that some of them are to have.
    pub claims: BTreeMap<InstanceName, Instance>,
    /// The other instances of the fleet: they stay as they are, but share its firewall.
    pub others: Vec<Instance>,
    /// From where SSH is allowed.
    pub admin: &'a AdminNetworks,
    /// The keys that log in.
    pub keys: &'a Keys,
    /// Locations that the operator named in the configuration; others must be in the EU.
    pub named_locations: &'a [String],
    /// Who certifies what is deployed.
    pub authority: Authority,
    /// What may still be ordered there for the names of new servers, by their domain, and what time it is; none: no more than any
    /// fleet needs.
    pub budgets: Option<(BTreeMap<String, Budget>, Timestamp)>,
    /// Who was asked for before this time is protected from deletion; none: nobody.
    pub protect_before: Option<Timestamp>,
}

/// Decides what is to be done so that all wished instances serve.
///
/// # Errors
/// [`Refusal`] where something wished for cannot be had, or nothing of it yet; nothing is to be done then.
pub fn provision(mut wish: Wish<'_>, seen: &Observed) -> Result<Plan, Refusal> {
    let mut plan = common(wish.admin, &wish.keys.fleet, seen);
    let mut prices = Vec::new();
    for instance in wish.instances {
        let servers = seen.servers.get(&instance.name).map(Vec::as_slice).unwrap_or_default();
        let before = prices.len();
        let terms = (wish.named_locations, wish.authority);
        let mut steps = match wish.claims.get(&instance.name) {
            Some(standby) => pool::claim(standby.clone(), wish.keys),
            None => steps(&instance, servers, terms, wish.keys, seen, &mut prices)?,
        };
        if let Some(Step::Create(_)) = steps.first()
            && let Some(until) = wait(&instance, &mut wish.budgets)
        {
            prices.truncate(before);
            plan.later.push(Later { name: instance.name, until });
            continue;
        }
        if !plan.after.is_empty() {
            admit(&mut steps);
        }
        if let [server] = servers
            && lacks_protection(&instance, server, wish.protect_before)
        {
            steps.push(Step::Protect(server.id));
        }
        plan.instances.push(InstancePlan { instance, steps });
    }
    if let (Some(first), true) = (plan.later.first(), plan.instances.is_empty()) {
        return Err(too_early(first, plan.later.len()));
    }
    if !plan.after.is_empty() {
        let is_claimed = |other: &Instance| wish.claims.values().any(|standby| standby.name == other.name);
        let others = wish.others.iter().filter(|other| stands(other, seen) && !is_claimed(other)).cloned();
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

/// Since when an instance that is to get a server would get a certificate; none: now. Its place in the queue is kept.
fn wait(
    instance: &Instance,
    budgets: &mut Option<(BTreeMap<String, Budget>, Timestamp)>,
) -> Option<Timestamp> {
    let (budgets, now) = budgets.as_mut()?;
    budgets.get_mut(instance.spec.domain.as_ref()?)?.order(&instance.name, *now).err()
}

fn too_early(Later { name, until }: &Later, all: usize) -> Refusal {
    let others = if all > 1 { ", and for the others after that" } else { "" };
    let hint = "run the same again then, or deploy without --domain";
    Refusal::new(format!("no certificate is to be had yet for {name}"), hint)
        .because(format!("{LIMITS}; there is one for it from {} on{others}", minute(*until)))
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

/// Whether the server that an instance has is to be protected from deletion, and is not. What is new may be a trial, of which others
/// may get rid as they like.
pub(super) fn lacks_protection(instance: &Instance, server: &CloudServer, before: Option<Timestamp>) -> bool {
    let is_its = instance.stage.server().is_some_and(|known| known.id == server.id);
    is_its && !server.protected && before.is_some_and(|time| instance.is_older_than(time))
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
        let is_trusted = |step: &Step| matches!(step, Step::Trust | Step::Claim(_));
        let trusted = steps.iter().position(is_trusted).map_or(0, |trust| trust + 1);
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
    (named_locations, authority): (&[String], Authority),
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
    steps.extend(naming(instance, server, known, authority, seen)?);
    // a server that is switched on starts the way anew, as its outcome says
    let stands = known.is_some() && server.is_some_and(|server| !server.off);
    let mut rest = remaining(instance, stands, own_key(known, server), seen);
    keys::add_to(&mut rest, instance, known.is_none(), operators);
    if known.is_some() {
        pool::end_claim(&mut rest, instance);
    }
    steps.extend(rest);
    Ok(steps)
}

/// The steps after which a server shows a host key that it has made itself, and its labels lead to that one. Whatever else is done
/// already: it is not finished while it shows a key that others may know.
fn own_key(known: Option<&Server>, server: Option<&CloudServer>) -> &'static [Step] {
    let own = known.filter(|known| known.own_host_key);
    let Some((known, server)) = own.zip(server) else {
        return host_key::first();
    };
    if known.is_replacing() {
        return host_key::replace(known);
    }
    let named: BTreeMap<_, _> = FleetId::key_labels(&known.keys_for_labels()).collect();
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
pub(super) mod tests;
