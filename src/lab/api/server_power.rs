//! Turning servers on and off.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::Cloud;
use super::action::{Command, Target};
use super::error::ApiError;
use super::path::Id;
use super::server::{self, Server, ServerStatus};

pub(crate) fn routes() -> Router<Cloud> {
    Router::new()
        .route("/v1/servers/{id}/actions/poweron", post(poweron))
        .route("/v1/servers/{id}/actions/poweroff", post(poweroff))
        .route("/v1/servers/{id}/actions/shutdown", post(shutdown))
        .route("/v1/servers/{id}/actions/reboot", post(reboot))
        .route("/v1/servers/{id}/actions/reset", post(reset))
}

type Answer = Result<(StatusCode, Json<Value>), ApiError>;

async fn poweron(State(cloud): State<Cloud>, Path(Id(id)): Path<Id>) -> Answer {
    act(&cloud, id, Command::StartServer, Some(ServerStatus::Starting)).await
}

async fn poweroff(State(cloud): State<Cloud>, Path(Id(id)): Path<Id>) -> Answer {
    act(&cloud, id, Command::StopServer, Some(ServerStatus::Stopping)).await
}

/// The status stays: that the signal was sent does not say that anybody heard it.
async fn shutdown(State(cloud): State<Cloud>, Path(Id(id)): Path<Id>) -> Answer {
    act(&cloud, id, Command::ShutdownServer, None).await
}

async fn reboot(State(cloud): State<Cloud>, Path(Id(id)): Path<Id>) -> Answer {
    act(&cloud, id, Command::RebootServer, None).await
}

async fn reset(State(cloud): State<Cloud>, Path(Id(id)): Path<Id>) -> Answer {
    act(&cloud, id, Command::ResetServer, None).await
}

async fn act(cloud: &Cloud, id: u64, command: Command, meanwhile: Option<ServerStatus>) -> Answer {
    cloud
        .change(|world| {
            server::check_unlocked(world, id)?;
            if let Some(status) = meanwhile {
                world.servers.find_mut(id)?.status = status;
            }
            let action = world.act(command, vec![Target::of::<Server>(id)]);
            let view = world.actions.find(action)?.view(world);
            Ok((StatusCode::CREATED, Json(json!({"action": view}))))
        })
        .await
}
