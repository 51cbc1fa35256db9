//! Everything that is asked of the ACME server passes here, and what Let's Encrypt would refuse does not.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, State};
use axum::http::header::LINK;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::buckets::Refusal;
use super::identifier::Identifier;
use super::jws::{self, Signed};
use super::ledger::{Ledger, Order};
use super::time::Clock;
use super::tls::Peer;
use super::upstream::{Answer, Request, Upstream};

/// The limits in front of one ACME server.
pub(super) struct Proxy {
    upstream: Upstream,
    ledger: Mutex<Ledger>,
    clock: Clock,
}

/// Why there is no answer of the server's.
enum Obstacle {
    Limit(Refusal),
    Server(reqwest::Error),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NewAccount {
    #[serde(default)]
    only_return_existing: bool,
}

#[derive(Deserialize)]
struct NewOrder {
    identifiers: Vec<Identifier>,
    replaces: Option<String>,
}

/// What answers tell of orders, authorisations and challenges.
#[derive(Deserialize)]
struct Resource {
    status: Option<String>,
    /// An order has it.
    finalize: Option<String>,
    /// An order has them.
    authorizations: Option<Vec<String>>,
    /// An authorisation has it.
    identifier: Option<Identifier>,
}

impl Proxy {
    pub(super) fn new(upstream: Upstream, speed: NonZeroU32) -> Self {
        Self { upstream, ledger: Mutex::default(), clock: Clock::new(speed) }
    }

    pub(super) fn router(self) -> Router {
        Router::new().fallback(pass).with_state(Arc::new(self))
    }

    async fn answer(&self, client: IpAddr, request: Request) -> Response {
        let headers = request.headers.clone();
        match self.limited(client, request).await {
            Ok(answer) => answer.into_response(),
            Err(Obstacle::Server(error)) => no_answer(&error),
            Err(Obstacle::Limit(refusal)) => match self.upstream.nonce(&headers).await {
                Ok(nonce) => refusal.into_response(&self.clock, nonce),
                Err(error) => no_answer(&error),
            },
        }
    }

    async fn limited(&self, client: IpAddr, request: Request) -> Result<Answer, Obstacle> {
        let signed = if request.method == Method::POST { Signed::parse(&request.body) } else { None };
        let Some(signed) = signed else {
            return Ok(self.upstream.answer(request).await?);
        };
        let path = request.uri.path().to_owned();
        if path == self.upstream.new_account {
            self.new_account(client, &signed, request).await
        } else if path == self.upstream.new_order {
            self.new_order(&signed, request).await
        } else {
            let answer = self.upstream.answer(request).await?;
            self.observe(&path, &signed, &answer);
            Ok(answer)
        }
    }

    async fn new_account(
        &self,
        client: IpAddr,
        signed: &Signed,
        request: Request,
    ) -> Result<Answer, Obstacle> {
        let makes_none = signed.payload().is_some_and(|asked: NewAccount| asked.only_return_existing);
        let Some(key) = signed.key.clone().filter(|_| !makes_none) else {
            return Ok(self.upstream.answer(request).await?);
        };
        let taken = self.ledger().account(client, &key, self.clock.now())?;
        let answer = self.upstream.answer(request).await;
        let status = answer.as_ref().map(|answer| answer.status);
        let mut ledger = self.ledger();
        if status.as_ref().is_ok_and(StatusCode::is_success) {
            ledger.has_account(key);
        }
        if !matches!(status, Ok(StatusCode::CREATED)) {
            ledger.refused(&taken);
        }
        Ok(answer?)
    }

    async fn new_order(&self, signed: &Signed, request: Request) -> Result<Answer, Obstacle> {
        let Some(order) = order(signed) else {
            return Ok(self.upstream.answer(request).await?);
        };
        let taken = self.ledger().order(&order, self.clock.now())?;
        let answer = self.upstream.answer(request).await;
        let made = answer.as_ref().ok().filter(|answer| answer.status == StatusCode::CREATED);
        match made.and_then(Answer::json).and_then(|made: Resource| jws::path(&made.finalize?)) {
            Some(finalize) => self.ledger().ordered(finalize, order),
            None => self.ledger().refused(&taken),
        }
        Ok(answer?)
    }

    /// Counts what an answer tells: an order finalised, an authorisation failed.
    fn observe(&self, path: &str, signed: &Signed, answer: &Answer) {
        if !answer.status.is_success() {
            return;
        }
        let mut ledger = self.ledger();
        ledger.accepted(path, self.clock.now());
        let (Some(account), Some(seen)) = (&signed.account, answer.json::<Resource>()) else { return };
        // Clients look at the authorisation, at its challenge or at the order. An order does not say which of its
        // authorisations has failed, unless it has but one.
        let authorization = match (seen.identifier, seen.authorizations.as_deref()) {
            (Some(identifier), _) => {
                ledger.authorization(path, identifier);
                Some(path.to_owned())
            }
            (None, Some(several)) => {
                several.first().filter(|_| several.len() == 1).and_then(|url| jws::path(url))
            }
            (None, None) => up(&answer.headers),
        };
        if let Some(authorization) = authorization.filter(|_| seen.status.as_deref() == Some("invalid")) {
            ledger.failed(&authorization, account, self.clock.now());
        }
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl From<Refusal> for Obstacle {
    fn from(refusal: Refusal) -> Self {
        Self::Limit(refusal)
    }
}

impl From<reqwest::Error> for Obstacle {
    fn from(error: reqwest::Error) -> Self {
        Self::Server(error)
    }
}

async fn pass(
    State(proxy): State<Arc<Proxy>>,
    ConnectInfo(Peer(client)): ConnectInfo<Peer>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let request = Request { method, uri, headers, body };
    // A task of its own: what the server did is counted, even if the client has gone away.
    let task = tokio::spawn(async move { proxy.answer(client, request).await });
    task.await.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

/// `None` if it is no order that the server could take.
fn order(signed: &Signed) -> Option<Order> {
    let asked: NewOrder = signed.payload()?;
    Some(Order {
        account: signed.account.clone()?,
        identifiers: asked.identifiers.into_iter().collect(),
        replaces: asked.replaces.is_some_and(|certificate| !certificate.is_empty()),
    })
}

/// The path of the resource above: `Link: <URL>;rel="up"`.
fn up(headers: &HeaderMap) -> Option<String> {
    let links = headers.get_all(LINK).iter().filter_map(|link| link.to_str().ok());
    let url = links.into_iter().find_map(|link| link.strip_prefix('<')?.strip_suffix(">;rel=\"up\""))?;
    jws::path(url)
}

fn no_answer(error: &reqwest::Error) -> Response {
    (StatusCode::BAD_GATEWAY, format!("the ACME server does not answer: {error}\n")).into_response()
}
