//! What the labels of servers say.

use std::collections::{BTreeMap, BTreeSet};

use crate::hcloud;
use crate::model::fleet::{self, FLEET, FleetId, INSTANCE, OpId};
use crate::model::instance::{Instance, Server};
use crate::model::name::InstanceName;
use crate::model::refusal::Refusal;
use crate::observe;

/// What the labels of one server say.
pub(super) struct Claim {
    pub(super) name: InstanceName,
    pub(super) op: Option<OpId>,
    pub(super) server: Server,
    pub(super) found: hcloud::Server,
}

/// A server that cannot be imported, and why.
pub(super) struct Left {
    pub(super) name: String,
    pub(super) why: String,
}

/// Whether a server is one of an instance that the state knows.
pub(super) fn is_of(server: &hcloud::Server, instance: &Instance) -> bool {
    server.labels.get(INSTANCE).is_some_and(|label| label == instance.name.as_str())
        || instance.stage.server().is_some_and(|known| known.id == server.id)
}

/// The servers of the fleet that is meant: the named one, or the only one.
pub(super) fn choose(
    named: Option<&str>,
    found: Vec<hcloud::Server>,
) -> Result<Option<(FleetId, Vec<hcloud::Server>)>, Refusal> {
    let mut fleets: BTreeMap<String, Vec<hcloud::Server>> = BTreeMap::new();
    for server in found {
        if let Some(fleet) = server.labels.get(FLEET) {
            fleets.entry(fleet.clone()).or_default().push(server);
        }
    }
    let told = |fleets: &BTreeMap<String, Vec<hcloud::Server>>| {
        let line = |(fleet, servers): (&String, &Vec<hcloud::Server>)| {
            let names: Vec<&str> =
                servers.iter().filter_map(|server| server.labels.get(INSTANCE)).map(String::as_str).collect();
            format!("{fleet} ({})", names.join(", "))
        };
        fleets.iter().map(line).collect::<Vec<_>>().join("; ")
    };
    match named {
        Some(named) => match fleets.remove(named) {
            Some(servers) => Ok(Some((FleetId::stored(named.to_owned()), servers))),
            None if fleets.is_empty() => Ok(None),
            None => Err(Refusal::new(format!("no server is of fleet {named}"), "name one of these")
                .because(format!("the project has {}", told(&fleets)))),
        },
        None if fleets.len() > 1 => {
            let hint = "say which: `clawberth reconcile --import FLEET`";
            Err(Refusal::new("the project has several fleets", hint).because(told(&fleets)))
        }
        None => Ok(fleets.pop_first().map(|(fleet, servers)| (FleetId::stored(fleet), servers))),
    }
}

/// What the labels say of each server; of two of one instance, the one that has its unique name, or was made first.
pub(super) fn all(fleet: &FleetId, servers: Vec<hcloud::Server>) -> (Vec<Claim>, Vec<Left>) {
    let (mut claims, mut left): (Vec<Claim>, Vec<Left>) = (Vec::new(), Vec::new());
    for server in servers {
        match claim(server) {
            Ok(claim) => claims.push(claim),
            Err(one) => left.push(one),
        }
    }
    claims.sort_by_key(|claim| (claim.found.name != fleet.server_name(&claim.name), claim.server.id));
    let mut seen = BTreeSet::new();
    let (mut first, second): (Vec<_>, Vec<_>) =
        claims.into_iter().partition(|claim| seen.insert(claim.name.clone()));
    left.extend(second.into_iter().map(|claim| Left {
        name: claim.name.to_string(),
        why: format!("server {} is its second one; `reconcile` deletes it", claim.server.id),
    }));
    first.sort_by(|a, b| a.name.cmp(&b.name));
    (first, left)
}

fn claim(found: hcloud::Server) -> Result<Claim, Left> {
    let left = |why: &str| {
        let name = found.labels.get(INSTANCE).cloned().unwrap_or_else(|| found.name.clone());
        Left { name, why: format!("server {} {why}", found.id) }
    };
    let name = found.labels.get(INSTANCE).and_then(|name| name.parse().ok());
    let name: InstanceName = name.ok_or_else(|| left("has no label with its instance"))?;
    let mut keys = fleet::host_keys(&found.labels).into_iter();
    let host_key = keys.next().ok_or_else(|| left("has no label with its host key"))?;
    let facts = observe::server(&found);
    let ipv4 = facts.ipv4.ok_or_else(|| left("has no IPv4 address"))?;
    let server = Server {
        id: facts.id,
        ipv4,
        ipv6: facts.ipv6,
        location: facts.location,
        host_key,
        next_host_key: keys.next(),
        own_host_key: false,
        birth_key: None,
        admitted: None,
        standby: None,
    };
    Ok(Claim { name, op: facts.op, server, found })
}
