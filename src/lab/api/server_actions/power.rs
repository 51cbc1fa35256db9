//! Turning servers on and off.

use axum::extract::Path;

use crate::lab::api::Cloud;
use crate::lab::api::action::{Command, Target};
use crate::lab::api::answer::{Created, acted};
use crate::lab::api::error::ApiError;
use crate::lab::api::path::Id;
use crate::lab::api::project::Project;
use crate::lab::api::server::{self, Server, ServerStatus};
use crate::lab::api::world::World;

/// A server that runs goes on; one that nobody could reach is not started.
pub(crate) async fn poweron(Project(cloud): Project, Path(Id(id)): Path<Id>) -> Created {
    cloud
        .change(|world| {
            server::check_unlocked(world, id)?;
            let server = world.servers.find(id)?;
            if server.ipv4.is_none() && server.ipv6.is_none() && server.private_net.is_empty() {
                return Err(ApiError::unprocessable("invalid_input", "server has no network interface"));
            }
            begin(world, id, Command::StartServer, Some((ServerStatus::Off, ServerStatus::Starting)))
        })
        .await
}

/// A server that is off stays so.
pub(crate) async fn poweroff(Project(cloud): Project, Path(Id(id)): Path<Id>) -> Created {
    act(&cloud, id, Command::StopServer, Some((ServerStatus::Running, ServerStatus::Stopping))).await
}

/// The status stays: that the signal was sent does not say that anybody heard it.
pub(crate) async fn shutdown(Project(cloud): Project, Path(Id(id)): Path<Id>) -> Created {
    act(&cloud, id, Command::ShutdownServer, None).await
}

pub(crate) async fn reboot(Project(cloud): Project, Path(Id(id)): Path<Id>) -> Created {
    act(&cloud, id, Command::RebootServer, None).await
}

pub(crate) async fn reset(Project(cloud): Project, Path(Id(id)): Path<Id>) -> Created {
    act(&cloud, id, Command::ResetServer, None).await
}

async fn act(
    cloud: &Cloud,
    id: u64,
    command: Command,
    change: Option<(ServerStatus, ServerStatus)>,
) -> Created {
    cloud.change(|world| begin(world, id, command, change)).await
}

/// What is in the first of the two states is in the second one meanwhile.
fn begin(
    world: &mut World,
    id: u64,
    command: Command,
    change: Option<(ServerStatus, ServerStatus)>,
) -> Created {
    server::check_unlocked(world, id)?;
    let server = world.servers.find_mut(id)?;
    if let Some((_, meanwhile)) = change.filter(|(from, _)| *from == server.status) {
        server.status = meanwhile;
    }
    acted(world, command, vec![Target::of::<Server>(id)])
}
