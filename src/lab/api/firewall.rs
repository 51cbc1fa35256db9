//! Firewalls: rules, and the servers they are on, named or selected by label.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Json, Router};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Cloud;
use super::action::{self, Action, Command, Target};
use super::body::Body;
use super::error::ApiError;
use super::firewall_rule::{self, Rule};
use super::label::{Labels, Selector};
use super::path::Id;
use super::query::Query;
use super::server::Server;
use super::sort::SortKey;
use super::table::{Resource, Row, Table};
use super::world::{World, now};
use crate::lab::machine::Accept;

/// Firewalls on one server.
const PER_SERVER_MAX: usize = 5;

/// A firewall.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Firewall {
    pub(crate) id: u64,
    name: String,
    labels: Labels,
    created: Timestamp,
    rules: Vec<Rule>,
    applied_to: Vec<Place>,
}

/// Where a firewall is, in the API's own words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Place {
    Server { server: ServerRef },
    LabelSelector { label_selector: SelectorRef },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct ServerRef {
    id: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct SelectorRef {
    selector: String,
}

impl Row for Firewall {
    const KIND: &'static str = "firewall";
    const TITLE: &'static str = "firewall";
    const FIRST_ID: u64 = 2001;
}

impl Resource for Firewall {
    const PLURAL: &'static str = "firewalls";
    const PATH_TAKES_NAME: bool = false;

    fn table(world: &World) -> &Table<Self> {
        &world.firewalls
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn labels(&self) -> &Labels {
        &self.labels
    }

    fn sort_key(&self, field: &str) -> Option<SortKey> {
        match field {
            "id" => Some(SortKey::Number(self.id)),
            "name" => Some(SortKey::Text(self.name.clone())),
            "created" => Some(SortKey::Time(Some(self.created))),
            _ => None,
        }
    }

    fn view(&self, world: &World) -> Value {
        let applied_to: Vec<Value> = self.applied_to.iter().map(|place| place.view(world)).collect();
        json!({
            "id": self.id,
            "name": self.name,
            "labels": self.labels,
            "created": self.created,
            "rules": self.rules,
            "applied_to": applied_to,
        })
    }
}

impl Place {
    fn server(id: u64) -> Self {
        Self::Server {
            server: ServerRef { id },
        }
    }

    fn covers(&self, server: &Server) -> bool {
        match self {
            Self::Server {
                server: ServerRef { id },
            } => *id == server.id,
            // checked when it was stored
            Self::LabelSelector {
                label_selector: SelectorRef { selector },
            } => Selector::parse(selector).is_ok_and(|s| s.matches(&server.labels)),
        }
    }

    fn servers(&self, world: &World) -> Vec<u64> {
        world
            .servers
            .iter()
            .filter(|(_, server)| self.covers(server))
            .map(|(id, _)| id)
            .collect()
    }

    fn view(&self, world: &World) -> Value {
        match self {
            Self::Server { .. } => json!(self),
            Self::LabelSelector { label_selector } => {
                let resources: Vec<Value> = self
                    .servers(world)
                    .iter()
                    .map(|id| json!({"type": "server", "server": {"id": id}}))
                    .collect();
                json!({
                    "type": "label_selector",
                    "label_selector": label_selector,
                    "applied_to_resources": resources,
                })
            }
        }
    }

    /// Refuses a server that is not there, and a selector that is none.
    fn check(&self, world: &World) -> Result<(), ApiError> {
        match self {
            Self::Server {
                server: ServerRef { id },
            } if world.servers.get(*id).is_none() => {
                let message = format!("server with ID '{id}' not found");
                Err(ApiError::unprocessable("firewall_resource_not_found", message))
            }
            Self::Server { .. } => Ok(()),
            Self::LabelSelector {
                label_selector: SelectorRef { selector },
            } => {
                if selector.trim().is_empty() {
                    return Err(ApiError::field("selector", "must not be empty"));
                }
                Selector::parse(selector).map(|_| ())
            }
        }
    }

    /// What an action on this place names besides the firewall.
    fn target(&self) -> Option<Target> {
        match self {
            Self::Server {
                server: ServerRef { id },
            } => Some(Target::of::<Server>(*id)),
            Self::LabelSelector { .. } => None,
        }
    }
}

fn on_server(world: &World, id: u64) -> Vec<&Firewall> {
    let Some(server) = world.servers.get(id) else {
        return Vec::new();
    };
    let covers = |firewall: &&Firewall| firewall.applied_to.iter().any(|place| place.covers(server));
    world
        .firewalls
        .iter()
        .map(|(_, firewall)| firewall)
        .filter(covers)
        .collect()
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
        .map(|f| json!({"id": f.id, "status": if pending(f.id) { "pending" } else { "applied" }}))
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
    let on = firewall
        .into_iter()
        .flat_map(|f| &f.applied_to)
        .flat_map(|place| place.servers(world));
    let named = action
        .resources
        .iter()
        .filter(|r| r.kind == Server::KIND)
        .map(|r| r.id);
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

/// Takes all firewalls off a server that is gone.
pub(crate) fn detach(world: &mut World, server: u64) {
    let place = Place::server(server);
    let on = |firewall: &Firewall| firewall.applied_to.contains(&place);
    let ids: Vec<u64> = world
        .firewalls
        .iter()
        .filter(|(_, f)| on(f))
        .map(|(id, _)| id)
        .collect();
    for id in ids {
        if let Some(firewall) = world.firewalls.get_mut(id) {
            firewall.applied_to.retain(|p| *p != place);
        }
    }
}

pub(crate) fn routes() -> Router<Cloud> {
    Router::new()
        .route("/v1/firewalls", get(list).post(create))
        .route("/v1/firewalls/{id}", get(one).put(update).delete(remove))
        .route("/v1/firewalls/{id}/actions/set_rules", post(set_rules))
        .route("/v1/firewalls/{id}/actions/apply_to_resources", post(apply))
        .route("/v1/firewalls/{id}/actions/remove_from_resources", post(take_off))
        .merge(action::routes_of::<Firewall>())
}

async fn list(State(cloud): State<Cloud>, query: Query) -> Result<Response, ApiError> {
    cloud.read(|world| query.list::<Firewall>(world, |_| true))
}

async fn one(State(cloud): State<Cloud>, Path(Id(id)): Path<Id>) -> Result<Json<Value>, ApiError> {
    cloud.read(|world| Ok(Json(json!({"firewall": world.firewalls.find(id)?.view(world)}))))
}

async fn create(State(cloud): State<Cloud>, body: Body) -> Result<(StatusCode, Json<Value>), ApiError> {
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
                Firewall {
                    id,
                    name,
                    labels,
                    created: now(),
                    rules,
                    applied_to,
                }
            });
            let mut actions = Vec::new();
            if has_rules {
                actions.push(world.act(Command::SetFirewallRules, vec![Target::of::<Firewall>(id)]));
            }
            actions.extend(act(world, Command::ApplyFirewall, id, &places));
            let answer = json!({
                "firewall": world.firewalls.find(id)?.view(world),
                "actions": views(world, &actions)?,
            });
            Ok((StatusCode::CREATED, Json(answer)))
        })
        .await
}

