//! The rescue system, on until the next boot. The lab has none to boot: a machine boots as ever.

use axum::extract::Path;
use serde_json::json;

use crate::lab::api::action::{Command, Target};
use crate::lab::api::answer::{Created, acted, created};
use crate::lab::api::body::Body;
use crate::lab::api::error::ApiError;
use crate::lab::api::password;
use crate::lab::api::path::Id;
use crate::lab::api::project::Project;
use crate::lab::api::server::{self, Server};

pub(crate) async fn enable(Project(cloud): Project, Path(Id(id)): Path<Id>, body: Body) -> Created {
    if body.optional::<String>("type")?.is_some_and(|kind| kind != "linux64") {
        return Err(ApiError::field("type", "must be linux64"));
    }
    let ssh_keys: Vec<u64> = body.optional("ssh_keys")?.unwrap_or_default();
    cloud
        .change(|world| {
            server::check_unlocked(world, id)?;
            for key in ssh_keys {
                world.ssh_keys.find(key)?;
            }
            world.servers.find_mut(id)?.rescue_enabled = true;
            let action = world.act(Command::EnableRescue, vec![Target::of::<Server>(id)]);
            created(json!({"root_password": password::random(), "action": world.action_view(action)?}))
        })
        .await
}

pub(crate) async fn disable(Project(cloud): Project, Path(Id(id)): Path<Id>) -> Created {
    cloud
        .change(|world| {
            server::check_unlocked(world, id)?;
            world.servers.find_mut(id)?.rescue_enabled = false;
            acted(world, Command::DisableRescue, vec![Target::of::<Server>(id)])
        })
        .await
}
