//! ISO images: none can be had, so none is ever attached.

use axum::extract::Path;
use serde_json::json;

use crate::lab::api::action::{Command, Target};
use crate::lab::api::answer::{Created, created};
use crate::lab::api::body::{Body, Reference};
use crate::lab::api::error::ApiError;
use crate::lab::api::path::Id;
use crate::lab::api::project::Project;
use crate::lab::api::server::{self, Server};

pub(crate) async fn attach(Project(cloud): Project, Path(Id(id)): Path<Id>, body: Body) -> Created {
    let iso: Reference = body.required("iso")?;
    cloud.read(|world| {
        server::check_unlocked(world, id)?;
        Err(ApiError::not_found("ISO", iso))
    })
}

/// Without an ISO there is nothing to be done, and the action is over at once.
pub(crate) async fn detach(Project(cloud): Project, Path(Id(id)): Path<Id>) -> Created {
    cloud
        .change(|world| {
            server::check_unlocked(world, id)?;
            let action = world.acted_at_once(Command::DetachIso, vec![Target::of::<Server>(id)]);
            created(json!({"action": world.action_view(action)?}))
        })
        .await
}