/// Refuses places that are not there, come twice, or would be one firewall too many.
fn check_places(world: &World, places: &[Place], firewall: Option<&Firewall>) -> Result<(), ApiError> {
    for (i, place) in places.iter().enumerate() {
        place.check(world)?;
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
        if place
            .servers(world)
            .iter()
            .any(|server| on_server(world, *server).len() >= PER_SERVER_MAX)
        {
            return Err(ApiError::limit_exceeded("firewalls_per_server_limit"));
        }
    }
    Ok(())
}

/// One action for each place.
fn act(world: &mut World, command: Command, firewall: u64, places: &[Place]) -> Vec<u64> {
    let targets = |place: &Place| {
        std::iter::once(Target::of::<Firewall>(firewall))
            .chain(place.target())
            .collect()
    };
    places
        .iter()
        .map(|place| world.act(command, targets(place)))
        .collect()
}

fn views(world: &World, actions: &[u64]) -> Result<Vec<Value>, ApiError> {
    actions
        .iter()
        .map(|id| Ok(world.actions.find(*id)?.view(world)))
        .collect()
}

async fn update(
    State(cloud): State<Cloud>,
    Path(Id(id)): Path<Id>,
    body: Body,
) -> Result<Json<Value>, ApiError> {
    let (name, labels) = (body.new_name()?, body.labels()?);
    cloud
        .change(|world| {
            world.firewalls.find(id)?;
            if let Some(name) = &name {
                world.firewalls.check_name_free(name, Some(id))?;
            }
            let firewall = world.firewalls.find_mut(id)?;
            firewall.name = name.unwrap_or_else(|| firewall.name.clone());
            firewall.labels = labels.unwrap_or_else(|| firewall.labels.clone());
            Ok(Json(json!({"firewall": world.firewalls.find(id)?.view(world)})))
        })
        .await
}

async fn remove(State(cloud): State<Cloud>, Path(Id(id)): Path<Id>) -> Result<StatusCode, ApiError> {
    cloud
        .change(|world| {
            if !world.firewalls.find(id)?.applied_to.is_empty() {
                return Err(ApiError::unprocessable(
                    "resource_in_use",
                    "firewall is still in use",
                ));
            }
            world.firewalls.remove(id);
            Ok(StatusCode::NO_CONTENT)
        })
        .await
}

async fn set_rules(
    State(cloud): State<Cloud>,
    Path(Id(id)): Path<Id>,
    body: Body,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let rules = firewall_rule::read(body.required("rules")?)?;
    cloud
        .change(|world| {
            world.firewalls.find_mut(id)?.rules = rules;
            let mut actions = vec![world.act(Command::SetFirewallRules, vec![Target::of::<Firewall>(id)])];
            let places = world.firewalls.find(id)?.applied_to.clone();
            actions.extend(act(world, Command::ApplyFirewall, id, &places));
            Ok((
                StatusCode::CREATED,
                Json(json!({"actions": views(world, &actions)?})),
            ))
        })
        .await
}

async fn apply(
    State(cloud): State<Cloud>,
    Path(Id(id)): Path<Id>,
    body: Body,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let places: Vec<Place> = body.required("apply_to")?;
    cloud
        .change(|world| {
            check_places(world, &places, Some(world.firewalls.find(id)?))?;
            world
                .firewalls
                .find_mut(id)?
                .applied_to
                .extend(places.iter().cloned());
            let actions = act(world, Command::ApplyFirewall, id, &places);
            Ok((
                StatusCode::CREATED,
                Json(json!({"actions": views(world, &actions)?})),
            ))
        })
        .await
}

async fn take_off(
    State(cloud): State<Cloud>,
    Path(Id(id)): Path<Id>,
    body: Body,
) -> Result<(StatusCode, Json<Value>), ApiError> {
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
                let targets = std::iter::once(Target::of::<Firewall>(id))
                    .chain(servers)
                    .collect();
                actions.push(world.act(Command::RemoveFirewall, targets));
            }
            world
                .firewalls
                .find_mut(id)?
                .applied_to
                .retain(|place| !places.contains(place));
            Ok((
                StatusCode::CREATED,
                Json(json!({"actions": views(world, &actions)?})),
            ))
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
        ApiError::unprocessable(
            "firewall_resource_not_found",
            "firewall is not applied to the resource",
        )
    }
}
