//! The images that servers are made from: Hetzner's own, all played by the lab's one Debian, and those made of servers.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::body::{Body, Reference};
use super::deprecation::Deprecation;
use super::error::ApiError;
use super::meta::Meta;
use super::query::Query;
use super::resource::Resource;
use super::table::{Row, Table};
use super::world::World;

/// GB: about what a server with nothing but its system takes. Nobody measures.
const SIZE: f64 = 1.5;

/// What an image is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    System,
    Snapshot,
    Backup,
}

impl Kind {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Snapshot => "snapshot",
            Self::Backup => "backup",
        }
    }
}

/// An image. Only system images have a name, and each name once for each architecture.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Image {
    pub(crate) meta: Meta,
    pub(crate) kind: Kind,
    pub(crate) description: String,
    pub(crate) os_flavor: String,
    pub(crate) os_version: String,
    /// `x86` or `arm`.
    pub(crate) architecture: String,
    /// GB that a server needs to be made from it.
    pub(crate) disk_size: u64,
    /// The server that it was made of, and that server's name then.
    pub(crate) created_from: Option<Origin>,
    /// Not all of it is there yet.
    pub(crate) creating: bool,
    pub(crate) protected: bool,
    pub(crate) deprecation: Option<Deprecation>,
}

/// What an image was made of.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Origin {
    pub(crate) id: u64,
    pub(crate) name: String,
}

impl Row for Image {
    const KIND: &'static str = "image";
    const TITLE: &'static str = "image";
    /// Above those of the system images.
    const FIRST_ID: u64 = 400_000_001;

    fn name(&self) -> Option<&str> {
        Some(&self.meta.name)
    }
}

impl Resource for Image {
    const PLURAL: &'static str = "images";
    const NAME_IS_UNIQUE: bool = false;

    fn table(world: &World) -> &Table<Self> {
        &world.images
    }

    fn table_mut(world: &mut World) -> &mut Table<Self> {
        &mut world.images
    }

    fn meta(&self) -> &Meta {
        &self.meta
    }

    fn meta_mut(&mut self) -> &mut Meta {
        &mut self.meta
    }

    fn is_wanted(&self, _world: &World, query: &Query) -> bool {
        let bound_to = self.bound_to().map(|id| id.to_string()).unwrap_or_default();
        query.allows("architecture", &self.architecture)
            && query.allows("type", self.kind.as_str())
            && query.allows("status", self.status())
            && query.allows("bound_to", &bound_to)
            && (self.deprecation.is_none() || query.first("include_deprecated") == Some("true"))
    }

    /// A backup may become a snapshot, which outlives its server.
    fn amend(&mut self, body: &Body) -> Result<(), ApiError> {
        self.check_own()?;
        match body.optional::<String>("type")?.as_deref() {
            None => {}
            Some("snapshot") => self.kind = Kind::Snapshot,
            Some(_) => return Err(ApiError::field("type", "must be snapshot")),
        }
        self.description = body.optional("description")?.unwrap_or_else(|| self.description.clone());
        Ok(())
    }

    fn view(&self, world: &World) -> Value {
        let system = self.kind == Kind::System;
        let mut view = json!({
            "id": self.meta.id,
            "type": self.kind,
            "status": self.status(),
            "name": system.then_some(&self.meta.name),
            "description": self.description,
            "image_size": (!system && !self.creating).then_some(SIZE),
            "disk_size": self.disk_size,
            "created": self.meta.created,
            "created_from": self.created_from,
            "bound_to": self.bound_to(),
            "os_flavor": self.os_flavor,
            "os_version": self.os_version,
            "rapid_deploy": system,
            "protection": {"delete": self.protected},
            "deprecation": self.deprecation,
            "deleted": null,
            "labels": self.meta.labels,
            "architecture": self.architecture,
        });
        let deprecated = || json!(self.deprecation.map(|deprecation| deprecation.announced));
        world.api_date.add_old(&mut view, "deprecated", deprecated);
        view
    }
}

impl Image {
    /// Whether it was made of a server.
    pub(crate) fn is_snapshot(&self) -> bool {
        match self.kind {
            Kind::System => false,
            Kind::Snapshot | Kind::Backup => true,
        }
    }

    /// Refuses Hetzner's own images, which nobody changes.
    pub(crate) fn check_own(&self) -> Result<(), ApiError> {
        match self.kind {
            Kind::System => {
                Err(ApiError::unprocessable("unsupported_error", "system images cannot be changed"))
            }
            Kind::Snapshot | Kind::Backup => Ok(()),
        }
    }

    fn status(&self) -> &'static str {
        if self.creating { "creating" } else { "available" }
    }

    /// The server that a backup goes with.
    pub(crate) fn bound_to(&self) -> Option<u64> {
        let origin = self.created_from.as_ref().filter(|_| self.kind == Kind::Backup);
        origin.map(|origin| origin.id)
    }
}

/// The image that a request names; by name, the one for the architecture.
pub(crate) fn find<'a>(world: &'a World, reference: &Reference, architecture: &str) -> Option<&'a Image> {
    let by_id = reference.id().and_then(|id| world.images.get(id));
    let named = |image: &&Image| {
        image.kind == Kind::System
            && image.architecture == architecture
            && reference.name() == Some(&image.meta.name)
    };
    by_id.or_else(|| world.images.iter().map(|(_, image)| image).find(named))
}

/// The same, if a server with such a disk (GB) can be made from it.
pub(crate) fn find_usable<'a>(
    world: &'a World,
    reference: &Reference,
    architecture: &str,
    disk: u64,
) -> Result<&'a Image, ApiError> {
    let invalid = |message: &str| Err(ApiError::unprocessable("invalid_input", message));
    match find(world, reference, architecture) {
        None => invalid("image not found"),
        Some(image) if image.architecture != architecture => {
            invalid("image and server type have different architectures")
        }
        Some(image) if image.creating => invalid("image is not available yet"),
        Some(image) if image.disk_size > disk => invalid("image disk is bigger than server type disk"),
        Some(image) => Ok(image),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::api::world::tests::world;

    #[test]
    fn a_name_means_the_image_for_the_architecture() {
        let world = world();
        let debian = Reference::Text("debian-13".to_owned());
        let x86 = find(&world, &debian, "x86").unwrap().meta.id;
        let arm = find(&world, &debian, "arm").unwrap().meta.id;
        assert_ne!(x86, arm);
        let by_id = Reference::Text(arm.to_string());
        assert_eq!(find(&world, &by_id, "x86").unwrap().architecture, "arm");
    }
}
