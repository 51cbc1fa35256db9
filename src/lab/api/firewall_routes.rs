//! Requests about firewalls.

use axum::Router;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::routing::{post, put};
use serde_json::{Value, json};

use super::action::{Command, Target};
use super::answer::{Created, created};
use super::body::Body;
use super::error::ApiError;
use super::firewall::{Firewall, no_public_interface, on_server};
use super::firewall_place::Place;
use super::meta::Meta;
use super::path::Id;
use super::project::Project;
use super::resource::{self, Resource};
use super::server::Server;
use super::world::World;
use super::{Cloud, firewall_rule};

/// Firewalls on one server.
const PER_SERVER_MAX: usize = 5;

pub(crate) fn routes() -> Router<Cloud> {
    resource::routes::<Firewall>()
        .route("/v1/firewalls", post(create))
        .route("/v1/firewalls/{id}", put(resource::update::<Firewall>).delete(remove))
        .route("/v1/firewalls/{id}/actions/set_rules", post(set_rules))
        .route("/v1/firewalls/{id}/actions/apply_to_resources", post(apply))
        .route("/v1/firewalls/{id}/actions/remove_from_resources", post(take_off))
}

async fn create(Project(cloud): Project, body: Body) -> Created {
    let name = body.name()?;
    let labels = body.labels()?.unwrap_or_default();
    let rules = firewall_rule::read(body.optional("rules")?.unwrap_or_default())?;
    let places: Vec<Place> = body.optional("apply_to")?.unwrap_or_default();
    cloud
        .change(|world| {
            world.firewalls.check_name_free(&name, None)?;
            check_places(world, &places, None)?;
            let has_rules = !rules.is_empty();
            let id = world.firewalls.insert(|id| {
                let applied_to = places.clone();
                Firewall { meta: Meta::new(id, name, labels), rules, applied_to }
            });
            let mut actions = Vec::new();
            if has_rules {
                actions.push(world.act(Command::SetFirewallRules, vec![Target::of::<Firewall>(id)]));
            }
            actions.extend(act(world, Command::ApplyFirewall, id, &places));
            created(json!({
                "firewall": world.firewalls.find(id)?.view(world),
                "actions": views(world, &actions)?,
            }))
        })
        .await
}

/// Refuses places that are not there, come twice, or would be one firewall too many.
fn check_places(world: &World, places: &[Place], firewall: Option<&Firewall>) -> Result<(), ApiError> {
    for (i, place) in places.iter().enumerate() {
        place.check(world)?;
        if place.is_private(world) {
            let code =
                if firewall.is_some() { "private_net_only_server" } else { "incompatible_network_type" };
            return Err(no_public_interface(code));
        }
        if firewall.is_some_and(|f| f.applied_to.contains(place)) {
            let message = "firewall is already applied to the resource";
            return Err(ApiError::unprocessable("firewall_already_applied", message));
        }
        if places.iter().take(i).any(|earlier| earlier == place) {
            return Err(ApiError::unprocessable(
                "server_already_added",
                "a resource was given more than once",
            ));
        }
        if place.servers(world).iter().any(|server| on_server(world, *server).len() >= PER_SERVER_MAX) {
            return Err(ApiError::limit_exceeded("firewalls_per_server_limit"));
        }
    }
    Ok(())
}

/// One action for each place.
fn act(world: &mut World, command: Command, firewall: u64, places: &[Place]) -> Vec<u64> {
    let targets =
        |place: &Place| std::iter::once(Target::of::<Firewall>(firewall)).chain(place.target()).collect();
    places.iter().map(|place| world.act(command, targets(place))).collect()
}

fn views(world: &World, actions: &[u64]) -> Result<Vec<Value>, ApiError> {
    actions.iter().map(|id| world.action_view(*id)).collect()
}

async fn remove(Project(cloud): Project, Path(Id(id)): Path<Id>) -> Result<StatusCode, ApiError> {
    cloud
        .change(|world| {
            if !world.firewalls.find(id)?.applied_to.is_empty() {
                return Err(ApiError::unprocessable("resource_in_use", "firewall is still in use"));
            }
            world.firewalls.remove(id);
            Ok(StatusCode::NO_CONTENT)
        })
        .await
}

async fn set_rules(Project(cloud): Project, Path(Id(id)): Path<Id>, body: Body) -> Created {
    let rules = firewall_rule::read(body.required("rules")?)?;
    cloud
        .change(|world| {
            world.firewalls.find_mut(id)?.rules = rules;
            let mut actions = vec![world.act(Command::SetFirewallRules, vec![Target::of::<Firewall>(id)])];
            let places = world.firewalls.find(id)?.applied_to.clone();
            actions.extend(act(world, Command::ApplyFirewall, id, &places));
            created(json!({"actions": views(world, &actions)?}))
        })
        .await
}

async fn apply(Project(cloud): Project, Path(Id(id)): Path<Id>, body: Body) -> Created {
    let places: Vec<Place> = body.required("apply_to")?;
    cloud
        .change(|world| {
            check_places(world, &places, Some(world.firewalls.find(id)?))?;
            world.firewalls.find_mut(id)?.applied_to.extend(places.iter().cloned());
            let actions = act(world, Command::ApplyFirewall, id, &places);
            created(json!({"actions": views(world, &actions)?}))
        })
        .await
}

async fn take_off(Project(cloud): Project, Path(Id(id)): Path<Id>, body: Body) -> Created {
    let places: Vec<Place> = body.required("remove_from")?;
    cloud
        .change(|world| {
            let firewall = world.firewalls.find(id)?;
            if let Some(place) = places.iter().find(|place| !firewall.applied_to.contains(place)) {
                return Err(not_applied(world, firewall, place));
            }
            // the servers have to be named now: once off, nothing leads to them
            let mut actions = Vec::new();
            for place in &places {
                let servers = place.servers(world).into_iter().map(Target::of::<Server>);
                let targets = std::iter::once(Target::of::<Firewall>(id)).chain(servers).collect();
                actions.push(world.act(Command::RemoveFirewall, targets));
            }
            world.firewalls.find_mut(id)?.applied_to.retain(|place| !places.contains(place));
            created(json!({"actions": views(world, &actions)?}))
        })
        .await
}

fn not_applied(world: &World, firewall: &Firewall, place: &Place) -> ApiError {
    let named = match place {
        Place::Server { server } => world.servers.get(server.id),
        Place::LabelSelector { .. } => None,
    };
    if named.is_some_and(|server| firewall.applied_to.iter().any(|p| p.covers(server))) {
        let message = "firewall is applied by a label selector and cannot be removed from a single server";
        ApiError::unprocessable("firewall_managed_by_label_selector", message)
    } else {
        ApiError::unprocessable("firewall_resource_not_found", "firewall is not applied to the resource")
    }
}
