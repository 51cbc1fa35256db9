//! `change_type`: more cores and memory, or fewer, and a larger disk if that is wanted.

use axum::extract::Path;

use crate::lab::api::action::{Command, Target};
use crate::lab::api::answer::{Created, acted};
use crate::lab::api::body::{Body, Reference};
use crate::lab::api::error::ApiError;
use crate::lab::api::path::Id;
use crate::lab::api::project::Project;
use crate::lab::api::server::{self, Server, ServerStatus};
use crate::lab::api::server_type::ServerType;
use crate::lab::api::world::World;

pub(crate) async fn change(Project(cloud): Project, Path(Id(id)): Path<Id>, body: Body) -> Created {
    let wanted: Reference = body.required("server_type")?;
    let upgrade_disk: bool = body.required("upgrade_disk")?;
    cloud
        .change(|world| {
            server::check_unlocked(world, id)?;
            let new = world.catalog.server_type(&wanted).cloned();
            let new = new.ok_or_else(|| ApiError::unprocessable("invalid_input", "server type not found"))?;
            let server = world.servers.find(id)?;
            if server.status != ServerStatus::Off {
                let message = "server must be stopped before changing type";
                return Err(ApiError::unprocessable("server_not_stopped", message));
            }
            check_fits(world, server, &new)?;
            let server = world.servers.find_mut(id)?;
            server.server_type = new.id;
            server.status = ServerStatus::Migrating;
            if upgrade_disk {
                server.primary_disk_size = new.disk;
            }
            acted(world, Command::ChangeServerType, vec![Target::of::<Server>(id)])
        })
        .await
}

fn check_fits(world: &World, server: &Server, new: &ServerType) -> Result<(), ApiError> {
    let invalid = |message: &str| Err(ApiError::unprocessable("invalid_server_type", message));
    let architecture = server.server_type(world).map(|t| t.architecture());
    if server.server_type == new.id {
        invalid("server already has this server type")
    } else if new.deprecation.is_some() {
        invalid("server type is deprecated")
    } else if architecture != Some(new.architecture()) {
        invalid("server type has a different architecture")
    } else if new.disk < server.primary_disk_size {
        invalid("server disk is bigger than server type disk")
    } else if !new.is_in(&server.location) {
        invalid("server type is not available in the location of the server")
    } else {
        world.check_stock(new.name, &server.location)
    }
}
