//! `create_image`: a server's disk as it is now, kept.

use axum::extract::Path;
use serde_json::json;

use crate::lab::api::action::{Command, Target};
use crate::lab::api::answer::{Created, created};
use crate::lab::api::body::Body;
use crate::lab::api::error::ApiError;
use crate::lab::api::image::{Image, Kind};
use crate::lab::api::path::Id;
use crate::lab::api::project::Project;
use crate::lab::api::resource::Resource;
use crate::lab::api::server::{self, Server};
use crate::lab::api::snapshot;
use crate::lab::api::world::now;

pub(crate) async fn create(Project(cloud): Project, Path(Id(id)): Path<Id>, body: Body) -> Created {
    let kind = match body.optional::<String>("type")?.as_deref() {
        None | Some("snapshot") => Kind::Snapshot,
        Some("backup") => Kind::Backup,
        Some(_) => return Err(ApiError::field("type", "must be snapshot or backup")),
    };
    let description: Option<String> = body.optional("description")?;
    let labels = body.labels()?.unwrap_or_default();
    cloud
        .change(|world| {
            server::check_unlocked(world, id)?;
            let server = world.servers.find(id)?.clone();
            if kind == Kind::Backup && server.backup_window.is_none() {
                return Err(ApiError::unprocessable(
                    "invalid_input",
                    "backups are not enabled for the server",
                ));
            }
            let description = description
                .unwrap_or_else(|| format!("{} of {} at {}", kind.as_str(), server.meta.name, now()));
            let image = snapshot::make(world, &server, kind, description, labels);
            let targets = vec![Target::of::<Server>(id), Target::of::<Image>(image)];
            let action = world.act(Command::CreateImage, targets);
            let image = world.images.find(image)?.view(world);
            created(json!({"image": image, "action": world.action_view(action)?}))
        })
        .await
}
