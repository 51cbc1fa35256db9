//! Requests about primary IPs.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use super::Cloud;
use super::action::{self, Command, Target};
use super::body::{Body, Reference};
use super::error::ApiError;
use super::path::Id;
use super::primary_ip::{Family, PrimaryIp, Wish, assign, drop_ip, make, of_server};
use super::query::Query;
use super::server::{self, Server, ServerStatus};
use super::table::Resource;
use super::world::World;

pub(crate) fn routes() -> Router<Cloud> {
    Router::new()
        .route("/v1/primary_ips", get(list).post(create))
        .route("/v1/primary_ips/{id}", get(one).put(update).delete(remove))
        .route("/v1/primary_ips/{id}/actions/assign", post(assign_to))
        .route("/v1/primary_ips/{id}/actions/unassign", post(unassign))
        .merge(action::routes_of::<PrimaryIp>())
}

async fn list(State(cloud): State<Cloud>, query: Query) -> Result<Response, ApiError> {
    cloud.read(|world| {
        query.list::<PrimaryIp>(world, |ip| {
            query.first("ip").is_none_or(|wanted| ip.is_at(world.slot, wanted))
                && query.allows("type", ip.family.as_str())
        })
    })
}

async fn one(State(cloud): State<Cloud>, Path(Id(id)): Path<Id>) -> Result<Json<Value>, ApiError> {
    cloud.read(|world| Ok(Json(json!({"primary_ip": world.primary_ips.find(id)?.view(world)}))))
}

async fn create(State(cloud): State<Cloud>, body: Body) -> Result<(StatusCode, Json<Value>), ApiError> {
    let name = body.name()?;
    let labels = body.labels()?.unwrap_or_default();
    let family: Family = body.required("type")?;
    let auto_delete = body.optional("auto_delete")?.unwrap_or(false);
    let assignee: Option<u64> = body.optional("assignee_id")?;
    let location: Option<Reference> = body.optional("location")?;
    cloud
        .change(|world| {
            world.primary_ips.check_name_free(&name, None)?;
            let location = place(world, assignee, location.as_ref())?;
            if let Some(server) = assignee {
                check_assignable(world, server, family)?;
            }
            let wish = Wish { name: Some(name), labels, family, auto_delete, assignee };
            let id = make(world, wish, location)?;
            let action = assignee.map(|server| begin(world, Command::AssignPrimaryIp, id, server));
            let mut answer = json!({"primary_ip": world.primary_ips.find(id)?.view(world)});
            if let (Some(action), Some(answer)) = (action, answer.as_object_mut()) {
                answer.insert("action".to_owned(), world.actions.find(action)?.view(world));
            }
            Ok((StatusCode::CREATED, Json(answer)))
        })
        .await
}

/// Where a new primary IP is: with its server, or where the request says.
fn place(world: &World, assignee: Option<u64>, location: Option<&Reference>) -> Result<String, ApiError> {
    match (assignee, location) {
        (Some(server), None) => Ok(world.servers.find(server)?.location.clone()),
        (_, Some(wanted)) => {
            let found = world.catalog.location(wanted);
            found.map(|l| l.name.to_owned()).ok_or_else(|| ApiError::field("location", "location not found"))
        }
        (None, None) => Err(ApiError::field("location", "is required without assignee_id")),
    }
}

/// Refuses a server that runs, is busy or has an address of the family.
fn check_assignable(world: &World, server: u64, family: Family) -> Result<(), ApiError> {
    check_stopped(world, server)?;
    match (of_server(world, server, family), family) {
        (None, _) => Ok(()),
        (Some(_), Family::Ipv4) => {
            Err(ApiError::unprocessable("server_has_ipv4", "server already has an IPv4 address"))
        }
        (Some(_), Family::Ipv6) => {
            Err(ApiError::unprocessable("server_has_ipv6", "server already has an IPv6 address"))
        }
    }
}

fn check_stopped(world: &World, server: u64) -> Result<(), ApiError> {
    server::check_unlocked(world, server)?;
    match world.servers.find(server)?.status {
        ServerStatus::Off => Ok(()),
        _ => Err(ApiError::unprocessable("server_not_stopped", "server is not stopped")),
    }
}

fn begin(world: &mut World, command: Command, ip: u64, server: u64) -> u64 {
    world.act(command, vec![Target::of::<PrimaryIp>(ip), Target::of::<Server>(server)])
}

async fn update(
    State(cloud): State<Cloud>,
    Path(Id(id)): Path<Id>,
    body: Body,
) -> Result<Json<Value>, ApiError> {
    let (name, labels) = (body.new_name()?, body.labels()?);
    let auto_delete = body.optional("auto_delete")?;
    cloud
        .change(|world| {
            world.primary_ips.find(id)?;
            if let Some(name) = &name {
                world.primary_ips.check_name_free(name, Some(id))?;
            }
            let ip = world.primary_ips.find_mut(id)?;
            ip.name = name.unwrap_or_else(|| ip.name.clone());
            ip.labels = labels.unwrap_or_else(|| ip.labels.clone());
            ip.auto_delete = auto_delete.unwrap_or(ip.auto_delete);
            Ok(Json(json!({"primary_ip": world.primary_ips.find(id)?.view(world)})))
        })
        .await
}

async fn remove(State(cloud): State<Cloud>, Path(Id(id)): Path<Id>) -> Result<StatusCode, ApiError> {
    cloud
        .change(|world| {
            if world.primary_ips.find(id)?.assignee.is_some() {
                return Err(ApiError::unprocessable("must_be_unassigned", "primary IP must be unassigned"));
            }
            drop_ip(world, id);
            Ok(StatusCode::NO_CONTENT)
        })
        .await
}

async fn assign_to(
    State(cloud): State<Cloud>,
    Path(Id(id)): Path<Id>,
    body: Body,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let server: u64 = body.required("assignee_id")?;
    cloud
        .change(|world| {
            let ip = world.primary_ips.find(id)?;
            let family = ip.family;
            if ip.assignee.is_some() {
                let message = "primary IP is already assigned to a server";
                return Err(ApiError::unprocessable("primary_ip_already_assigned", message));
            }
            if ip.location != world.servers.find(server)?.location {
                return Err(ApiError::field("assignee_id", "server is in a different location"));
            }
            check_assignable(world, server, family)?;
            assign(world, id, server)?;
            let action = begin(world, Command::AssignPrimaryIp, id, server);
            Ok((StatusCode::CREATED, Json(json!({"action": world.actions.find(action)?.view(world)}))))
        })
        .await
}

async fn unassign(
    State(cloud): State<Cloud>,
    Path(Id(id)): Path<Id>,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    cloud
        .change(|world| {
            let assignee = world.primary_ips.find(id)?.assignee;
            let server = assignee
                .ok_or_else(|| ApiError::unprocessable("invalid_input", "primary IP is not assigned"))?;
            check_stopped(world, server)?;
            world.primary_ips.find_mut(id)?.assignee = None;
            let action = begin(world, Command::UnassignPrimaryIp, id, server);
            Ok((StatusCode::CREATED, Json(json!({"action": world.actions.find(action)?.view(world)}))))
        })
        .await
}
