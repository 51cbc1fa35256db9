//! The plan that removes instances, made from the record and from what bears the fleet's label.

use std::collections::BTreeSet;

use super::{FleetStep, InstancePlan, Plan, Step};
use crate::model::instance::{Instance, Stage};
use crate::model::name::InstanceName;
use crate::model::observed::Observed;

/// Decides what is to be removed: these instances, and, when none other is left, what the fleet has in common.
/// `others` are the instances that the state knows and that stay, with the servers that are recorded as theirs, whatever labels
/// these bear; `everything` removes servers of no instance too.
pub fn destroy(instances: Vec<Instance>, others: &[Instance], everything: bool, seen: &Observed) -> Plan {
    let going: BTreeSet<InstanceName> = instances.iter().map(|i| i.name.clone()).collect();
    let strays_stay = !everything && !seen.strays.is_empty();
    let theirs: BTreeSet<u64> =
        others.iter().filter_map(|i| i.stage.server()).map(|server| server.id).collect();
    let staying = !others.is_empty() || strays_stay || seen.servers.keys().any(|name| !going.contains(name));
    let mut plan = Plan::default();
    if everything && !seen.strays.is_empty() {
        let strays = seen.strays.iter().map(|server| server.id).filter(|id| !theirs.contains(id));
        plan.before.push(FleetStep::DeleteStrays(strays.collect()));
    }
    for instance in instances {
        let servers = seen.servers.get(&instance.name).into_iter().flatten().map(|s| s.id);
        let servers = servers.filter(|id| !theirs.contains(id)).collect();
        let steps = steps(&instance, servers, seen);
        plan.instances.push(InstancePlan { instance, steps });
    }
    if !staying {
        plan.after.extend(seen.firewalls.iter().map(|firewall| FleetStep::DeleteFirewall(firewall.id)));
        plan.after.extend(seen.ssh_keys.iter().map(|key| FleetStep::DeleteSshKey(key.id)));
    }
    if !going.is_empty() || !plan.after.is_empty() {
        plan.after.push(FleetStep::ProveAbsence(if staying {
            going.into_iter().collect()
        } else {
            Vec::new()
        }));
    }
    plan
}

/// The steps that remove an instance with these servers.
pub(super) fn steps(instance: &Instance, mut servers: Vec<u64>, seen: &Observed) -> Vec<Step> {
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
    // names are unique: what shows already is what the create made
    if let (true, Some(wait)) = (servers.is_empty(), seen.interrupted.get(&instance.name)) {
        steps.push(Step::Sweep(*wait));
    }
    steps.push(Step::Delete(servers));
    steps
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::observed::{CloudFirewall, CloudServer, CloudSshKey, CloudZone};

    fn instance(name: &str, stage: Stage) -> Instance {
        let integrity = format!("sha512-{}==", "A".repeat(86));
        let spec = serde_json::json!({
            "server_type": "cx23", "locations": ["fsn1"], "image": "debian-13", "domain": null,
            "release": { "openclaw": "2026.9.6", "engines": ">=24", "integrity": integrity, "node": "24.21.0" },
        });
        let spec = serde_json::from_value(spec).unwrap();
        Instance { name: name.parse().unwrap(), spec, stage, created: String::new() }
    }

    fn server(id: u64) -> CloudServer {
        let (name, location, server_type) = (String::new(), String::new(), String::new());
        let (labels, firewalls) = Default::default();
        let (ipv4, ipv6, off, op) = (None, None, false, None);
        CloudServer { id, name, ipv4, ipv6, location, server_type, off, op, labels, firewalls }
    }

    fn seen(servers: &[(&str, u64)]) -> Observed {
        let mut seen = Observed {
            firewalls: vec![CloudFirewall { id: 3, rules: Vec::new() }],
            ssh_keys: vec![CloudSshKey { id: 1, public_key: String::new() }],
            ..Observed::default()
        };
        for (name, id) in servers {
            seen.servers.entry(name.parse().unwrap()).or_default().push(server(*id));
        }
        seen
    }

    fn after(plan: &Plan) -> Vec<&'static str> {
        plan.after.iter().map(FleetStep::word).collect()
    }

    #[test]
    fn the_last_instance_takes_firewall_and_key_with_it() {
        let plan = destroy(vec![instance("alice", Stage::Planned)], &[], false, &seen(&[("alice", 7)]));
        assert_eq!(plan.instances[0].steps, [Step::Condemn, Step::Delete(vec![7])]);
        assert_eq!(after(&plan), ["delete-firewall", "delete-ssh-key", "prove-absence"]);
    }

    #[test]
    fn while_others_stay_so_does_what_they_share() {
        let alice = || vec![instance("alice", Stage::Planned)];
        assert_eq!(
            after(&destroy(alice(), &[instance("bob", Stage::Planned)], false, &seen(&[("alice", 7)]))),
            ["prove-absence"]
        );
        let unknown = seen(&[("alice", 7), ("bob", 8)]);
        assert_eq!(after(&destroy(alice(), &[], false, &unknown)), ["prove-absence"]);
    }

    #[test]
    fn doubles_names_and_strays_go_too() {
        let mut seen = seen(&[("alice", 8), ("alice", 7)]);
        seen.strays.push(server(9));
        let mut zone = CloudZone::default();
        zone.records.insert(("alice".into(), "A".into()), vec![]);
        seen.zones.insert("example.org".into(), zone);
        let plan = destroy(vec![instance("alice", Stage::Destroying(None))], &[], true, &seen);
        assert_eq!(plan.instances[0].steps, [Step::Unname("example.org".into()), Step::Delete(vec![7, 8])]);
        assert_eq!(plan.before, [FleetStep::DeleteStrays(vec![9])]);
    }

    #[test]
    fn what_an_interrupted_create_made_is_looked_for_unless_it_shows() {
        let mut seen = seen(&[]);
        seen.interrupted.insert("alice".parse().unwrap(), Duration::from_secs(40));
        let steps = |seen: &Observed| {
            let plan = destroy(
                vec![instance("alice", Stage::Planned)],
                &[instance("bob", Stage::Planned)],
                false,
                seen,
            );
            plan.instances.into_iter().next().unwrap().steps
        };
        let sweep = Step::Sweep(Duration::from_secs(40));
        assert_eq!(steps(&seen), [Step::Condemn, sweep, Step::Delete(vec![])]);
        seen.servers.entry("alice".parse().unwrap()).or_default().push(server(7));
        assert_eq!(steps(&seen), [Step::Condemn, Step::Delete(vec![7])]);
    }

    #[test]
    fn a_server_that_another_instance_has_stays_whatever_its_label_says() {
        let ipv4 = std::net::Ipv4Addr::new(198, 51, 100, 7);
        let (location, host_key) = (String::new(), String::new());
        let (next_host_key, own_host_key) = (None, true);
        let server = crate::model::instance::Server {
            id: 7,
            ipv4,
            ipv6: None,
            location,
            host_key,
            next_host_key,
            own_host_key,
            admitted: None,
        };
        let bob = instance("bob", Stage::Serving(server));
        let plan = destroy(vec![instance("alice", Stage::Planned)], &[bob], false, &seen(&[("alice", 7)]));
        assert_eq!(plan.instances[0].steps, [Step::Condemn, Step::Delete(vec![])]);
    }

    #[test]
    fn nothing_known_and_nothing_seen_is_nothing_to_do() {
        assert!(destroy(Vec::new(), &[], true, &Observed::default()).is_empty());
    }
}
