//! Backups, on and off. The lab makes none by itself: `create_image` does.

use axum::extract::Path;

use crate::lab::api::action::{Command, Target};
use crate::lab::api::answer::{Created, acted};
use crate::lab::api::path::Id;
use crate::lab::api::project::Project;
use crate::lab::api::server::{self, Server};
use crate::lab::api::snapshot;

/// The hours between which backups are made.
const WINDOWS: [&str; 6] = ["22-02", "02-06", "06-10", "10-14", "14-18", "18-22"];

/// Nobody chooses the window any more.
pub(crate) async fn enable(Project(cloud): Project, Path(Id(id)): Path<Id>) -> Created {
    cloud
        .change(|world| {
            server::check_unlocked(world, id)?;
            let window = WINDOWS.iter().cycle().nth(usize::try_from(id % 6).unwrap_or(0)).copied();
            let server = world.servers.find_mut(id)?;
            server.backup_window = server.backup_window.take().or_else(|| window.map(str::to_owned));
            acted(world, Command::EnableBackup, vec![Target::of::<Server>(id)])
        })
        .await
}

/// Takes all backups away.
pub(crate) async fn disable(Project(cloud): Project, Path(Id(id)): Path<Id>) -> Created {
    cloud
        .change(|world| {
            server::check_unlocked(world, id)?;
            world.servers.find_mut(id)?.backup_window = None;
            snapshot::discard_backups(world, id);
            acted(world, Command::DisableBackup, vec![Target::of::<Server>(id)])
        })
        .await
}
