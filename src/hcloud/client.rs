//! The transport: one place that sends, retries and reads.

use std::sync::Arc;
use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use tokio::time::Instant;

use super::action::Watch;
use super::bucket::{Bucket, Need, Ticket};
use super::error::{ApiError, Error};
use super::retry::{Repeat, TRIES, worth_another_try};
use crate::backoff::Backoff;
use crate::secret::Secret;

/// Longest wait for one answer; Hetzner's own gateway gives up after 30 s.
const ANSWER: Duration = Duration::from_secs(45);
/// Longest time over all tries of one request.
const ALL_TRIES: Duration = Duration::from_secs(180);
/// Longest time in which a request is refused for the rate limit, each time after waiting for what should have come back: others
/// with the same token are faster.
const REFUSED: Duration = Duration::from_secs(900);
/// Objects per page; the API's maximum.
const PER_PAGE: &str = "50";

/// More pages than this, of anything, are a fault: a project has some thousand servers.
const MOST_PAGES: u64 = 1_000;

/// A connection to one project of the Hetzner Cloud. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    endpoint: String,
    token: Secret,
    bucket: Arc<Bucket>,
    pub(super) watch: Arc<Watch>,
}

/// Parameters of a query; a name may stand several times.
pub(super) type Query<'a> = &'a [(&'a str, &'a str)];

impl Client {
    /// A client of the project that the token belongs to. The endpoint is the base URL with `/v1`.
    pub fn new(http: reqwest::Client, endpoint: &str, token: Secret) -> Self {
        let endpoint = endpoint.trim_end_matches('/').to_owned();
        Self { http, endpoint, token, bucket: Arc::new(Bucket::new()), watch: Arc::default() }
    }

    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str, query: Query<'_>) -> Result<T, Error> {
        let body = self.send(Method::GET, path, query, None, Repeat::Safe).await?;
        read(&body, &format!("GET {path}"))
    }

    /// All objects of a list, page by page. `key` is the name of the list in the answer.
    pub(super) async fn list<T: DeserializeOwned>(
        &self,
        path: &str,
        key: &str,
        query: Query<'_>,
    ) -> Result<Vec<T>, Error> {
        let mut all = Vec::new();
        let mut page = 1_u64;
        loop {
            let number = page.to_string();
            let mut with_page = query.to_vec();
            with_page.extend([("page", number.as_str()), ("per_page", PER_PAGE)]);
            let mut answer: serde_json::Value = self.get(path, &with_page).await?;
            let items = answer.get_mut(key).map(serde_json::Value::take).unwrap_or_default();
            let garbled =
                |e: serde_json::Error| Error::Garbled { request: format!("GET {path}"), text: e.to_string() };
            all.extend(serde_json::from_value::<Vec<T>>(items).map_err(garbled)?);
            let meta: Meta = serde_json::from_value(answer).unwrap_or_default();
            match meta.meta.pagination.next_page {
                Some(next) if next > page && next <= MOST_PAGES => page = next,
                Some(next) if next > page => {
                    let text = format!("page {next} follows page {page}");
                    return Err(Error::Garbled { request: format!("GET {path}"), text });
                }
                Some(_) | None => return Ok(all),
            }
        }
    }

    pub(super) async fn post<B: Serialize, T: DeserializeOwned>(
        &self,
        path: &str,
        body: &B,
    ) -> Result<T, Error> {
        self.write(Method::POST, path, body, Repeat::OnlyIfRefused).await
    }

    /// A POST that is the same twice as once, and so is repeated as a PUT is.
    pub(super) async fn post_again<B: Serialize, T: DeserializeOwned>(
        &self,
        path: &str,
        body: &B,
    ) -> Result<T, Error> {
        self.write(Method::POST, path, body, Repeat::Safe).await
    }

    pub(super) async fn put<B: Serialize, T: DeserializeOwned>(
        &self,
        path: &str,
        body: &B,
    ) -> Result<T, Error> {
        self.write(Method::PUT, path, body, Repeat::Safe).await
    }

    async fn write<B: Serialize, T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: &B,
        repeat: Repeat,
    ) -> Result<T, Error> {
        let request = format!("{method} {path}");
        let json = serde_json::to_string(body)
            .map_err(|e| Error::Garbled { request: request.clone(), text: e.to_string() })?;
        let answer = self.send(method, path, &[], Some(json), repeat).await?;
        read(&answer, &request)
    }

    /// Deletes; the answer's body, which is empty for most resources.
    pub(super) async fn delete(&self, path: &str) -> Result<String, Error> {
        self.send(Method::DELETE, path, &[], None, Repeat::Safe).await
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        query: Query<'_>,
        body: Option<String>,
        repeat: Repeat,
    ) -> Result<String, Error> {
        let need = match repeat {
            Repeat::OnlyIfRefused => Need::Creation,
            Repeat::Safe => Need::Other,
        };
        let mut ticket = self.bucket.take(need).await;
        let begun = Instant::now();
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(60), ALL_TRIES);
        let mut tries = 1;
        loop {
            let error = match self.send_once(method.clone(), path, query, body.clone(), ticket).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            tracing::debug!(%method, path, tries, %error, "request not answered as hoped");
            if error.code() == Some("rate_limit_exceeded") && begun.elapsed() < REFUSED {
                ticket = self.bucket.take(need).await;
                continue;
            }
            if tries == TRIES || !worth_another_try(&error, repeat) || backoff.pause().await.is_err() {
                return Err(error);
            }
            tries += 1;
            ticket = self.bucket.take(need).await;
        }
    }

    async fn send_once(
        &self,
        method: Method,
        path: &str,
        query: Query<'_>,
        body: Option<String>,
        ticket: Ticket<'_>,
    ) -> Result<String, Error> {
        let request = format!("{method} {path}");
        let mut builder = self
            .http
            .request(method, format!("{}{path}", self.endpoint))
            .query(query)
            .bearer_auth(self.token.expose())
            .timeout(ANSWER);
        if let Some(json) = body {
            builder = builder.header("content-type", "application/json").body(json);
        }
        let failed = |source: reqwest::Error| {
            // reqwest's text repeats the URL, which the message already has
            let source = source.without_url();
            let request = request.clone();
            if source.is_builder() {
                Error::Request { request, source }
            } else {
                Error::Unanswered { endpoint: self.endpoint.clone(), request, source }
            }
        };
        let response = builder.send().await.map_err(failed)?;
        let status = response.status();
        ticket.answered(status == StatusCode::TOO_MANY_REQUESTS, response.headers());
        let correlation_id =
            response.headers().get("x-correlation-id").and_then(|id| id.to_str().ok()).map(str::to_owned);
        let text = response.text().await.map_err(failed)?;
        tracing::debug!(request, status = status.as_u16(), "answered");
        if status.is_success() || status == StatusCode::NO_CONTENT {
            Ok(text)
        } else {
            Err(ApiError::read(status.as_u16(), correlation_id, &text).into())
        }
    }
}

pub(super) fn read<T: DeserializeOwned>(body: &str, request: &str) -> Result<T, Error> {
    serde_json::from_str(body)
        .map_err(|e| Error::Garbled { request: request.to_owned(), text: e.to_string() })
}

#[derive(Default, Deserialize)]
struct Meta {
    #[serde(default)]
    meta: Paginated,
}

#[derive(Default, Deserialize)]
struct Paginated {
    #[serde(default)]
    pagination: Pagination,
}

#[derive(Default, Deserialize)]
struct Pagination {
    next_page: Option<u64>,
}
