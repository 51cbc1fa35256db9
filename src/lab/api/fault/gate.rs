//! Where requests meet faults: before the routes, and after them.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use super::aim::Subject;
use super::answer::When;
use super::disguise;
use super::encounter::Encounter;
use super::kind::Kind;
use super::labels;
use crate::lab::api::Cloud;
use crate::lab::api::deed::{self, Deed};
use crate::lab::api::error::ApiError;
use crate::lab::api::http::below_v1;
use crate::lab::api::serve::Unanswered;

/// Marks an answer that is a gateway's own: none of the API's headers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bare;

/// Lets a request of a project meet its faults. The answer, and the kinds that were met.
pub(crate) async fn pass(cloud: &Cloud, request: Request, next: Next) -> (Response, Vec<String>) {
    let (encounter, mut request) = match meet(cloud, request).await {
        Ok(Meeting::None(request)) => return (next.run(request).await, Vec::new()),
        Ok(Meeting::Some(encounter, request)) => (Arc::new(encounter), request),
        Err(error) => return (error.into_response(), Vec::new()),
    };
    request.extensions_mut().insert(Arc::clone(&encounter));
    let response = match instead(&encounter, request.method()) {
        Some(response) => response,
        None => {
            let response = next.run(request).await;
            let deed = response.extensions().get::<Deed>().cloned();
            let response = afterwards(&encounter, response).await;
            deed.into_iter().fold(response, deed::with)
        }
    };
    (response, encounter.met())
}

enum Meeting {
    None(Request),
    Some(Encounter, Request),
}

/// Finds the faults that are for a request; reads its body where one of them asks for labels.
async fn meet(cloud: &Cloud, request: Request) -> Result<Meeting, ApiError> {
    let path = below_v1(request.uri().path()).to_owned();
    let method = request.method().clone();
    let mut subject =
        Subject { method: &method, path: &path, project: &cloud.tenancy().name, labels: Vec::new() };
    let near = cloud.faults().which(|fault| fault.aim().is_near(&subject));
    if near.is_empty() {
        return Ok(Meeting::None(request));
    }
    let request = if near.iter().any(|fault| fault.aim().asks_for_labels()) {
        let (request, labels) = labels::of(cloud, request, &path).await?;
        subject.labels = labels;
        request
    } else {
        request
    };
    let faults = near.into_iter().filter(|fault| fault.aim().selects(&subject)).collect();
    Ok(Meeting::Some(Encounter::new(faults), request))
}

/// What is answered without doing the request.
fn instead(encounter: &Encounter, method: &Method) -> Option<Response> {
    encounter.meet(|kind| match kind {
        Kind::ConnectionReset => Some(Unanswered::Reset.into_response()),
        Kind::Answer(answer) if answer.when == When::Before => Some(answer.response()),
        Kind::ReadOnly if !method.is_safe() => {
            let why = "the token has no permission to write";
            Some(ApiError::new(StatusCode::FORBIDDEN, "forbidden", why).into_response())
        }
        _ => None,
    })
}

/// What is answered when the request is done.
async fn afterwards(encounter: &Encounter, response: Response) -> Response {
    let other = encounter.meet(|kind| match kind {
        Kind::ReplyLost => Some(Unanswered::Closed.into_response()),
        Kind::Answer(answer) if answer.when == When::After => Some(answer.response()),
        _ => None,
    });
    match other {
        Some(other) => other,
        None if encounter.has(touches_fields) && is_json(&response) => disguised(encounter, response).await,
        None => response,
    }
}

fn touches_fields(kind: &Kind) -> bool {
    matches!(kind, Kind::ExtraFields | Kind::MissingFields { .. })
}

fn is_json(response: &Response) -> bool {
    response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind == "application/json")
}

/// The same answer with other fields.
async fn disguised(encounter: &Encounter, response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    let read = to_bytes(body, usize::MAX).await.map_err(anyhow::Error::from);
    let value = read.and_then(|bytes| Ok(serde_json::from_slice::<Value>(&bytes)?));
    let mut value = match value {
        Ok(value) => value,
        Err(error) => return ApiError::internal(&error).into_response(),
    };
    let others = encounter.meet_each(|kind| match kind {
        Kind::ExtraFields => true,
        Kind::MissingFields { fields } => disguise::has_field(&value, fields),
        _ => false,
    });
    for kind in others {
        match kind {
            Kind::ExtraFields => disguise::add_fields(&mut value),
            Kind::MissingFields { fields } => disguise::remove_fields(&mut value, fields),
            _ => {}
        }
    }
    parts.headers.remove(CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(value.to_string()))
}
