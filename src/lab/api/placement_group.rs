//! Placement groups: servers that stand on different hosts.

use axum::Router;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::routing::{post, put};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Cloud;
use super::action::{Command, Target};
use super::answer::{Created, acted, created};
use super::body::Body;
use super::error::ApiError;
use super::meta::Meta;
use super::path::Id;
use super::project::Project;
use super::query::Query;
use super::resource::{self, Resource};
use super::server::{self, Server, ServerStatus};
use super::table::{Row, Table};
use super::world::World;

/// Groups of one project.
const PER_PROJECT_MAX: usize = 50;
/// Servers in one group.
const MEMBERS_MAX: usize = 10;

/// A placement group; all are of type `spread`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct PlacementGroup {
    pub(crate) meta: Meta,
}

impl Row for PlacementGroup {
    const KIND: &'static str = "placement_group";
    const TITLE: &'static str = "placement group";
    const FIRST_ID: u64 = 8001;

    fn name(&self) -> Option<&str> {
        Some(&self.meta.name)
    }
}

impl Resource for PlacementGroup {
    const PLURAL: &'static str = "placement_groups";

    fn table(world: &World) -> &Table<Self> {
        &world.placement_groups
    }

    fn table_mut(world: &mut World) -> &mut Table<Self> {
        &mut world.placement_groups
    }

    fn meta(&self) -> &Meta {
        &self.meta
    }

    fn meta_mut(&mut self) -> &mut Meta {
        &mut self.meta
    }

    fn is_wanted(&self, _world: &World, query: &Query) -> bool {
        query.allows("type", "spread")
    }

    fn view(&self, world: &World) -> Value {
        json!({
            "id": self.meta.id,
            "name": self.meta.name,
            "labels": self.meta.labels,
            "created": self.meta.created,
            "type": "spread",
            "servers": members(world, self.meta.id),
        })
    }
}

/// What a placement group is; the API knows one type.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Spread,
}

/// The servers in a group.
fn members(world: &World, group: u64) -> Vec<u64> {
    let member = |server: &Server| server.placement_group == Some(group);
    world.servers.iter().filter(|(_, server)| member(server)).map(|(id, _)| id).collect()
}

/// 404 for a group that is not there, 422 for one that is full.
pub(crate) fn check_room(world: &World, group: u64) -> Result<(), ApiError> {
    world.placement_groups.find(group)?;
    if members(world, group).len() >= MEMBERS_MAX {
        let message = format!("placement group with ID {group} contains already {MEMBERS_MAX} servers");
        return Err(ApiError::unprocessable("placement_group_member_limit_reached", message));
    }
    Ok(())
}

pub(crate) fn routes() -> Router<Cloud> {
    resource::look_ups::<PlacementGroup>()
        .route("/v1/placement_groups", post(create))
        .route("/v1/placement_groups/{id}", put(resource::update::<PlacementGroup>).delete(remove))
        .route("/v1/servers/{id}/actions/add_to_placement_group", post(add))
        .route("/v1/servers/{id}/actions/remove_from_placement_group", post(take_out))
}

async fn create(Project(cloud): Project, body: Body) -> Created {
    let name = body.name()?;
    let labels = body.labels()?.unwrap_or_default();
    let Kind::Spread = body.required("type")?;
    cloud
        .change(|world| {
            world.placement_groups.check_name_free(&name, None)?;
            if world.placement_groups.iter().count() >= PER_PROJECT_MAX {
                return Err(ApiError::limit_exceeded("placement_groups_limit"));
            }
            let id = world.placement_groups.insert(|id| PlacementGroup { meta: Meta::new(id, name, labels) });
            let group = world.placement_groups.find(id)?.view(world);
            created(json!({"placement_group": group, "action": null}))
        })
        .await
}

/// Servers in it leave it and stay where they are.
async fn remove(Project(cloud): Project, Path(Id(id)): Path<Id>) -> Result<StatusCode, ApiError> {
    cloud
        .change(|world| {
            world.placement_groups.find(id)?;
            for server in members(world, id) {
                world.servers.find_mut(server)?.placement_group = None;
            }
            world.placement_groups.remove(id);
            Ok(StatusCode::NO_CONTENT)
        })
        .await
}

async fn add(Project(cloud): Project, Path(Id(id)): Path<Id>, body: Body) -> Created {
    let group: u64 = body.required("placement_group")?;
    cloud
        .change(|world| {
            world.servers.find(id).and_then(|_| world.placement_groups.find(group))?;
            server::check_unlocked(world, id)?;
            let server = world.servers.find(id)?;
            if server.placement_group.is_some() {
                let message = "server is already in a placement group";
                return Err(ApiError::unprocessable("already_in_placement_group", message));
            }
            if server.status != ServerStatus::Off {
                return Err(ApiError::unprocessable("server_not_stopped", "server is not stopped"));
            }
            check_room(world, group)?;
            world.servers.find_mut(id)?.placement_group = Some(group);
            acted(world, Command::AddToPlacementGroup, targets(id, group))
        })
        .await
}

/// A running server may leave, too.
async fn take_out(Project(cloud): Project, Path(Id(id)): Path<Id>) -> Created {
    cloud
        .change(|world| {
            server::check_unlocked(world, id)?;
            let group = world
                .servers
                .find_mut(id)?
                .placement_group
                .take()
                .ok_or_else(|| ApiError::service("server is not in a placement group"))?;
            acted(world, Command::RemoveFromPlacementGroup, targets(id, group))
        })
        .await
}

fn targets(server: u64, group: u64) -> Vec<Target> {
    vec![Target::of::<Server>(server), Target::of::<PlacementGroup>(group)]
}
