//! Firewalls: rules, and the servers they are on, named or selected by label.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::action::{Action, Command};
use super::error::ApiError;
use super::firewall_place::Place;
use super::firewall_rule::Rule;
use super::meta::Meta;
use super::resource::Resource;
use super::server::Server;
use super::table::{Row, Table};
use super::world::World;
use crate::lab::machine::Accept;

/// A firewall.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Firewall {
    pub(crate) meta: Meta,
    pub(crate) rules: Vec<Rule>,
    pub(crate) applied_to: Vec<Place>,
}

impl Row for Firewall {
    const KIND: &'static str = "firewall";
    const TITLE: &'static str = "firewall";
    const FIRST_ID: u64 = 2001;

    fn name(&self) -> Option<&str> {
        Some(&self.meta.name)
    }
}

impl Resource for Firewall {
    const PLURAL: &'static str = "firewalls";

    fn table(world: &World) -> &Table<Self> {
        &world.firewalls
    }

    fn table_mut(world: &mut World) -> &mut Table<Self> {
        &mut world.firewalls
    }

    fn meta(&self) -> &Meta {
        &self.meta
    }

    fn meta_mut(&mut self) -> &mut Meta {
        &mut self.meta
    }

    fn view(&self, world: &World) -> Value {
        let applied_to: Vec<Value> = self.applied_to.iter().map(|place| place.view(world)).collect();
        json!({
            "id": self.meta.id,
            "name": self.meta.name,
            "labels": self.meta.labels,
            "created": self.meta.created,
            "rules": self.rules,
            "applied_to": applied_to,
        })
    }
}

/// The firewalls on a server.
pub(crate) fn on_server(world: &World, id: u64) -> Vec<&Firewall> {
    let Some(server) = world.servers.get(id) else {
        return Vec::new();
    };
    let covers = |firewall: &&Firewall| firewall.applied_to.iter().any(|place| place.covers(server));
    world.firewalls.iter().map(|(_, firewall)| firewall).filter(covers).collect()
}

/// `public_net.firewalls` of a server.
pub(crate) fn applied_to_server(world: &World, server: u64) -> Vec<Value> {
    let pending = |firewall: u64| {
        world.running().any(|action| {
            action.command == Command::ApplyFirewall
                && action.concerns(Firewall::KIND, firewall)
                && action.concerns(Server::KIND, server)
        })
    };
    on_server(world, server)
        .iter()
        .map(|f| {
            let status = if pending(f.meta.id) { "pending" } else { "applied" };
            json!({"id": f.meta.id, "status": status})
        })
        .collect()
}

/// What may reach a server; `None` without a firewall, when everything may.
///
/// Rules for outgoing traffic are kept and shown, but not enforced.
pub(crate) fn accepts(world: &World, server: u64) -> Option<Vec<Accept>> {
    let firewalls = on_server(world, server);
    let rules = firewalls.iter().flat_map(|firewall| &firewall.rules);
    (!firewalls.is_empty()).then(|| rules.filter_map(Rule::accept).collect())
}

/// The servers whose filters a firewall's action changes: those it is on now, and those that the action names.
pub(crate) fn servers_of(world: &World, action: &Action) -> Vec<u64> {
    let firewall = action.target::<Firewall>().and_then(|id| world.firewalls.get(id));
    let on = firewall.into_iter().flat_map(|f| &f.applied_to).flat_map(|place| place.servers(world));
    let named = action.resources.iter().filter(|r| r.kind == Server::KIND).map(|r| r.id);
    let mut servers: Vec<u64> = on.chain(named).collect();
    servers.sort_unstable();
    servers.dedup();
    servers
}

/// Puts a firewall on a server that is being made.
pub(crate) fn attach(world: &mut World, firewall: u64, server: u64) -> Result<(), ApiError> {
    let firewall = world.firewalls.find_mut(firewall)?;
    let place = Place::server(server);
    if !firewall.applied_to.contains(&place) {
        firewall.applied_to.push(place);
    }
    Ok(())
}

/// Refuses a firewall on a server that has private addresses only; the API has a code for each endpoint.
pub(crate) fn no_public_interface(code: &'static str) -> ApiError {
    ApiError::unprocessable(code, "server has no public interface")
}

/// Takes all firewalls off a server that is gone.
pub(crate) fn detach(world: &mut World, server: u64) {
    let place = Place::server(server);
    let on = |firewall: &Firewall| firewall.applied_to.contains(&place);
    let ids: Vec<u64> = world.firewalls.iter().filter(|(_, f)| on(f)).map(|(id, _)| id).collect();
    for id in ids {
        if let Some(firewall) = world.firewalls.get_mut(id) {
            firewall.applied_to.retain(|p| *p != place);
        }
    }
}
