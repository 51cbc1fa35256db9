//! The images that servers are made from: Hetzner's own, all played by the lab's one Debian, and snapshots.

use axum::Router;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Cloud;
use super::body::Reference;
use super::label::Labels;
use super::meta::Meta;
use super::query::Query;
use super::resource::{self, Resource};
use super::table::{Row, Table};
use super::world::World;

/// What an image is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    System,
    Snapshot,
    Backup,
}

impl Kind {
    fn as_str(self) -> &'static str {
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
}

impl Row for Image {
    const KIND: &'static str = "image";
    const TITLE: &'static str = "image";
    /// Above those of the system images.
    const FIRST_ID: u64 = 400_000_001;
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
        query.allows("architecture", &self.architecture)
            && query.allows("type", self.kind.as_str())
            && query.allows("status", "available")
            && query.first("bound_to").is_none()
    }

    fn view(&self, _world: &World) -> Value {
        let system = self.kind == Kind::System;
        json!({
            "id": self.meta.id,
            "type": self.kind,
            "status": "available",
            "name": system.then_some(&self.meta.name),
            "description": self.description,
            "image_size": null,
            "disk_size": self.disk_size,
            "created": self.meta.created,
            "created_from": null,
            "bound_to": null,
            "os_flavor": self.os_flavor,
            "os_version": self.os_version,
            "rapid_deploy": system,
            "protection": {"delete": false},
            "deprecation": null,
            "deleted": null,
            "labels": self.meta.labels,
            "architecture": self.architecture,
        })
    }
}

impl Image {
    /// Whether it was made from a server.
    pub(crate) fn is_snapshot(&self) -> bool {
        match self.kind {
            Kind::System => false,
            Kind::Snapshot | Kind::Backup => true,
        }
    }
}

/// Hetzner's own images.
pub(crate) fn system() -> Vec<Image> {
    let image = |id, name: &str, description: &str, created: i64, architecture: &str| {
        let (os_flavor, os_version) = name.split_once('-').unwrap_or((name, ""));
        let created = Timestamp::from_second(created).unwrap_or_default();
        Image {
            meta: Meta { id, name: name.to_owned(), labels: Labels::new(), created },
            kind: Kind::System,
            description: description.to_owned(),
            os_flavor: os_flavor.to_owned(),
            os_version: os_version.to_owned(),
            architecture: architecture.to_owned(),
            disk_size: 5,
        }
    };
    vec![
        image(114_690_387, "debian-12", "Debian 12", 1_686_636_000, "x86"),
        image(114_690_389, "debian-12", "Debian 12", 1_686_636_000, "arm"),
        image(161_547_269, "ubuntu-24.04", "Ubuntu 24.04", 1_714_050_000, "x86"),
        image(161_547_270, "ubuntu-24.04", "Ubuntu 24.04", 1_714_050_000, "arm"),
        image(310_557_660, "debian-13", "Debian 13", 1_754_892_000, "x86"),
        image(310_557_661, "debian-13", "Debian 13", 1_754_892_000, "arm"),
    ]
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

pub(crate) fn routes() -> Router<Cloud> {
    resource::routes::<Image>()
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
