//! Answers that many routes give.

use axum::Json;
use axum::http::StatusCode;
use serde_json::{Value, json};

use super::action::{Command, Target};
use super::error::ApiError;
use super::world::World;

/// What a request that makes something gets.
pub(crate) type Created = Result<(StatusCode, Json<Value>), ApiError>;

/// 201 with this body.
pub(crate) fn created(body: Value) -> Created {
    Ok((StatusCode::CREATED, Json(body)))
}

/// Sets an action going: 201 with it.
pub(crate) fn acted(world: &mut World, command: Command, targets: Vec<Target>) -> Created {
    let action = world.act(command, targets);
    created(json!({"action": world.action_view(action)?}))
}
