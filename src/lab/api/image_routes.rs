//! Requests about images.

use axum::Router;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::routing::{post, put};

use super::Cloud;
use super::action::{Command, Target};
use super::answer::{Created, acted};
use super::body::Body;
use super::error::ApiError;
use super::image::{Image, Kind};
use super::path::Id;
use super::project::Project;
use super::{resource, snapshot};

pub(crate) fn routes() -> Router<Cloud> {
    resource::routes::<Image>()
        .route("/v1/images/{id}", put(resource::update::<Image>).delete(remove))
        .route("/v1/images/{id}/actions/change_protection", post(protect))
}

async fn remove(Project(cloud): Project, Path(Id(id)): Path<Id>) -> Result<StatusCode, ApiError> {
    cloud
        .change(|world| {
            let image = world.images.find(id)?;
            image.check_own()?;
            if image.creating {
                return Err(ApiError::locked("image"));
            }
            if image.protected {
                return Err(ApiError::protected("image"));
            }
            snapshot::discard(world, id);
            Ok(StatusCode::NO_CONTENT)
        })
        .await
}

async fn protect(Project(cloud): Project, Path(Id(id)): Path<Id>, body: Body) -> Created {
    let delete: Option<bool> = body.optional("delete")?;
    cloud
        .change(|world| {
            let image = world.images.find_mut(id)?;
            if image.kind != Kind::Snapshot {
                let message = "only snapshots can be protected";
                return Err(ApiError::unprocessable("unsupported_error", message));
            }
            image.protected = delete.unwrap_or(image.protected);
            acted(world, Command::ChangeProtection, vec![Target::of::<Image>(id)])
        })
        .await
}
