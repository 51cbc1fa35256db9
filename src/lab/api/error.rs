//! What the API answers when it refuses: `{"error":{"code","message","details"}}`.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// A refusal in the API's own words.
#[derive(Debug, Clone)]
pub(crate) struct ApiError {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    message: String,
    pub(crate) details: Value,
}

impl ApiError {
    /// A refusal without details.
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), details: Value::Null }
    }

    /// 422: one field of the request is wrong.
    pub(crate) fn field(name: &str, why: &str) -> Self {
        let message = format!("invalid input in field '{name}': {why}");
        let details = json!({"fields": [{"name": name, "messages": [why]}]});
        Self { details, ..Self::unprocessable("invalid_input", message) }
    }

    /// What is wrong, for people.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// 422 with one of the codes that belong to a resource.
    pub(crate) fn unprocessable(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, message)
    }

    /// 422 for a state that the API has no code of its own for.
    pub(crate) fn service(message: impl Into<String>) -> Self {
        Self::unprocessable("service_error", message)
    }

    /// 404 for a resource of a kind (`server`, `primary IP`, …).
    pub(crate) fn not_found(kind: &str, id: impl std::fmt::Display) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", format!("{kind} with ID '{id}' not found"))
    }

    /// 409: another resource has the same `field`.
    pub(crate) fn not_unique(field: &str, message: impl Into<String>) -> Self {
        let details = json!({"fields": [{"name": field}]});
        Self { details, ..Self::new(StatusCode::CONFLICT, "uniqueness_error", message) }
    }

    /// 423: an action is running on the resource.
    pub(crate) fn locked(kind: &str) -> Self {
        Self::new(StatusCode::LOCKED, "locked", format!("{kind} is locked"))
    }

    /// 409: the resource is being changed; whoever asks again later may succeed.
    pub(crate) fn conflict(kind: &str) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", format!("{kind} is being changed, please retry"))
    }

    /// 423: the resource is protected from what was asked.
    pub(crate) fn protected(kind: &str) -> Self {
        Self::new(StatusCode::LOCKED, "protected", format!("{kind} is protected"))
    }

    /// 403: a quota is used up.
    pub(crate) fn limit_exceeded(limit: &str) -> Self {
        let details = json!({"limits": [{"name": limit}]});
        let message = format!("{} exceeded", limit.replace('_', " "));
        Self { details, ..Self::new(StatusCode::FORBIDDEN, "resource_limit_exceeded", message) }
    }

    /// 410: the endpoint was taken away.
    pub(crate) fn gone(message: &str) -> Self {
        Self::new(StatusCode::GONE, "deprecated_api_endpoint", message)
    }

    /// 500: the lab itself is in trouble; the cause goes to its log.
    pub(crate) fn internal(cause: &anyhow::Error) -> Self {
        tracing::error!("the API cannot answer: {cause:#}");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "server_error", "internal server error")
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = json!({"error": {"code": self.code, "message": self.message, "details": self.details}});
        (self.status, Json(body)).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_error_has_the_shape_that_clients_parse() {
        let response = ApiError::field("name", "is too long").into_response();
        assert_eq!(response.status(), 422);
        let body = axum::body::to_bytes(response.into_body(), 1000).await.unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(
            body,
            json!({"error": {
                "code": "invalid_input",
                "message": "invalid input in field 'name': is too long",
                "details": {"fields": [{"name": "name", "messages": ["is too long"]}]},
            }})
        );
    }

    #[tokio::test]
    async fn details_are_null_where_there_are_none() {
        let response = ApiError::not_found("server", 7).into_response();
        let body = axum::body::to_bytes(response.into_body(), 1000).await.unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(
            body,
            json!({"error": {"code": "not_found", "message": "server with ID '7' not found", "details": null}})
        );
    }
}
