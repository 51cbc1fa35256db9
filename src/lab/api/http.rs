//! What holds for every route: token, rate limit, correlation id, request log, unknown routes.

use std::time::Instant;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::{Next, from_fn, from_fn_with_state, map_response};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::SizeAbove;

use super::deed::Deed;
use super::error::ApiError;
use super::fault::Bare;
use super::project::Index;
use super::rate_limit::Ticket;
use super::request_log::Entry;
use super::serve::Unanswered;
use super::{
    Cloud, absent, action, datacenter, deed, fault, firewall_routes, image_routes, location, metrics,
    network_routes, placement_group, pricing, primary_ip_routes, rrset_routes, server, server_actions,
    server_network, server_type, ssh_key, volume_routes, zone_routes,
};

/// Bytes from which on an answer is worth compressing: what one packet does not hold.
const LARGE: u16 = 1400;

/// All routes, with what holds for each of them.
pub(crate) fn router(cloud: Cloud) -> Router {
    Router::new()
        .merge(action::routes())
        .merge(absent::routes())
        .merge(datacenter::routes())
        .merge(firewall_routes::routes())
        .merge(image_routes::routes())
        .merge(location::routes())
        .merge(metrics::routes())
        .merge(network_routes::routes())
        .merge(placement_group::routes())
        .merge(pricing::routes())
        .merge(primary_ip_routes::routes())
        .merge(rrset_routes::routes())
        .merge(server::routes())
        .merge(server_actions::routes())
        .merge(server_network::routes())
        .merge(server_type::routes())
        .merge(ssh_key::routes())
        .merge(volume_routes::routes())
        .merge(zone_routes::routes())
        .method_not_allowed_fallback(method_not_allowed)
        .route_layer(from_fn(authorize))
        .fallback(unknown_route)
        .layer(map_response(in_own_words))
        .layer(from_fn(deed::note))
        .layer(from_fn_with_state(cloud.clone(), observe))
        .with_state(cloud.clone())
        .merge(fault::control::routes(&cloud))
        .layer(
            CompressionLayer::new().quality(CompressionLevel::Fastest).compress_when(SizeAbove::new(LARGE)),
        )
}

async fn unknown_route() -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "not_found", "not found")
}

/// What axum refuses by itself is a path that is no UTF-8, and so nobody's.
async fn in_own_words(response: Response) -> Response {
    let is_json = |kind: &HeaderValue| kind == "application/json";
    match response.headers().get(CONTENT_TYPE) {
        Some(kind) if response.status().is_client_error() && !is_json(kind) => {
            unknown_route().await.into_response()
        }
        _ => response,
    }
}

async fn method_not_allowed() -> ApiError {
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "method not allowed")
}

/// Lets through who has a project's token; [`observe`] has looked it up.
async fn authorize(request: Request, next: Next) -> Response {
    let refuse = |why: &str| ApiError::new(StatusCode::UNAUTHORIZED, "unauthorized", why).into_response();
    match (token(&request), request.extensions().get::<Index>()) {
        (None, _) => refuse("token is required"),
        (Some(_), None) => refuse("the token is invalid"),
        (Some(_), Some(_)) => next.run(request).await,
    }
}

/// The token that a request carries.
pub(crate) fn token(request: &Request) -> Option<&str> {
    request.headers().get(AUTHORIZATION).and_then(|h| h.to_str().ok()).and_then(bearer)
}

fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

/// Counts, marks and logs a request.
async fn observe(State(lab): State<Cloud>, mut request: Request, next: Next) -> Response {
    let (now, begin) = (Timestamp::now(), Instant::now());
    let correlation_id = format!("{:032x}", rand::random::<u128>());
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let path = request.uri().path_and_query().map_or_else(String::new, ToString::to_string);
    let client = request.headers().get(USER_AGENT).and_then(|h| h.to_str().ok()).map(str::to_owned);

    let index = token(&request).and_then(|token| lab.project_of(token));
    if let Some(index) = index {
        request.extensions_mut().insert(Index(index));
    }
    let project = index.map(|index| lab.of_project(index));
    let limit = project.as_ref().map_or(&lab.lab.strangers, |project| &project.tenancy().rate_limit);
    let ticket = limit.take(now);
    let (mut response, fault) = if let Some(refusal) = refusal(&lab, &ticket, &method) {
        (refusal.into_response(), Vec::new())
    } else {
        match &project {
            Some(project) => fault::pass(project, request, next).await,
            None => (next.run(request).await, Vec::new()),
        }
    };
    mark(&mut response, ticket, &correlation_id);
    let unanswered = response.extensions().get::<Unanswered>().is_some();
    let status = (!unanswered).then(|| response.status());
    let deed = response.extensions().get::<Deed>();
    lab.lab.log.write(&Entry {
        time: format!("{now:.3}"),
        method: method.as_str(),
        route: route.as_ref().map(|route| below_v1(route.as_str())),
        path: &path,
        status: status.map(|status| status.as_u16()),
        done: deed.filter(|deed| status != Some(deed.status)).map(|deed| deed.status.as_u16()),
        made: deed.and_then(|deed| deed.made.as_ref()),
        correlation_id: &correlation_id,
        client: client.as_deref(),
        project: project.as_ref().map(|project| project.tenancy().name.as_str()),
        fault: &fault,
        duration: (begin.elapsed().as_secs_f64() * 1e6).round() / 1e3,
    });
    response
}

/// What each answer of the API's own tells of the rate limit, and by what it can be asked about.
fn mark(response: &mut Response, ticket: Ticket, correlation_id: &str) {
    if response.extensions().get::<Bare>().is_some() {
        return;
    }
    let refused = response.status() == StatusCode::TOO_MANY_REQUESTS;
    let ticket = if refused { ticket.empty() } else { ticket };
    ticket.write(response.headers_mut());
    if let Ok(value) = HeaderValue::from_str(correlation_id) {
        response.headers_mut().insert(HeaderName::from_static("x-correlation-id"), value);
    }
}

/// Why a request is not looked at.
fn refusal(lab: &Cloud, ticket: &Ticket, method: &Method) -> Option<ApiError> {
    if !ticket.granted {
        let why = "rate limit exceeded";
        Some(ApiError::new(StatusCode::TOO_MANY_REQUESTS, "rate_limit_exceeded", why))
    } else if lab.is_halting() && method != Method::GET {
        Some(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "the lab is going down"))
    } else {
        None
    }
}

/// A path as routes of faults and the request log have it.
pub(crate) fn below_v1(path: &str) -> &str {
    path.strip_prefix("/v1").unwrap_or(path)
}
