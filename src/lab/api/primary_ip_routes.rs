//! Requests about primary IPs.

use axum::Router;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::routing::{post, put};
use serde_json::json;

use super::Cloud;
use super::action::{Command, Target};
use super::answer::{Created, acted, created};
use super::body::Body;
use super::datacenter::Whereabouts;
use super::error::ApiError;
use super::path::Id;
use super::pointer::Pointer;
use super::primary_ip::{Family, PrimaryIp, Wish, assign, drop_ip, make, of_server, unassign};
use super::project::Project;
use super::resource::{self, Resource};
use super::server::{self, Server, ServerStatus};
use super::world::World;

pub(crate) fn routes() -> Router<Cloud> {
    resource::routes::<PrimaryIp>()
        .route("/v1/primary_ips", post(create))
        .route("/v1/primary_ips/{id}", put(resource::update::<PrimaryIp>).delete(remove))
        .route("/v1/primary_ips/{id}/actions/assign", post(assign_to))
        .route("/v1/primary_ips/{id}/actions/unassign", post(unassign_from))
        .route("/v1/primary_ips/{id}/actions/change_dns_ptr", post(point))
        .route("/v1/primary_ips/{id}/actions/change_protection", post(protect))
}

async fn create(Project(cloud): Project, body: Body) -> Created {
    let name = body.name()?;
    let labels = body.labels()?.unwrap_or_default();
    let family: Family = body.required("type")?;
    let auto_delete = body.optional("auto_delete")?.unwrap_or(false);
    let assignee: Option<u64> = body.optional("assignee_id")?;
    let location = Whereabouts::read(&body)?;
    cloud
        .change(|world| {
            world.primary_ips.check_name_free(&name, None)?;
            let location = place(world, assignee, &location)?;
            if let Some(server) = assignee {
                check_assignable(world, server, family)?;
            }
            world.check_quota::<PrimaryIp>(1)?;
            let wish = Wish { name: Some(name), labels, family, auto_delete, assignee };
            let id = make(world, wish, location)?;
            let action = assignee.map(|server| world.act(Command::AssignPrimaryIp, targets(id, server)));
            let action = action.map(|action| world.action_view(action));
            let primary_ip = world.primary_ips.find(id)?.view(world);
            created(match action.transpose()? {
                Some(action) => json!({"primary_ip": primary_ip, "action": action}),
                None => json!({"primary_ip": primary_ip}),
            })
        })
        .await
}

/// Where a new primary IP is: with its server, or where the request says.
fn place(world: &World, assignee: Option<u64>, wanted: &Whereabouts) -> Result<String, ApiError> {
    match (wanted.find(world)?, assignee) {
        (None, None) => Err(ApiError::field("location", "is required without assignee_id")),
        (None, Some(server)) => Ok(world.servers.find(server)?.location.clone()),
        (Some(location), None) => Ok(location.name.to_owned()),
        (Some(location), Some(server)) if world.servers.find(server)?.location == location.name => {
            Ok(location.name.to_owned())
        }
        (Some(_), Some(_)) => Err(ApiError::field("location", "is not that of the server")),
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

fn targets(ip: u64, server: u64) -> Vec<Target> {
    vec![Target::of::<PrimaryIp>(ip), Target::of::<Server>(server)]
}

async fn remove(Project(cloud): Project, Path(Id(id)): Path<Id>) -> Result<StatusCode, ApiError> {
    cloud
        .change(|world| {
            let ip = world.primary_ips.find(id)?;
            if ip.protected {
                return Err(ApiError::protected("primary IP"));
            }
            if ip.assignee.is_some() {
                return Err(ApiError::unprocessable("must_be_unassigned", "primary IP must be unassigned"));
            }
            drop_ip(world, id);
            Ok(StatusCode::NO_CONTENT)
        })
        .await
}

async fn assign_to(Project(cloud): Project, Path(Id(id)): Path<Id>, body: Body) -> Created {
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
            acted(world, Command::AssignPrimaryIp, targets(id, server))
        })
        .await
}

async fn unassign_from(Project(cloud): Project, Path(Id(id)): Path<Id>) -> Created {
    cloud
        .change(|world| {
            let assignee = world.primary_ips.find(id)?.assignee;
            let server = assignee
                .ok_or_else(|| ApiError::unprocessable("invalid_input", "primary IP is not assigned"))?;
            check_stopped(world, server)?;
            unassign(world, id)?;
            acted(world, Command::UnassignPrimaryIp, targets(id, server))
        })
        .await
}

async fn point(Project(cloud): Project, Path(Id(id)): Path<Id>, body: Body) -> Created {
    let pointer = Pointer::read(&body)?;
    cloud
        .change(|world| {
            if !world.primary_ips.find(id)?.holds(world.block(), pointer.ip) {
                return Err(pointer.not_found());
            }
            pointer.set(world.primary_ips.find_mut(id)?);
            acted(world, Command::ChangeDnsPtr, vec![Target::of::<PrimaryIp>(id)])
        })
        .await
}

/// What goes with its server cannot be protected.
async fn protect(Project(cloud): Project, Path(Id(id)): Path<Id>, body: Body) -> Created {
    let delete: bool = body.required("delete")?;
    cloud
        .change(|world| {
            let ip = world.primary_ips.find_mut(id)?;
            if delete && ip.auto_delete {
                let message = "a primary IP that is deleted with its server cannot be protected";
                return Err(ApiError::unprocessable("invalid_input", message));
            }
            ip.protected = delete;
            acted(world, Command::ChangeProtection, vec![Target::of::<PrimaryIp>(id)])
        })
        .await
}
