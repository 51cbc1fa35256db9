//! Volumes: storage that outlives servers.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::action::{Action, Command, Target};
use super::error::ApiError;
use super::meta::Meta;
use super::query::Query;
use super::resource::Resource;
use super::server::Server;
use super::table::{Row, Table};
use super::world::World;

/// Volumes on one server.
const PER_SERVER_MAX: usize = 16;
/// Characters of a name.
const NAME_MAX: usize = 64;

/// A volume.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Volume {
    pub(crate) meta: Meta,
    /// Its location's name.
    pub(crate) location: String,
    /// GB.
    pub(crate) size: u64,
    /// What it was formatted with when it was made, if anything.
    pub(crate) format: Option<Format>,
    /// The server that it is attached to. Set by [`attach`] and [`detach`] alone, which tell the server, too.
    pub(crate) server: Option<u64>,
    pub(crate) protected: bool,
    /// Its `create_volume` has not ended yet.
    pub(crate) creating: bool,
}

/// A file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Format {
    Ext4,
    Xfs,
}

impl Row for Volume {
    const KIND: &'static str = "volume";
    const TITLE: &'static str = "volume";
    const FIRST_ID: u64 = 5001;

    fn name(&self) -> Option<&str> {
        Some(&self.meta.name)
    }
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

    /// Letters, digits, `-`, `_` and `.`, a letter or digit at both ends.
    fn check_name(name: &str) -> Result<(), ApiError> {
        let outer = |c: char| c.is_ascii_alphanumeric();
        let inner = |c: char| outer(c) || matches!(c, '-' | '_' | '.');
        let fits = name.len() <= NAME_MAX && name.starts_with(outer) && name.ends_with(outer);
        if fits && name.chars().all(inner) {
            Ok(())
        } else {
            Err(ApiError::field("name", "is not a valid volume name"))
        }
    }

    fn is_wanted(&self, _world: &World, query: &Query) -> bool {
        query.allows("status", self.status())
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
            "status": self.status(),
            "format": self.format,
        })
    }
}

impl Volume {
    fn status(&self) -> &'static str {
        if self.creating { "creating" } else { "available" }
    }
}

/// 404 for a volume that is not there, 423 for one that is busy.
pub(crate) fn check_unlocked(world: &World, id: u64) -> Result<(), ApiError> {
    world.volumes.find(id)?;
    if world.running().any(|action| action.concerns(Volume::KIND, id)) {
        Err(ApiError::locked("volume"))
    } else {
        Ok(())
    }
}

/// Refuses a volume that cannot be attached to a server in this location.
pub(crate) fn check_attachable(world: &World, id: u64, location: &str) -> Result<(), ApiError> {
    check_unlocked(world, id)?;
    let volume = world.volumes.find(id)?;
    if volume.server.is_some() {
        let message = "volume is already attached to a server";
        return Err(ApiError::unprocessable("volume_already_attached", message));
    }
    if volume.location != location {
        let message = "volume and server are in different locations";
        return Err(ApiError::unprocessable("invalid_input", message));
    }
    Ok(())
}

/// Refuses more volumes on a server than it can have. The code is the one that Hetzner's CSI driver knows.
pub(crate) fn check_count(volumes: usize) -> Result<(), ApiError> {
    if volumes > PER_SERVER_MAX {
        let message = format!("a server cannot have more than {PER_SERVER_MAX} volumes");
        return Err(ApiError::unprocessable("limit_exceeded_error", message));
    }
    Ok(())
}

/// What an action on a volume names.
pub(crate) fn targets(id: u64, server: Option<u64>) -> Vec<Target> {
    server.map(Target::of::<Server>).into_iter().chain([Target::of::<Volume>(id)]).collect()
}

/// Attaches a volume to a server.
pub(crate) fn attach(world: &mut World, id: u64, server: u64) -> Result<(), ApiError> {
    world.volumes.find_mut(id)?.server = Some(server);
    world.servers.find_mut(server)?.volumes.push(id);
    Ok(())
}

/// Detaches a volume from the server that has it.
pub(crate) fn detach(world: &mut World, id: u64) -> Result<(), ApiError> {
    if let Some(server) = world.volumes.find_mut(id)?.server.take() {
        world.servers.find_mut(server)?.volumes.retain(|volume| *volume != id);
    }
    Ok(())
}

/// Takes a deleted server's volumes from it.
pub(crate) fn release(world: &mut World, server: u64) -> Result<(), ApiError> {
    let volumes = world.servers.find(server)?.volumes.clone();
    volumes.into_iter().try_for_each(|id| detach(world, id))
}

/// What the end of an action changes: a volume is there once it is made, and stays where it was if it was not moved.
pub(crate) fn settle(world: &mut World, action: &Action, success: bool) -> Result<(), ApiError> {
    let Some(id) = action.target::<Volume>().filter(|id| world.volumes.get(*id).is_some()) else {
        return Ok(());
    };
    match (action.command, action.target::<Server>()) {
        (Command::CreateVolume, _) if success => world.volumes.find_mut(id)?.creating = false,
        (Command::CreateVolume, _) => {
            detach(world, id)?;
            world.volumes.remove(id);
        }
        (Command::AttachVolume, _) if !success => detach(world, id)?,
        (Command::DetachVolume, Some(server)) if !success => attach(world, id, server)?,
        _ => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::api::label::Labels;
    use crate::lab::api::world::tests::world;

    #[test]
    fn names_are_letters_and_digits_with_few_others_between() {
        for name in ["a", "db-1", "a_b.c", "X9", &"x".repeat(64)] {
            assert!(Volume::check_name(name).is_ok(), "{name}");
        }
        for name in ["", "-a", "a.", "a b", "ä", &"x".repeat(65)] {
            assert!(Volume::check_name(name).is_err(), "{name}");
        }
    }

    #[test]
    fn an_action_that_failed_leaves_a_volume_where_it_was() {
        let mut world = world();
        let server = world.servers.insert(|id| Server::off(id, "fsn1"));
        let volume = |id| Volume {
            meta: Meta::new(id, "db".to_owned(), Labels::new()),
            location: "fsn1".to_owned(),
            size: 10,
            format: None,
            server: None,
            protected: false,
            creating: true,
        };
        let id = world.volumes.insert(volume);
        let place = |world: &World| {
            (world.volumes.get(id).map(|v| v.server), world.servers.get(server).map(|s| s.volumes.clone()))
        };
        let end = |world: &mut World, command, success| {
            let action = Action::new(1, command, targets(id, Some(server)));
            settle(world, &action, success).unwrap();
            place(world)
        };
        attach(&mut world, id, server).unwrap();
        assert_eq!(end(&mut world, Command::AttachVolume, false), (Some(None), Some(vec![])));
        attach(&mut world, id, server).unwrap();
        assert_eq!(end(&mut world, Command::AttachVolume, true), (Some(Some(server)), Some(vec![id])));
        detach(&mut world, id).unwrap();
        assert_eq!(end(&mut world, Command::DetachVolume, false), (Some(Some(server)), Some(vec![id])));
        assert_eq!(end(&mut world, Command::CreateVolume, false), (None, Some(vec![])));
    }
}
