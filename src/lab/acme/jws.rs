//! What a signed request says. Whether the signature is good is the ACME server's business.

use axum::http::Uri;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// A request's body (RFC 8555, 6.2).
pub(super) struct Signed {
    /// The account's path; `None` if the request is signed with a key that needs no account.
    pub(super) account: Option<String>,
    /// That key.
    pub(super) key: Option<String>,
    payload: Vec<u8>,
}

#[derive(Deserialize)]
struct Envelope {
    protected: String,
    payload: String,
}

#[derive(Deserialize)]
struct Header {
    kid: Option<String>,
    jwk: Option<Value>,
}

impl Signed {
    /// `None` if it is no signed request.
    pub(super) fn parse(body: &[u8]) -> Option<Self> {
        let envelope: Envelope = serde_json::from_slice(body).ok()?;
        let header: Header = serde_json::from_slice(&decoded(&envelope.protected)?).ok()?;
        Some(Self {
            account: header.kid.as_deref().and_then(path),
            // its members come sorted
            key: header.jwk.map(|jwk| jwk.to_string()),
            payload: decoded(&envelope.payload)?,
        })
    }

    /// What is asked for, if it is that.
    pub(super) fn payload<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_slice(&self.payload).ok()
    }
}

fn decoded(text: &str) -> Option<Vec<u8>> {
    BASE64_URL_SAFE_NO_PAD.decode(text).ok()
}

/// The path of a URL: the same resource may be asked for by several names of the host.
pub(super) fn path(url: &str) -> Option<String> {
    url.parse::<Uri>().ok().map(|uri| uri.path().to_owned())
}
