//! What became of a request, whatever was answered: a lost answer does not tell what had been made.

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;

use super::error::ApiError;

/// What a request did; with the answer as an extension.
#[derive(Debug, Clone)]
pub(crate) struct Deed {
    /// The status that was due.
    pub(crate) status: StatusCode,
    /// What it made.
    pub(crate) made: Option<Made>,
}

/// A resource that a request made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Made {
    /// As its key in the answer: `server`, `rrset`.
    kind: String,
    /// A number, or the text that is an RRSet's.
    id: Value,
    /// Snapshots have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
}

/// Notes with the answer what was done.
pub(crate) async fn note(request: Request, next: Next) -> Response {
    let creates = request.method() == Method::POST;
    let response = next.run(request).await;
    let status = response.status();
    if !creates || status != StatusCode::CREATED {
        return with(response, Deed { status, made: None });
    }
    let (parts, body) = response.into_parts();
    match to_bytes(body, usize::MAX).await {
        Ok(bytes) => {
            let made = serde_json::from_slice(&bytes).ok().and_then(made);
            with(Response::from_parts(parts, Body::from(bytes)), Deed { status, made })
        }
        Err(error) => ApiError::internal(&error.into()).into_response(),
    }
}

/// The answer with what was done.
pub(crate) fn with(mut response: Response, deed: Deed) -> Response {
    response.extensions_mut().insert(deed);
    response
}

/// The resource in the answer to a create; an action alone is none.
fn made(answer: Value) -> Option<Made> {
    let Value::Object(fields) = answer else { return None };
    fields.into_iter().filter(|(key, _)| key != "action").find_map(|(kind, resource)| {
        let id = resource.get("id").filter(|id| id.is_u64() || id.is_string())?.clone();
        let name = resource.get("name").and_then(Value::as_str).map(str::to_owned);
        Some(Made { kind, id, name })
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_answer_tells_what_was_made() {
        let server =
            made(json!({"action": {"id": 1}, "next_actions": [], "server": {"id": 7, "name": "web"}}));
        assert_eq!(serde_json::to_value(server).unwrap(), json!({"kind": "server", "id": 7, "name": "web"}));
        let image = made(json!({"action": {"id": 1}, "image": {"id": 8, "name": null}}));
        assert_eq!(serde_json::to_value(image).unwrap(), json!({"kind": "image", "id": 8}));
        assert_eq!(made(json!({"action": {"id": 1}})), None);
    }
}
