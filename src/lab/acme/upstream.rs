//! The ACME server behind the limits, and requests as they go there and answers as they come back.

use anyhow::{Context, Result};
use axum::body::{Body, Bytes};
use axum::http::header::{CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING, USER_AGENT};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::Response;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::jws;
use crate::lab::pebble::AGENT;

/// The server, found by its address, reached by whatever name clients use.
pub(super) struct Upstream {
    client: reqwest::Client,
    /// `https://ADDRESS:PORT`.
    base: String,
    /// Where its directory says things are, as paths.
    pub(super) new_nonce: String,
    pub(super) new_account: String,
    pub(super) new_order: String,
}

/// One request.
pub(super) struct Request {
    pub(super) method: Method,
    pub(super) uri: Uri,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// One answer.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    body: Bytes,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Directory {
    new_nonce: String,
    new_account: String,
    new_order: String,
}

impl Upstream {
    /// The server at that base URL, which must answer.
    pub(super) async fn find(client: reqwest::Client, base: String) -> Result<Self> {
        let answer =
            client.get(format!("{base}/dir")).header(USER_AGENT, AGENT).send().await?.error_for_status()?;
        let directory: Directory = answer.json().await.context("the ACME server has another directory")?;
        let path = |url: &str| jws::path(url).with_context(|| format!("{url:?} is no URL"));
        let new_nonce = path(&directory.new_nonce)?;
        let new_account = path(&directory.new_account)?;
        let new_order = path(&directory.new_order)?;
        Ok(Self { client, base, new_nonce, new_account, new_order })
    }

    /// Lets the server answer. It sees the name that the client asked for, from which it makes its URLs.
    pub(super) async fn answer(&self, request: Request) -> reqwest::Result<Answer> {
        let Request { method, uri, mut headers, body } = request;
        remove_framing(&mut headers);
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let request = self.client.request(method, format!("{}{path}", self.base)).headers(headers);
        let response = request.body(body).send().await?;
        let (status, mut headers) = (response.status(), response.headers().clone());
        let body = response.bytes().await?;
        headers.remove(CONNECTION);
        headers.remove(TRANSFER_ENCODING);
        Ok(Answer { status, headers, body })
    }

    /// The headers of a fresh nonce, for a client that knows the server by that name.
    pub(super) async fn nonce(&self, client: &HeaderMap) -> reqwest::Result<HeaderMap> {
        let mut request = self.client.head(format!("{}{}", self.base, self.new_nonce));
        if let Some(host) = client.get(HOST) {
            request = request.header(HOST, host);
        }
        Ok(request.header(USER_AGENT, AGENT).send().await?.error_for_status()?.headers().clone())
    }
}

impl Answer {
    /// The body, if it is that.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_slice(&self.body).ok()
    }

    /// As it came.
    pub(super) fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response
    }
}

/// How long the body is and whether the connection stays is between each two neighbours.
fn remove_framing(headers: &mut HeaderMap) {
    for name in [CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING] {
        headers.remove(name);
    }
}
