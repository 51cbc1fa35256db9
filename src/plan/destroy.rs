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
        let strays = || seen.strays.iter().filter(|server| !theirs.contains(&server.id));
        let protected: Vec<u64> =
            strays().filter(|server| server.protected).map(|server| server.id).collect();
        if !protected.is_empty() {
            plan.before.push(FleetStep::UnprotectStrays(protected));
        }
        plan.before.push(FleetStep::DeleteStrays(strays().map(|server| server.id).collect()));
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
    if is_certified(instance, &servers, seen) {
        steps.push(Step::Revoke);
    }
    let label = instance.name.as_str();
    for (zone, found) in &seen.zones {
        if found.records.keys().any(|(name, _)| name == label) {
            steps.push(Step::Unname(zone.clone()));
        }
    }
    let recorded = instance.stage.server().map(|server| server.id);
    let listed = seen.servers.values().flatten().chain(&seen.strays).chain(seen.by_id.values());
    let protected: BTreeSet<u64> = listed
        .filter(|server| server.protected && (servers.contains(&server.id) || recorded == Some(server.id)))
        .map(|server| server.id)
        .collect();
    if !protected.is_empty() {
        steps.push(Step::Unprotect(protected.into_iter().collect()));
    }
    // names are unique: what shows already is what the create made
    if let (true, Some(wait)) = (servers.is_empty(), seen.interrupted.get(&instance.name)) {
        steps.push(Step::Sweep(*wait));
    }
    steps.push(Step::Delete(servers));
    steps
}

/// Whether there may be a certificate that outlives the server by months, and somebody to have it revoked. One for an address
/// ends within 160 hours, and nobody is told whether it was revoked: it names no list of those that were.
fn is_certified(instance: &Instance, servers: &[u64], seen: &Observed) -> bool {
    let found = seen.servers.get(&instance.name).into_iter().flatten();
    let mut on = found.filter(|server| !server.off && servers.contains(&server.id));
    let known = instance.stage.server().map(|server| server.id);
    instance.spec.domain.is_some() && on.any(|server| Some(server.id) == known)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::instance::Server;
    use crate::model::observed::{CloudFirewall, CloudServer, CloudSshKey};
    use crate::model::zone::CloudZone;

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
        let (ipv4, ipv6, off, op, protected) = (None, None, false, None, false);
        CloudServer { id, name, ipv4, ipv6, location, server_type, off, op, labels, firewalls, protected }
    }

    /// Server 7, as the state knows it.
    fn recorded() -> Server {
        let ipv4 = std::net::Ipv4Addr::new(198, 51, 100, 7);
        let (location, host_key) = (String::new(), String::new());
        let (ipv6, next_host_key, own_host_key) = (None, None, true);
        let (birth_key, admitted, standby) = (None, None, None);
        Server {
            id: 7,
            ipv4,
            ipv6,
            location,
            host_key,
            next_host_key,
            own_host_key,
            birth_key,
            admitted,
            standby,
        }
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
    fn a_name_s_certificate_is_revoked_while_its_server_is_there_to_do_it() {
        let steps = |change: &dyn Fn(&mut Instance, &mut Observed)| {
            let (mut seen, mut alice) =
                (seen(&[("alice", 7)]), instance("alice", Stage::Serving(recorded())));
            alice.spec.domain = Some("example.org".into());
            change(&mut alice, &mut seen);
            destroy(vec![alice], &[], false, &seen).instances.remove(0).steps
        };
        let alices = |seen: &mut Observed| seen.servers.get_mut(&"alice".parse().unwrap()).unwrap().remove(0);
        assert_eq!(steps(&|_, _| {}), [Step::Condemn, Step::Revoke, Step::Delete(vec![7])]);
        let destroying = Stage::Destroying(Some(recorded()));
        assert_eq!(
            steps(&|alice, _| alice.stage = destroying.clone()),
            [Step::Revoke, Step::Delete(vec![7])],
            "killed before its end, a removal does it again"
        );
        let without = [Step::Condemn, Step::Delete(vec![7])];
        assert_eq!(steps(&|alice, _| alice.spec.domain = None), without, "ends within a week");
        assert_eq!(steps(&|alice, _| alice.stage = Stage::Planned), without, "whose key nobody knows");
        let is_off = |_: &mut Instance, seen: &mut Observed| {
            let off = CloudServer { off: true, ..alices(seen) };
            seen.servers.insert("alice".parse().unwrap(), vec![off]);
        };
        assert_eq!(steps(&is_off), without, "that is off");
        let is_gone = |_: &mut Instance, seen: &mut Observed| drop(alices(seen));
        assert_eq!(steps(&is_gone), [Step::Condemn, Step::Delete(vec![])]);
    }

    #[test]
    fn what_is_protected_is_freed_first_as_a_step_of_its_own() {
        let mut seen = seen(&[("alice", 7), ("alice", 8)]);
        seen.servers.get_mut(&"alice".parse().unwrap()).unwrap()[1].protected = true;
        seen.strays = vec![server(9), CloudServer { protected: true, ..server(10) }];
        let plan = destroy(vec![instance("alice", Stage::Planned)], &[], true, &seen);
        let steps = [Step::Condemn, Step::Unprotect(vec![8]), Step::Delete(vec![7, 8])];
        assert_eq!(plan.instances[0].steps, steps);
        let strays = [FleetStep::UnprotectStrays(vec![10]), FleetStep::DeleteStrays(vec![9, 10])];
        assert_eq!(plan.before, strays);
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
        let bob = instance("bob", Stage::Serving(recorded()));
        let plan = destroy(vec![instance("alice", Stage::Planned)], &[bob], false, &seen(&[("alice", 7)]));
        assert_eq!(plan.instances[0].steps, [Step::Condemn, Step::Delete(vec![])]);
    }

    #[test]
    fn nothing_known_and_nothing_seen_is_nothing_to_do() {
        assert!(destroy(Vec::new(), &[], true, &Observed::default()).is_empty());
    }
}
