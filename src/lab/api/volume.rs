//! Volumes: storage that outlives servers.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::meta::Meta;
use super::query::Query;
use super::resource::Resource;
use super::table::{Row, Table};
use super::world::World;

/// A volume.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Volume {
    pub(crate) meta: Meta,
    /// Its location's name.
    pub(crate) location: String,
    /// GB.
    pub(crate) size: u64,
    /// `ext4`, `xfs`, or nothing yet.
    pub(crate) format: Option<String>,
    /// The server that it is attached to.
    pub(crate) server: Option<u64>,
    pub(crate) protected: bool,
}

impl Row for Volume {
    const KIND: &'static str = "volume";
    const TITLE: &'static str = "volume";
    const FIRST_ID: u64 = 5001;
}

impl Resource for Volume {
    const PLURAL: &'static str = "volumes";

    fn table(world: &World) -> &Table<Self> {
        &world.volumes
    }

    fn table_mut(world: &mut World) -> &mut Table<Self> {
        &mut world.volumes
    }

    fn meta(&self) -> &Meta {
        &self.meta
    }

    fn meta_mut(&mut self) -> &mut Meta {
        &mut self.meta
    }

    fn is_wanted(&self, _world: &World, query: &Query) -> bool {
        query.allows("status", "available")
    }

    fn view(&self, world: &World) -> Value {
        json!({
            "id": self.meta.id,
            "name": self.meta.name,
            "labels": self.meta.labels,
            "created": self.meta.created,
            "server": self.server,
            "location": world.catalog.location_view(&self.location),
            "size": self.size,
            "linux_device": format!("/dev/disk/by-id/scsi-0HC_Volume_{}", self.meta.id),
            "protection": {"delete": self.protected},
            "status": "available",
            "format": self.format,
        })
    }
}
