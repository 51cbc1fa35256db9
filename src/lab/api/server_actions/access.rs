//! A new root password, and a look at the screen.

use axum::extract::Path;
use serde_json::json;

use crate::lab::api::action::{Command, Target};
use crate::lab::api::answer::{Created, created};
use crate::lab::api::error::ApiError;
use crate::lab::api::password;
use crate::lab::api::path::Id;
use crate::lab::api::project::Project;
use crate::lab::api::server::{self, Server, ServerStatus};

pub(crate) async fn reset_password(Project(cloud): Project, Path(Id(id)): Path<Id>) -> Created {
    cloud
        .change(|world| {
            server::check_unlocked(world, id)?;
            if world.servers.find(id)?.status != ServerStatus::Running {
                return Err(ApiError::unprocessable("invalid_input", "server must be running"));
            }
            let action = world.act(Command::ResetPassword, vec![Target::of::<Server>(id)]);
            created(json!({"root_password": password::random(), "action": world.action_view(action)?}))
        })
        .await
}

/// Nobody listens at that address.
pub(crate) async fn request_console(Project(cloud): Project, Path(Id(id)): Path<Id>) -> Created {
    cloud
        .change(|world| {
            server::check_unlocked(world, id)?;
            let action = world.act(Command::RequestConsole, vec![Target::of::<Server>(id)]);
            let token = format!("{:032x}", rand::random::<u128>());
            created(json!({
                "wss_url": format!("wss://console.invalid/?server_id={id}&token={token}"),
                "password": password::random(),
                "action": world.action_view(action)?,
            }))
        })
        .await
}
