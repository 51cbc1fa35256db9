//! What holds for every route: token, rate limit, correlation id, request log, unknown routes.

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, USER_AGENT};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;

use super::error::ApiError;
use super::project::Index;
use super::request_log::Entry;
use super::{
    Cloud, absent, action, datacenter, firewall_routes, image_routes, location, metrics, network_routes,
    placement_group, pricing, primary_ip_routes, rrset_routes, server, server_actions, server_network,
    server_type, ssh_key, volume_routes, zone,
};

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
        .merge(zone::routes())
        .method_not_allowed_fallback(method_not_allowed)
        .route_layer(from_fn(authorize))
        .fallback(unknown_route)
        .layer(from_fn_with_state(cloud.clone(), observe))
        .with_state(cloud)
}

async fn unknown_route() -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "not_found", "not found")
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

fn token(request: &Request) -> Option<&str> {
    request.headers().get(AUTHORIZATION).and_then(|h| h.to_str().ok()).and_then(bearer)
}

fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

/// Counts, marks and logs a request.
async fn observe(State(lab): State<Cloud>, mut request: Request, next: Next) -> Response {
    let now = Timestamp::now();
    let correlation_id = format!("{:032x}", rand::random::<u128>());
    let method = request.method().clone();
    let path = request.uri().path_and_query().map_or_else(String::new, ToString::to_string);
    let client = request.headers().get(USER_AGENT).and_then(|h| h.to_str().ok()).map(str::to_owned);

    let project = token(&request).and_then(|token| lab.project_of(token));
    if let Some(project) = project {
        request.extensions_mut().insert(Index(project));
    }
    let ticket = lab.of_project(project.unwrap_or(0)).tenancy().rate_limit.take(now);
    let mut response = if !ticket.granted {
        ApiError::new(StatusCode::TOO_MANY_REQUESTS, "rate_limit_exceeded", "rate limit exceeded")
            .into_response()
    } else if lab.is_halting() && method != Method::GET {
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "the lab is going down").into_response()
    } else {
        next.run(request).await
    };

    ticket.write(response.headers_mut());
    if let Ok(value) = HeaderValue::from_str(&correlation_id) {
        response.headers_mut().insert(HeaderName::from_static("x-correlation-id"), value);
    }
    lab.lab.log.write(&Entry {
        time: format!("{now:.3}"),
        method: method.as_str(),
        path: &path,
        status: response.status().as_u16(),
        correlation_id: &correlation_id,
        client: client.as_deref(),
    });
    response
}
