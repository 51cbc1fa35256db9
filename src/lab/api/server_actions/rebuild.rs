//! `rebuild`: a fresh disk from an image, and a first boot.

use axum::extract::Path;
use serde_json::json;

use crate::lab::api::action::{Command, Target};
use crate::lab::api::answer::{Created, created};
use crate::lab::api::body::{Body, Reference};
use crate::lab::api::error::ApiError;
use crate::lab::api::path::Id;
use crate::lab::api::project::Project;
use crate::lab::api::server::{self, Server, ServerStatus};
use crate::lab::api::server_create;
use crate::lab::api::{image, password};

pub(crate) async fn rebuild(Project(cloud): Project, Path(Id(id)): Path<Id>, body: Body) -> Created {
    let wanted: Reference = body.required("image")?;
    let user_data = server_create::user_data(&body)?;
    cloud
        .change(|world| {
            server::check_unlocked(world, id)?;
            let server = world.servers.find(id)?;
            if server.protection.rebuild {
                return Err(ApiError::protected("server"));
            }
            let architecture = server.server_type(world).map(|t| t.architecture()).unwrap_or_default();
            let image = image::find_usable(world, &wanted, architecture, server.primary_disk_size)?.meta.id;
            let server = world.servers.find_mut(id)?;
            server.image = image;
            server.status = ServerStatus::Rebuilding;
            // without new user data the old is used again
            server.user_data = user_data.or_else(|| server.user_data.take());
            let root_password = server.ssh_keys.is_empty().then(password::random);
            let action = world.act(Command::RebuildServer, vec![Target::of::<Server>(id)]);
            created(json!({"root_password": root_password, "action": world.action_view(action)?}))
        })
        .await
}
