//! What Hetzner shows of an instance's server.

use super::{Expected, nothing};
use crate::model::audit::{Finding, Promise, Verdict};
use crate::model::instance::Server;
use crate::model::observed::{CloudServer, Observed, firewall_rules};

/// Hetzner's locations in the EU.
const EU: [&str; 3] = ["fsn1", "nbg1", "hel1"];

pub(super) fn judge(expected: &Expected<'_>, seen: &Observed) -> Vec<Finding> {
    let id = expected.instance.stage.server().map(|server| server.id);
    let of_name = seen.servers.get(&expected.instance.name).into_iter().flatten();
    let server = of_name.chain(seen.by_id.values()).find(|server| Some(server.id) == id);
    vec![
        (Promise::Location, nothing(location(expected, server), told(server, |one| one.location.clone()))),
        (
            Promise::CloudFirewall,
            nothing(firewall(expected, server, seen), "443 from everywhere, 22 from the admin networks"),
        ),
        (
            Promise::Dedicated,
            nothing(dedicated(expected, server, seen), told(server, |one| format!("server {}", one.id))),
        ),
        (Promise::Protection, protection(expected, server)),
    ]
}

fn told(server: Option<&CloudServer>, what: impl Fn(&CloudServer) -> String) -> String {
    server.map(what).unwrap_or_default()
}

fn missing() -> Vec<String> {
    vec!["the server is not there".to_owned()]
}

fn location(expected: &Expected<'_>, server: Option<&CloudServer>) -> Vec<String> {
    let Some(server) = server else { return missing() };
    let is_in = EU.contains(&server.location.as_str()) || expected.named_locations.contains(&server.location);
    if is_in { Vec::new() } else { vec![format!("it stands in {}", server.location)] }
}

fn firewall(expected: &Expected<'_>, server: Option<&CloudServer>, seen: &Observed) -> Vec<String> {
    let Some(server) = server else { return missing() };
    let ours = seen.firewalls.first();
    let mut wrong = Vec::new();
    match ours {
        Some(ours) if server.firewalls.contains(&ours.id) => {
            let mut wanted = firewall_rules(expected.admin);
            let mut rules = ours.rules.clone();
            wanted.sort();
            rules.sort();
            if rules != wanted {
                wrong.push("its rules are others".to_owned());
            }
        }
        Some(_) | None => wrong.push("the fleet's firewall is not before it".to_owned()),
    }
    // what one firewall lets in, no other one keeps out
    let others = server.firewalls.iter().filter(|id| ours.is_none_or(|ours| ours.id != **id));
    wrong.extend(others.map(|id| format!("firewall {id} is before it, too")));
    wrong
}

fn dedicated(expected: &Expected<'_>, server: Option<&CloudServer>, seen: &Observed) -> Vec<String> {
    let Some(server) = server else { return missing() };
    let mut wrong = Vec::new();
    let record = expected.instance.stage.server();
    if server.ipv4 != record.map(|record| record.ipv4) {
        wrong.push("it has another address than its record".to_owned());
    }
    let Expected { fleet, instance, .. } = expected;
    let host_keys = record.map(Server::keys_for_labels).unwrap_or_default();
    let wanted = fleet.server_labels(&instance.name, &instance.spec, &host_keys);
    let (_, differ) = server.relabelled(&wanted);
    wrong.extend(differ.iter().map(|key| format!("its label {key} is another one")));
    let several = seen.servers.get(&expected.instance.name).map_or(0, Vec::len);
    if several > 1 {
        wrong.push(format!("{several} servers say that they are its"));
    }
    wrong
}

/// Nothing is open where it is missing, and a fleet without mistakes does without: so it is told, and does not fail.
fn protection(expected: &Expected<'_>, server: Option<&CloudServer>) -> Verdict {
    let Some(server) = server else { return nothing(missing(), "") };
    let id = server.id;
    match expected.protect_before {
        _ if server.protected => Verdict::Holds(format!("server {id}")),
        None => Verdict::Holds("the configuration wants none".to_owned()),
        Some(time) if expected.instance.is_older_than(time) => {
            Verdict::Warns(format!("server {id} can be deleted; `clawberth reconcile --apply` protects it"))
        }
        Some(_) => Verdict::Holds("from its second day on".to_owned()),
    }
}
