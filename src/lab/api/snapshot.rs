//! Images that are made of servers: snapshots, and backups, which go with their server.

use super::body::Reference;
use super::image::{Image, Kind, Origin};
use super::label::Labels;
use super::meta::Meta;
use super::server::Server;
use super::world::World;

/// How many backups a server has; the next one takes the place of the oldest.
const BACKUPS: usize = 7;

/// Begins an image of a server; the action that was set going for it ends with [`settle`].
pub(crate) fn make(
    world: &mut World,
    server: &Server,
    kind: Kind,
    description: String,
    labels: Labels,
) -> u64 {
    let (os_flavor, os_version) = match world.images.get(server.image) {
        Some(image) => (image.os_flavor.clone(), image.os_version.clone()),
        None => ("unknown".to_owned(), String::new()),
    };
    let architecture =
        world.catalog.server_type(&Reference::Id(server.server_type)).map(|t| t.architecture());
    world.images.insert(|id| Image {
        meta: Meta::new(id, String::new(), labels),
        kind,
        description,
        os_flavor,
        os_version,
        architecture: architecture.unwrap_or_default().to_owned(),
        disk_size: server.primary_disk_size,
        created_from: Some(Origin { id: server.meta.id, name: server.meta.name.clone() }),
        creating: true,
        protected: false,
        deprecation: None,
    })
}

/// Whole, or away: what the end of the action makes of an image.
pub(crate) fn settle(world: &mut World, id: u64, success: bool) {
    let Some(image) = world.images.get_mut(id) else {
        return;
    };
    if !success {
        return discard(world, id);
    }
    image.creating = false;
    if let Some(server) = image.bound_to() {
        let backups = backups(world, server);
        let surplus = backups.len().saturating_sub(BACKUPS);
        backups.into_iter().take(surplus).for_each(|oldest| discard(world, oldest));
    }
}

/// Takes an image away, and what a machine keeps for it.
pub(crate) fn discard(world: &mut World, id: u64) {
    if world.images.remove(id).is_some() {
        world.discarded_snapshots.push(id);
    }
}

/// Takes all backups of a server away.
pub(crate) fn discard_backups(world: &mut World, server: u64) {
    backups(world, server).into_iter().for_each(|backup| discard(world, backup));
}

/// The backups of a server, the oldest first.
fn backups(world: &World, server: u64) -> Vec<u64> {
    let bound = |image: &Image| image.bound_to() == Some(server);
    world.images.iter().filter(|(_, image)| bound(image)).map(|(id, _)| id).collect()
}
