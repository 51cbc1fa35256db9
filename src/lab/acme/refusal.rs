//! How Let's Encrypt says no.

use axum::body::Body;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, LINK, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::buckets::Refusal;
use super::time::Clock;

impl Refusal {
    /// The answer, with the headers of a fresh nonce: a client signs its next request with it.
    pub(super) fn into_response(self, clock: &Clock, mut headers: HeaderMap) -> Response {
        let seconds = clock.real_seconds(self.wait);
        let wait = SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX));
        let again = Timestamp::now().saturating_add(wait).unwrap_or(Timestamp::MAX);
        let problem = json!({
            "type": "urn:ietf:params:acme:error:rateLimited",
            "detail": self.key.limit.told(&self.key.of, again),
            "status": 429,
        });
        headers.remove(CONTENT_LENGTH);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        let help = "<https://letsencrypt.org/docs/rate-limits>;rel=\"help\"";
        headers.append(LINK, HeaderValue::from_static(help));
        let mut response = Response::new(Body::from(problem.to_string()));
        *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
        *response.headers_mut() = headers;
        response
    }
}
