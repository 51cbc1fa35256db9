//! Requests about volumes.

use axum::Router;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::routing::{post, put};
use serde_json::json;

use super::action::Command;
use super::answer::{Created, acted, created};
use super::body::{Body, Reference};
use super::error::ApiError;
use super::label::Labels;
use super::meta::Meta;
use super::path::Id;
use super::project::Project;
use super::resource::{self, Resource};
use super::volume::{Format, Volume, attach, check_attachable, check_count, check_unlocked, detach, targets};
use super::world::World;
use super::{Cloud, job, server};

/// GB.
const SIZE_MIN: u64 = 10;
const SIZE_MAX: u64 = 10_240;

pub(crate) fn routes() -> Router<Cloud> {
    resource::routes::<Volume>()
        .route("/v1/volumes", post(create))
        .route("/v1/volumes/{id}", put(resource::update::<Volume>).delete(remove))
        .route("/v1/volumes/{id}/actions/attach", post(attach_to))
        .route("/v1/volumes/{id}/actions/detach", post(detach_from))
        .route("/v1/volumes/{id}/actions/resize", post(resize))
        .route("/v1/volumes/{id}/actions/change_protection", post(protect))
}

/// What a request asks for; only its form is checked.
#[derive(Debug)]
struct Wish {
    name: String,
    labels: Labels,
    size: u64,
    format: Option<Format>,
    place: Place,
}

/// Where a volume is made.
#[derive(Debug)]
enum Place {
    In(Reference),
    /// In the server's location, and attached to it.
    At(u64),
}

impl Wish {
    fn read(body: &Body) -> Result<Self, ApiError> {
        let name = body.name()?;
        Volume::check_name(&name)?;
        let place = match (body.optional("location")?, body.optional("server")?) {
            (Some(location), None) => Place::In(location),
            (None, Some(server)) => Place::At(server),
            (None, None) => return Err(ApiError::field("location", "is required without server")),
            (Some(_), Some(_)) => return Err(ApiError::field("location", "cannot be given with server")),
        };
        // the lab's machines mount every volume, whether they are asked to or not
        let automount = body.optional("automount")?.unwrap_or(false);
        if automount && matches!(place, Place::In(_)) {
            return Err(ApiError::field("automount", "requires server"));
        }
        let labels = body.labels()?.unwrap_or_default();
        Ok(Self { name, labels, size: size(body)?, format: body.optional("format")?, place })
    }

    /// The location's name.
    fn location(&self, world: &World) -> Result<String, ApiError> {
        match &self.place {
            Place::In(wanted) => {
                let found = world.catalog.location(wanted);
                found
                    .map(|l| l.name.to_owned())
                    .ok_or_else(|| ApiError::field("location", "location not found"))
            }
            Place::At(server) => Ok(world.servers.find(*server)?.location.clone()),
        }
    }

    fn server(&self) -> Option<u64> {
        match self.place {
            Place::In(_) => None,
            Place::At(server) => Some(server),
        }
    }
}

fn size(body: &Body) -> Result<u64, ApiError> {
    match body.required("size")? {
        size @ SIZE_MIN..=SIZE_MAX => Ok(size),
        _ => Err(ApiError::field("size", &format!("must be between {SIZE_MIN} and {SIZE_MAX}"))),
    }
}

async fn create(Project(cloud): Project, body: Body) -> Created {
    let wish = Wish::read(&body)?;
    cloud
        .change(|world| {
            world.volumes.check_name_free(&wish.name, None)?;
            let location = wish.location(world)?;
            let server = wish.server();
            if let Some(server) = server {
                check_room(world, server)?;
            }
            let Wish { name, labels, size, format, .. } = wish;
            let id = world.volumes.insert(|id| {
                let meta = Meta::new(id, name, labels);
                Volume { meta, location, size, format, server: None, protected: false, creating: true }
            });
            let targets = targets(id, server);
            let action = world.act(Command::CreateVolume, targets.clone());
            let mut next_actions = Vec::new();
            if let Some(server) = server {
                attach(world, id, server)?;
                let attach = world.act_after(action, Command::AttachVolume, targets);
                next_actions.push(world.action_view(attach)?);
            }
            created(json!({
                "volume": world.volumes.find(id)?.view(world),
                "action": world.action_view(action)?,
                "next_actions": next_actions,
            }))
        })
        .await
}

/// Refuses a server that is busy or full.
fn check_room(world: &World, server: u64) -> Result<(), ApiError> {
    server::check_unlocked(world, server)?;
    check_count(world.servers.find(server)?.volumes.len() + 1)
}

async fn remove(Project(cloud): Project, Path(Id(id)): Path<Id>) -> Result<StatusCode, ApiError> {
    cloud
        .change(|world| {
            check_unlocked(world, id)?;
            let volume = world.volumes.find(id)?;
            if volume.protected {
                return Err(ApiError::protected("volume"));
            }
            if volume.server.is_some() {
                return Err(ApiError::service("volume is attached to a server"));
            }
            world.volumes.remove(id);
            Ok(())
        })
        .await?;
    job::remove_volume(&cloud, id);
    Ok(StatusCode::NO_CONTENT)
}

async fn attach_to(Project(cloud): Project, Path(Id(id)): Path<Id>, body: Body) -> Created {
    let server: u64 = body.required("server")?;
    body.optional::<bool>("automount")?;
    cloud
        .change(|world| {
            let location = world.volumes.find(id).and_then(|_| world.servers.find(server))?.location.clone();
            server::check_unlocked(world, server)?;
            check_attachable(world, id, &location)?;
            check_room(world, server)?;
            attach(world, id, server)?;
            acted(world, Command::AttachVolume, targets(id, Some(server)))
        })
        .await
}

async fn detach_from(Project(cloud): Project, Path(Id(id)): Path<Id>) -> Created {
    cloud
        .change(|world| {
            check_unlocked(world, id)?;
            let server = world.volumes.find(id)?.server;
            let server = server.ok_or_else(|| ApiError::service("volume is not attached to a server"))?;
            server::check_unlocked(world, server)?;
            detach(world, id)?;
            acted(world, Command::DetachVolume, targets(id, Some(server)))
        })
        .await
}

async fn resize(Project(cloud): Project, Path(Id(id)): Path<Id>, body: Body) -> Created {
    let size = size(&body)?;
    cloud
        .change(|world| {
            check_unlocked(world, id)?;
            if size <= world.volumes.find(id)?.size {
                return Err(ApiError::field("size", "must be greater than the current size"));
            }
            world.volumes.find_mut(id)?.size = size;
            acted(world, Command::ResizeVolume, targets(id, None))
        })
        .await
}

async fn protect(Project(cloud): Project, Path(Id(id)): Path<Id>, body: Body) -> Created {
    let delete: Option<bool> = body.optional("delete")?;
    cloud
        .change(|world| {
            check_unlocked(world, id)?;
            let volume = world.volumes.find_mut(id)?;
            volume.protected = delete.unwrap_or(volume.protected);
            acted(world, Command::ChangeProtection, targets(id, None))
        })
        .await
}
