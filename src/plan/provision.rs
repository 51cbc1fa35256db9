//! The plan that makes instances serve.

use std::collections::BTreeSet;

use super::{FleetStep, InstancePlan, Order, Plan, Step};
use crate::model::admin::AdminNetworks;
use crate::model::instance::{Instance, InstanceSpec, Server, Stage};
use crate::model::observed::{CloudServer, ImageOffer, LocationOffer, Observed, Offer, TypeOffer, firewall_rules};
use crate::model::price::Price;
use crate::model::refusal::{Refusal, near};

/// What is wanted.
#[derive(Clone, Debug)]
pub struct Wish<'a> {
    /// The instances, as the state knows them or new.
    pub instances: Vec<Instance>,
    /// From where SSH is allowed.
    pub admin: &'a AdminNetworks,
    /// The fleet's public key: type and key, without comment.
    pub public_key: &'a str,
    /// Locations that the operator named in the configuration; others must be in the EU.
    pub named_locations: &'a [String],
}

/// Decides what is to be done so that all wished instances serve.
///
/// # Errors
/// [`Refusal`] where something wished for cannot be had; nothing is to be done then.
pub fn provision(wish: Wish<'_>, seen: &Observed) -> Result<Plan, Refusal> {
    let before = common(&wish, seen);
    let mut plan = Plan { before, ..Plan::default() };
    let mut prices = Vec::new();
    for instance in wish.instances {
        let steps = steps(&instance, wish.named_locations, seen, &mut prices)?;
        plan.instances.push(InstancePlan { instance, steps });
    }
    if let (Some(offer), false) = (&seen.offer, prices.is_empty()) {
        plan.cost = Some((prices.into_iter().sum(), offer.currency.clone()));
    }
    Ok(plan)
}

fn common(wish: &Wish<'_>, seen: &Observed) -> Vec<FleetStep> {
    let mut steps = Vec::new();
    if !seen.ssh_keys.iter().any(|key| key.public_key == wish.public_key) {
        steps.push(FleetStep::CreateSshKey);
    }
    let rules = firewall_rules(wish.admin);
    match seen.firewalls.first() {
        None => steps.push(FleetStep::CreateFirewall(rules)),
        Some(firewall) if firewall.rules != rules => steps.push(FleetStep::SetFirewallRules(firewall.id, rules)),
        Some(_) => {}
    }
    steps
}

fn steps(
    instance: &Instance,
    named_locations: &[String],
    seen: &Observed,
    prices: &mut Vec<Price>,
) -> Result<Vec<Step>, Refusal> {
    if let Stage::Destroying(_) | Stage::Gone = instance.stage {
        let name = &instance.name;
        let hint = format!("run `clawberth destroy {name}` to finish that, then deploy again");
        return Err(Refusal::new(format!("{name} is being removed"), hint));
    }
    let mut steps = Vec::new();
    let servers = seen.servers.get(&instance.name).map(Vec::as_slice).unwrap_or_default();
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
    steps.extend(remaining(instance, known.is_some(), seen));
    Ok(steps)
}

/// The steps that lead from where the instance stands to serving.
fn remaining(instance: &Instance, server_is_known: bool, seen: &Observed) -> Vec<Step> {
    let all = [Step::Reach, Step::Trust, Step::Install, Step::Serve];
    let done = match (&instance.stage, server_is_known) {
        (_, false) | (Stage::Planned | Stage::Created(_) | Stage::Destroying(_) | Stage::Gone, true) => 0,
        (Stage::Reachable(_), true) => 1,
        (Stage::Trusted(_), true) => 2,
        (Stage::Installed(_), true) => 3,
        (Stage::Serving(_), true) if seen.healthy.contains(&instance.name) => 4,
        (Stage::Serving(_), true) => 3,
    };
    all.into_iter().skip(done).collect()
}

fn naming(
    instance: &Instance,
    server: Option<&CloudServer>,
    known: Option<&Server>,
    seen: &Observed,
) -> Result<Option<Step>, Refusal> {
    let Some(domain) = &instance.spec.domain else { return Ok(None) };
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
    let there = |kind: &str| zone.records.get(&(label.to_owned(), kind.to_owned())).cloned().unwrap_or_default();
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

fn order(
    spec: &InstanceSpec,
    named_locations: &[String],
    seen: &Observed,
) -> Result<(Order, Option<Price>), Refusal> {
    let nothing = Offer::default();
    let offer = seen.offer.as_ref().unwrap_or(&nothing);
    let kind = find(&offer.types, |t: &TypeOffer| &t.name, &spec.server_type, "server type", "--type")?;
    let mut locations = Vec::new();
    for name in &spec.locations {
        let location = find(&offer.locations, |l: &LocationOffer| &l.name, name, "location", "--location")?;
        if !location.in_eu && !named_locations.contains(name) {
            let hint = format!("if that is meant, name it in clawberth.toml: locations = [\"{name}\"]");
            return Err(Refusal::new(format!("location {name} is outside the EU"), hint));
        }
        if kind.month.contains_key(name) {
            locations.push(name.clone());
        }
    }
    if locations.is_empty() {
        let there: Vec<&str> = kind.month.keys().map(String::as_str).collect();
        let hint = format!("it can be had in {}; choose with --location, or another --type", there.join(", "));
        let what = format!("server type {} cannot be had in {}", kind.name, spec.locations.join(", "));
        return Err(Refusal::new(what, hint));
    }
    // what is said to be sold out goes last, not away: the word has been wrong in both directions
    locations.sort_by_key(|name| kind.sold_out.contains(name));
    let image = image(offer, spec, kind)?;
    let price = locations.first().and_then(|first| {
        let address = offer.ipv4_month.get(first).copied().unwrap_or_default();
        kind.month.get(first).map(|month| *month + address)
    });
    Ok((Order { server_type: kind.name.clone(), image, locations }, price))
}

fn image(offer: &Offer, spec: &InstanceSpec, kind: &TypeOffer) -> Result<u64, Refusal> {
    let fitting: Vec<&ImageOffer> = offer.images.iter().filter(|i| i.architecture == kind.architecture).collect();
    match fitting.iter().find(|image| image.name == spec.image) {
        Some(image) => Ok(image.id),
        None => {
            let names: BTreeSet<&str> = fitting.iter().map(|image| image.name.as_str()).collect();
            Err(unknown("image", &spec.image, names, "image"))
        }
    }
}

fn find<'a, T>(
    all: &'a [T],
    name_of: impl Fn(&T) -> &String,
    wanted: &str,
    what: &str,
    flag: &str,
) -> Result<&'a T, Refusal> {
    all.iter()
        .find(|item| name_of(item) == wanted)
        .ok_or_else(|| unknown(what, wanted, all.iter().map(|item| name_of(item).as_str()), flag))
}

fn unknown<'a>(what: &str, wanted: &str, all: impl IntoIterator<Item = &'a str>, flag: &str) -> Refusal {
    let all: Vec<&str> = all.into_iter().collect();
    let hint = match near(wanted, all.iter().copied()).as_slice() {
        [] => format!("choose with {flag}: {}", all.join(", ")),
        close => format!("did you mean {}?", close.join(" or ")),
    };
    Refusal::new(format!("unknown {what} {wanted:?}"), hint)
}
