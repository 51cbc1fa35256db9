//! `change_protection` of a server.

use axum::extract::Path;

use crate::lab::api::action::{Command, Target};
use crate::lab::api::answer::{Created, acted};
use crate::lab::api::body::Body;
use crate::lab::api::error::ApiError;
use crate::lab::api::path::Id;
use crate::lab::api::project::Project;
use crate::lab::api::server::{self, Protection, Server};

/// A server is protected from both or from neither: that is all the API can do at present.
pub(crate) async fn change(Project(cloud): Project, Path(Id(id)): Path<Id>, body: Body) -> Created {
    let delete: Option<bool> = body.optional("delete")?;
    let rebuild: Option<bool> = body.optional("rebuild")?;
    cloud
        .change(|world| {
            server::check_unlocked(world, id)?;
            let server = world.servers.find_mut(id)?;
            let old = server.protection;
            let new =
                Protection { delete: delete.unwrap_or(old.delete), rebuild: rebuild.unwrap_or(old.rebuild) };
            if new.delete != new.rebuild {
                let message = "delete and rebuild must have the same value";
                return Err(ApiError::unprocessable("invalid_input", message));
            }
            server.protection = new;
            acted(world, Command::ChangeProtection, vec![Target::of::<Server>(id)])
        })
        .await
}
