//! Placement groups: servers that stand on different hosts.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::meta::Meta;
use super::query::Query;
use super::resource::Resource;
use super::table::{Row, Table};
use super::world::World;

/// A placement group; all are of type `spread`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct PlacementGroup {
    pub(crate) meta: Meta,
}

impl Row for PlacementGroup {
    const KIND: &'static str = "placement_group";
    const TITLE: &'static str = "placement group";
    const FIRST_ID: u64 = 8001;
}

impl Resource for PlacementGroup {
    const PLURAL: &'static str = "placement_groups";

    fn table(world: &World) -> &Table<Self> {
        &world.placement_groups
    }

    fn table_mut(world: &mut World) -> &mut Table<Self> {
        &mut world.placement_groups
    }

    fn meta(&self) -> &Meta {
        &self.meta
    }

    fn meta_mut(&mut self) -> &mut Meta {
        &mut self.meta
    }

    fn is_wanted(&self, _world: &World, query: &Query) -> bool {
        query.allows("type", "spread")
    }

    fn view(&self, world: &World) -> Value {
        let member = |group: Option<u64>| group == Some(self.meta.id);
        let servers = world.servers.iter().filter(|(_, server)| member(server.placement_group));
        let servers: Vec<u64> = servers.map(|(id, _)| id).collect();
        json!({
            "id": self.meta.id,
            "name": self.meta.name,
            "labels": self.meta.labels,
            "created": self.meta.created,
            "type": "spread",
            "servers": servers,
        })
    }
}
