//! Turning servers on and off.

use axum::Router;
use axum::extract::Path;
use axum::routing::post;

use super::Cloud;
use super::action::{Command, Target};
use super::answer::{Created, acted};
use super::path::Id;
use super::project::Project;
use super::server::{self, Server, ServerStatus};

pub(crate) fn routes() -> Router<Cloud> {
    Router::new()
        .route("/v1/servers/{id}/actions/poweron", post(poweron))
        .route("/v1/servers/{id}/actions/poweroff", post(poweroff))
        .route("/v1/servers/{id}/actions/shutdown", post(shutdown))
        .route("/v1/servers/{id}/actions/reboot", post(reboot))
        .route("/v1/servers/{id}/actions/reset", post(reset))
}

async fn poweron(Project(cloud): Project, Path(Id(id)): Path<Id>) -> Created {
    act(&cloud, id, Command::StartServer, Some(ServerStatus::Starting)).await
}

async fn poweroff(Project(cloud): Project, Path(Id(id)): Path<Id>) -> Created {
    act(&cloud, id, Command::StopServer, Some(ServerStatus::Stopping)).await
}

/// The status stays: that the signal was sent does not say that anybody heard it.
async fn shutdown(Project(cloud): Project, Path(Id(id)): Path<Id>) -> Created {
    act(&cloud, id, Command::ShutdownServer, None).await
}

async fn reboot(Project(cloud): Project, Path(Id(id)): Path<Id>) -> Created {
    act(&cloud, id, Command::RebootServer, None).await
}

async fn reset(Project(cloud): Project, Path(Id(id)): Path<Id>) -> Created {
    act(&cloud, id, Command::ResetServer, None).await
}

async fn act(cloud: &Cloud, id: u64, command: Command, meanwhile: Option<ServerStatus>) -> Created {
    cloud
        .change(|world| {
            server::check_unlocked(world, id)?;
            if let Some(status) = meanwhile {
                world.servers.find_mut(id)?.status = status;
            }
            acted(world, command, vec![Target::of::<Server>(id)])
        })
        .await
}
