//! The body of a request, read field by field so that a refusal names the field.

use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use futures_util::StreamExt;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::error::ApiError;
use super::label::{self, Labels};

/// The longest body, in bytes. Hetzner does not say; a zone file is the longest thing to send.
const LENGTH_MAX: usize = 2 * 1024 * 1024;
/// The length at which a client is hung up on, in bytes.
const PATIENCE: usize = 64 * 1024 * 1024;

/// A JSON object; unknown fields are ignored, `null` counts as absent.
#[derive(Debug, Deserialize)]
pub(crate) struct Body(Map<String, Value>);

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = ApiError;

    async fn from_request(request: Request, _state: &S) -> Result<Self, ApiError> {
        let bytes = read(request.into_body()).await?;
        let wrong = || ApiError::new(StatusCode::BAD_REQUEST, "json_error", "invalid json in request body");
        serde_json::from_slice(&bytes).map_err(|_| wrong())
    }
}

/// All of a body. One that is too long is read to its end all the same, so that the client is there for the answer.
pub(crate) async fn read(body: axum::body::Body) -> Result<Vec<u8>, ApiError> {
    let (mut bytes, mut length) = (Vec::new(), 0);
    let mut chunks = body.into_data_stream();
    while let Some(chunk) = chunks.next().await {
        let lost = |_| ApiError::new(StatusCode::BAD_REQUEST, "json_error", "the request body is incomplete");
        let chunk = chunk.map_err(lost)?;
        length += chunk.len();
        if length <= LENGTH_MAX {
            bytes.extend_from_slice(&chunk);
        } else if length > PATIENCE {
            break;
        }
    }
    let too_long = || ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "json_error", "request body is too large");
    if length <= LENGTH_MAX { Ok(bytes) } else { Err(too_long()) }
}

impl Body {
    /// A field that must be there.
    pub(crate) fn required<T: DeserializeOwned>(&self, field: &str) -> Result<T, ApiError> {
        self.optional(field)?.ok_or_else(|| ApiError::field(field, "is required"))
    }

    /// A field that may be absent or null.
    pub(crate) fn optional<T: DeserializeOwned>(&self, field: &str) -> Result<Option<T>, ApiError> {
        match self.0.get(field) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => T::deserialize(value)
                .map(Some)
                .map_err(|e| ApiError::field(field, &format!("is invalid: {e}"))),
        }
    }

    /// A field that must be there, be it null.
    pub(crate) fn nullable<T: DeserializeOwned>(&self, field: &str) -> Result<Option<T>, ApiError> {
        if self.has(field) { self.optional(field) } else { Err(ApiError::field(field, "is required")) }
    }

    /// Whether the request has a field.
    pub(crate) fn has(&self, field: &str) -> bool {
        self.0.contains_key(field)
    }

    /// The labels, checked; `None` where the request has none.
    pub(crate) fn labels(&self) -> Result<Option<Labels>, ApiError> {
        let labels = self.optional("labels")?;
        if let Some(labels) = &labels {
            label::check(labels)?;
        }
        Ok(labels)
    }

    /// A name that is not empty and not absurdly long.
    pub(crate) fn name(&self) -> Result<String, ApiError> {
        let name: String = self.required("name")?;
        check_name(&name).map(|()| name)
    }

    /// The new name in an update.
    pub(crate) fn new_name(&self) -> Result<Option<String>, ApiError> {
        let name: Option<String> = self.optional("name")?;
        name.as_deref().map(check_name).transpose()?;
        Ok(name)
    }
}

fn check_name(name: &str) -> Result<(), ApiError> {
    match name.chars().count() {
        0 => Err(ApiError::field("name", "is too short")),
        _ if name.contains(char::is_control) => Err(ApiError::field("name", "has a control character")),
        1..=128 => Ok(()),
        _ => Err(ApiError::field("name", "is too long")),
    }
}

/// How requests name another resource: clients send ids as numbers or as strings, and names.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub(crate) enum Reference {
    /// `114`
    Id(u64),
    /// `"114"` or `"cx23"`
    Text(String),
}

impl Reference {
    /// The id that this is, if it can be one.
    pub(crate) fn id(&self) -> Option<u64> {
        match self {
            Self::Id(id) => Some(*id),
            Self::Text(text) => text.parse().ok(),
        }
    }

    /// The name that this is, if it can be one.
    pub(crate) fn name(&self) -> Option<&str> {
        match self {
            Self::Id(_) => None,
            Self::Text(text) => Some(text),
        }
    }

    /// Whether this names the thing with this id and name.
    pub(crate) fn is(&self, id: u64, name: &str) -> bool {
        self.id() == Some(id) || self.name() == Some(name)
    }
}

impl std::fmt::Display for Reference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::Text(text) => text.fmt(f),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The body of a request.
    pub(crate) fn body(text: &str) -> Body {
        Body(serde_json::from_str(text).unwrap())
    }

    #[test]
    fn a_wrong_type_names_its_field() {
        let error = body(r#"{"name": 5}"#).name().unwrap_err();
        assert_eq!(error.code, "invalid_input");
        assert!(format!("{error:?}").contains("field 'name'"), "{error:?}");
    }

    #[test]
    fn null_counts_as_absent() {
        assert_eq!(body(r#"{"labels": null}"#).labels().unwrap(), None);
        assert!(body(r#"{"name": null}"#).name().is_err());
    }

    #[test]
    fn references_come_as_numbers_and_as_strings() {
        let read = |text: &str| serde_json::from_str::<Reference>(text).unwrap();
        assert!(
            read("114").is(114, "cx23")
                && read("\"114\"").is(114, "cx23")
                && read("\"cx23\"").is(114, "cx23")
        );
        assert!(!read("115").is(114, "cx23") && !read("\"cx33\"").is(114, "cx23"));
    }
}
