//! `/control/faults`: faults come and go while the lab runs. No part of the API.

use axum::body::Bytes;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get};
use axum::{Json, Router};
use serde_json::{Map, Value, json};

use super::fault::Fault;
use crate::lab::api::Cloud;
use crate::lab::api::error::ApiError;
use crate::lab::api::http::token;
use crate::lab::api::path::Id;

/// The routes, for whoever has the token of a project.
pub(crate) fn routes(cloud: &Cloud) -> Router {
    Router::new()
        .route("/control/faults", get(list).post(add).delete(clear))
        .route("/control/faults/{id}", delete(remove))
        .route_layer(from_fn_with_state(cloud.clone(), authorize))
        .with_state(cloud.clone())
}

async fn authorize(State(cloud): State<Cloud>, request: Request, next: Next) -> Response {
    match token(&request).and_then(|token| cloud.project_of(token)) {
        Some(_) => next.run(request).await,
        None => {
            let why = "the token of a project is required";
            ApiError::new(StatusCode::UNAUTHORIZED, "unauthorized", why).into_response()
        }
    }
}

async fn list(State(cloud): State<Cloud>) -> Json<Value> {
    let all = cloud.faults().which(|_| true);
    Json(json!({"faults": all.iter().map(|fault| fault.view()).collect::<Vec<_>>()}))
}

async fn add(State(cloud): State<Cloud>, body: Bytes) -> Result<(StatusCode, Json<Value>), ApiError> {
    let source: Map<String, Value> = serde_json::from_slice(&body)
        .map_err(|error| ApiError::new(StatusCode::BAD_REQUEST, "json_error", error.to_string()))?;
    let fault =
        Fault::read(source).map_err(|error| ApiError::unprocessable("invalid_input", error.to_string()))?;
    Ok((StatusCode::CREATED, Json(cloud.faults().add(fault).view())))
}

async fn clear(State(cloud): State<Cloud>) -> StatusCode {
    cloud.faults().clear();
    StatusCode::NO_CONTENT
}

async fn remove(State(cloud): State<Cloud>, Path(Id(id)): Path<Id>) -> Result<StatusCode, ApiError> {
    if cloud.faults().remove(id) { Ok(StatusCode::NO_CONTENT) } else { Err(ApiError::not_found("fault", id)) }
}
