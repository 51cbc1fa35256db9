//! The plan that makes instances serve.

use std::collections::BTreeSet;

use super::{FleetStep, InstancePlan, Order, Plan, Step};
use crate::model::admin::AdminNetworks;
use crate::model::instance::{Instance, InstanceSpec, Server, Stage};
use crate::model::observed::{
    CloudServer, FirewallRule, ImageOffer, LocationOffer, Observed, Offer, TypeOffer, firewall_rules,
};
use crate::model::price::Price;
use crate::model::refusal::{Refusal, near};

/// What is wanted.
#[derive(Clone, Debug)]
pub struct Wish<'a> {
    /// The instances, as the state knows them or new.
    pub instances: Vec<Instance>,
    /// The other instances of the fleet: they stay as they are, but share its firewall.
    pub others: Vec<Instance>,
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
    let mut plan = common(&wish, seen);
    let mut prices = Vec::new();
    for instance in wish.instances {
        let mut steps = steps(&instance, wish.named_locations, seen, &mut prices)?;
        if !plan.after.is_empty() {
            admit(&mut steps);
        }
        plan.instances.push(InstancePlan { instance, steps });
    }
    if !plan.after.is_empty() {
        let others = wish.others.into_iter().filter(|other| stands(other, seen));
        plan.instances.extend(others.map(|instance| {
            let mut steps = remaining(&instance, true, seen);
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
fn common(wish: &Wish<'_>, seen: &Observed) -> Plan {
    let mut plan = Plan::default();
    if !seen.ssh_keys.iter().any(|key| key.public_key == wish.public_key) {
        plan.before.push(FleetStep::CreateSshKey);
    }
    let rules = firewall_rules(wish.admin);
    match seen.firewalls.first() {
        None => plan.before.push(FleetStep::CreateFirewall(rules)),
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
fn admit(steps: &mut Vec<Step>) {
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
        let hint =
            format!("it can be had in {}; choose with --location, or another --type", there.join(", "));
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
    let fitting: Vec<&ImageOffer> =
        offer.images.iter().filter(|i| i.architecture == kind.architecture).collect();
    match fitting.iter().find(|image| image.name == spec.image) {
        Some(image) => Ok(image.id),
        None => {
            let names: BTreeSet<&str> = fitting.iter().map(|image| image.name.as_str()).collect();
            Err(unknown("image", &spec.image, names, "`image` in clawberth.toml"))
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

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::net::Ipv4Addr;

    use super::*;
    use crate::model::observed::{CloudFirewall, CloudSshKey, CloudZone};

    const KEY: &str = "ssh-ed25519 AAAA";

    fn admin() -> AdminNetworks {
        AdminNetworks::parse(["203.0.113.7"]).unwrap()
    }

    fn instance(stage: Stage) -> Instance {
        let integrity = format!("sha512-{}==", "A".repeat(86));
        let release = serde_json::from_value(serde_json::json!({
            "openclaw": "2026.9.6", "engines": ">=24.16.0 <25", "integrity": integrity, "node": "24.21.0",
        }));
        let spec = InstanceSpec {
            server_type: "cx23".into(),
            locations: vec!["fsn1".into(), "hel1".into()],
            image: "debian-13".into(),
            release: release.unwrap(),
            domain: None,
        };
        Instance { name: "alice".parse().unwrap(), spec, stage, created: "2026-11-22T00:00:00Z".into() }
    }

    fn server() -> Server {
        let ipv4 = Ipv4Addr::new(198, 51, 100, 7);
        Server { id: 7, ipv4, ipv6: None, location: "fsn1".into(), host_key: KEY.into() }
    }

    fn cloud_server(id: u64) -> CloudServer {
        CloudServer {
            id,
            name: "cb-x-alice".into(),
            ipv4: Some(server().ipv4),
            ipv6: None,
            location: "fsn1".into(),
            server_type: "cx23".into(),
            off: false,
            op: None,
        }
    }

    fn offer() -> Offer {
        let month = |pairs: &[(&str, &str)]| -> BTreeMap<String, Price> {
            pairs.iter().map(|(l, p)| ((*l).to_owned(), Price::parse(p).unwrap())).collect()
        };
        let cx23 = TypeOffer {
            name: "cx23".into(),
            size: (2, 4.0),
            architecture: "x86".into(),
            month: month(&[("fsn1", "5.49"), ("hel1", "5.49"), ("ash", "6.00")]),
            sold_out: BTreeSet::new(),
        };
        let image = |id, architecture: &str| ImageOffer {
            id,
            name: "debian-13".into(),
            architecture: architecture.into(),
        };
        let location = |name: &str, in_eu| LocationOffer { name: name.into(), in_eu };
        Offer {
            types: vec![cx23],
            locations: vec![location("fsn1", true), location("hel1", true), location("ash", false)],
            images: vec![image(1, "arm"), image(2, "x86")],
            currency: "EUR".into(),
            ipv4_month: month(&[("fsn1", "0.50")]),
        }
    }

    fn with_common() -> Observed {
        Observed {
            ssh_keys: vec![CloudSshKey { id: 1, public_key: KEY.into() }],
            firewalls: vec![CloudFirewall { id: 3, rules: firewall_rules(&admin()) }],
            offer: Some(offer()),
            ..Observed::default()
        }
    }

    fn plan(instance: Instance, seen: &Observed) -> Result<Plan, Refusal> {
        let admin = admin();
        let named_locations = &[];
        provision(
            Wish {
                instances: vec![instance],
                others: Vec::new(),
                admin: &admin,
                public_key: KEY,
                named_locations,
            },
            seen,
        )
    }

    fn words(plan: &Plan) -> Vec<&'static str> {
        let before = plan.before.iter().map(FleetStep::word);
        before.chain(plan.instances.iter().flat_map(|part| &part.steps).map(Step::word)).collect()
    }

    fn refused(instance: Instance, seen: &Observed) -> (String, String) {
        let refusal = plan(instance, seen).unwrap_err();
        (refusal.to_string(), refusal.hint().to_owned())
    }

    #[test]
    fn from_nothing_to_serving() {
        let seen = Observed { offer: Some(offer()), ..Observed::default() };
        let plan = plan(instance(Stage::Planned), &seen).unwrap();
        let expected = ["create-ssh-key", "create-firewall", "create", "reach", "trust", "install", "serve"];
        assert_eq!(words(&plan), expected);
        assert_eq!(plan.cost, Some((Price::parse("5.99").unwrap(), "EUR".into())));
        let locations = vec!["fsn1".into(), "hel1".into()];
        let order = Order { server_type: "cx23".into(), image: 2, locations };
        assert_eq!(plan.instances[0].steps[0], Step::Create(order));
    }

    #[test]
    fn it_goes_on_where_it_stopped() {
        let mut seen = with_common();
        seen.servers.insert("alice".parse().unwrap(), vec![cloud_server(7)]);
        let stages = [
            (Stage::Planned, vec!["adopt", "reach", "trust", "install", "serve"]),
            (Stage::Created(server()), vec!["reach", "trust", "install", "serve"]),
            (Stage::Reachable(server()), vec!["trust", "install", "serve"]),
            (Stage::Trusted(server()), vec!["install", "serve"]),
            (Stage::Installed(server()), vec!["serve"]),
            (Stage::Serving(server()), vec!["serve"]),
        ];
        for (stage, expected) in stages {
            assert_eq!(words(&plan(instance(stage.clone()), &seen).unwrap()), expected, "{stage:?}");
        }
        seen.healthy.insert("alice".parse().unwrap());
        assert!(plan(instance(Stage::Serving(server())), &seen).unwrap().is_empty());
    }

    #[test]
    fn a_server_that_vanished_is_made_again_and_one_that_is_off_is_switched_on() {
        let mut seen = with_common();
        let all = ["create", "reach", "trust", "install", "serve"];
        assert_eq!(words(&plan(instance(Stage::Serving(server())), &seen).unwrap()), all);
        let off = CloudServer { off: true, ..cloud_server(7) };
        seen.servers.insert("alice".parse().unwrap(), vec![off]);
        assert_eq!(words(&plan(instance(Stage::Serving(server())), &seen).unwrap()), ["power-on", "serve"]);
    }

    #[test]
    fn changed_admin_networks_lock_nobody_out_half_way() {
        let mut seen = with_common();
        let old = AdminNetworks::parse(["198.51.100.0/24"]).unwrap();
        seen.firewalls[0].rules = firewall_rules(&old);
        seen.servers.insert("alice".parse().unwrap(), vec![cloud_server(7)]);
        seen.healthy.insert("alice".parse().unwrap());
        let plan = plan(instance(Stage::Serving(server())), &seen).unwrap();
        let both = AdminNetworks::parse(["198.51.100.0/24", "203.0.113.7"]).unwrap();
        assert_eq!(plan.before, [FleetStep::SetFirewallRules(3, firewall_rules(&both))]);
        assert_eq!(plan.instances[0].steps, [Step::Admit]);
        assert_eq!(plan.after, [FleetStep::SetFirewallRules(3, firewall_rules(&admin()))]);
    }

    #[test]
    fn changed_admin_networks_reach_the_instances_that_are_not_named() {
        let mut seen = with_common();
        seen.firewalls[0].rules = firewall_rules(&AdminNetworks::parse(["198.51.100.0/24"]).unwrap());
        let mut bob = instance(Stage::Reachable(server()));
        bob.name = "bob".parse().unwrap();
        seen.servers.insert(bob.name.clone(), vec![cloud_server(7)]);
        let admin = admin();
        let instances = vec![instance(Stage::Planned)];
        let wish =
            Wish { instances, others: vec![bob], admin: &admin, public_key: KEY, named_locations: &[] };
        let plan = provision(wish, &seen).unwrap();
        let steps: Vec<_> =
            plan.instances.iter().map(|part| part.steps.iter().map(Step::word).collect::<Vec<_>>()).collect();
        assert_eq!(steps, [vec!["create", "reach", "trust", "install", "serve"], vec!["trust", "admit"]]);
    }

    #[test]
    fn a_name_is_set_unless_it_points_at_the_server_already() {
        let mut seen = with_common();
        seen.servers.insert("alice".parse().unwrap(), vec![cloud_server(7)]);
        seen.zones.insert("example.org".into(), CloudZone::default());
        let mut alice = instance(Stage::Created(server()));
        alice.spec.domain = Some("example.org".into());
        assert_eq!(words(&plan(alice.clone(), &seen).unwrap())[0], "name");
        let record = (("alice".to_owned(), "A".to_owned()), vec!["198.51.100.7".to_owned()]);
        seen.zones.get_mut("example.org").unwrap().records.extend([record]);
        assert_eq!(words(&plan(alice.clone(), &seen).unwrap())[0], "reach");
        alice.spec.domain = Some("example.com".into());
        assert_eq!(refused(alice, &seen).0, "cannot use the domain example.com");
    }

    #[test]
    fn a_foreign_record_is_never_taken_over() {
        let mut seen = with_common();
        let foreign = BTreeSet::from(["alice".to_owned()]);
        seen.zones.insert("example.org".into(), CloudZone { foreign, ..CloudZone::default() });
        let mut alice = instance(Stage::Planned);
        alice.spec.domain = Some("example.org".into());
        assert_eq!(refused(alice, &seen).0, "alice.example.org is taken");
    }

    #[test]
    fn what_cannot_be_had_is_refused_with_a_near_match() {
        let seen = with_common();
        let ask = |change: fn(&mut InstanceSpec)| {
            let mut alice = instance(Stage::Planned);
            change(&mut alice.spec);
            refused(alice, &seen)
        };
        let (what, hint) = ask(|spec| spec.server_type = "cx32".into());
        assert_eq!((what.as_str(), hint.as_str()), ("unknown server type \"cx32\"", "did you mean cx23?"));
        let (what, hint) = ask(|spec| spec.locations = vec!["fsn".into()]);
        assert_eq!((what.as_str(), hint.as_str()), ("unknown location \"fsn\"", "did you mean fsn1?"));
        let (what, hint) = ask(|spec| spec.image = "debian-31".into());
        assert_eq!(
            (what.as_str(), hint.as_str()),
            ("unknown image \"debian-31\"", "did you mean debian-13?")
        );
        assert_eq!(ask(|spec| spec.locations = vec!["ash".into()]).0, "location ash is outside the EU");
    }

    #[test]
    fn outside_the_eu_only_where_the_operator_named_it() {
        let mut alice = instance(Stage::Planned);
        alice.spec.locations = vec!["ash".into()];
        let admin = admin();
        let named_locations = &["ash".to_owned()];
        let wish = Wish {
            instances: vec![alice],
            others: Vec::new(),
            admin: &admin,
            public_key: KEY,
            named_locations,
        };
        assert_eq!(provision(wish, &with_common()).unwrap().creates(), 1);
    }

    #[test]
    fn sold_out_places_are_tried_last() {
        let mut seen = with_common();
        seen.offer.as_mut().unwrap().types[0].sold_out.insert("fsn1".into());
        let plan = plan(instance(Stage::Planned), &seen).unwrap();
        let Step::Create(order) = &plan.instances[0].steps[0] else { panic!("{plan:?}") };
        assert_eq!(order.locations, ["hel1", "fsn1"]);
    }

    #[test]
    fn two_servers_of_one_name_and_one_that_is_going_are_refused() {
        let mut seen = with_common();
        assert_eq!(refused(instance(Stage::Destroying(None)), &seen).0, "alice is being removed");
        seen.servers.insert("alice".parse().unwrap(), vec![cloud_server(7), cloud_server(8)]);
        assert_eq!(refused(instance(Stage::Planned), &seen).0, "alice has more than one server");
    }
}
