//! What can go wrong between us and the API; the retry table and the steps match on it.

use std::fmt;

use serde::Deserialize;

/// A request that did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The API answered with an error.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// No answer arrived. Whether the request took effect is not known.
    #[error("no answer from {endpoint} ({request})")]
    Unanswered {
        /// The API's base URL.
        endpoint: String,
        /// Method and path.
        request: String,
        /// What reqwest says.
        source: reqwest::Error,
    },
    /// An answer arrived that is not what the API promises.
    #[error("unexpected answer to {request}: {text}")]
    Garbled {
        /// Method and path.
        request: String,
        /// The beginning of the body, or what is wrong with it.
        text: String,
    },
    /// The base URL or the token cannot be used in a request.
    #[error("cannot form the request {request}")]
    Request {
        /// Method and path.
        request: String,
        /// What reqwest says.
        source: reqwest::Error,
    },
}

/// The API's own error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    /// HTTP status.
    pub status: u16,
    /// The code, such as `resource_unavailable`.
    pub code: String,
    /// The message.
    pub message: String,
    /// Which fields are wrong, for `invalid_input`.
    pub fields: Vec<String>,
    /// `X-Correlation-Id`, which Hetzner's support asks for.
    pub correlation_id: Option<String>,
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}", self.message, self.code)?;
        if !self.fields.is_empty() {
            write!(f, ": {}", self.fields.join("; "))?;
        }
        if let Some(id) = &self.correlation_id {
            write!(f, ", correlation id {id}")?;
        }
        f.write_str(")")
    }
}

impl std::error::Error for ApiError {}

impl Error {
    /// The API's code, where the API answered.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Api(api) => Some(&api.code),
            Self::Unanswered { .. } | Self::Garbled { .. } | Self::Request { .. } => None,
        }
    }

    /// Whether the thing asked for does not exist.
    pub fn is_not_found(&self) -> bool {
        self.code() == Some("not_found")
    }
}

impl ApiError {
    /// Reads the API's error body; a body of another kind (a proxy's page) becomes the message.
    pub(super) fn read(status: u16, correlation_id: Option<String>, body: &str) -> Self {
        let parsed = serde_json::from_str::<Envelope>(body).ok().map(|envelope| envelope.error);
        match parsed {
            Some(error) => Self {
                status,
                code: error.code,
                message: error.message,
                fields: error.details.map(Details::lines).unwrap_or_default(),
                correlation_id,
            },
            None => Self {
                status,
                code: bare_code(status).to_owned(),
                message: format!("HTTP {status}: {}", body.chars().take(200).collect::<String>().trim()),
                fields: Vec::new(),
                correlation_id,
            },
        }
    }
}

fn bare_code(status: u16) -> &'static str {
    match status {
        401 => "unauthorized",
        404 => "not_found",
        429 => "rate_limit_exceeded",
        502 => "bad_gateway",
        503 => "unavailable",
        504 => "timeout",
        _ => "unknown",
    }
}

#[derive(Deserialize)]
struct Envelope {
    error: Body,
}

#[derive(Deserialize)]
struct Body {
    code: String,
    #[serde(default)]
    message: String,
    #[serde(default, deserialize_with = "lenient")]
    details: Option<Details>,
}

#[derive(Deserialize)]
struct Details {
    #[serde(default)]
    fields: Vec<Field>,
}

#[derive(Deserialize)]
struct Field {
    name: String,
    #[serde(default)]
    messages: Vec<String>,
}

impl Details {
    fn lines(self) -> Vec<String> {
        self.fields.into_iter().map(|f| format!("{}: {}", f.name, f.messages.join(", "))).collect()
    }
}

/// `details` has another shape for every code; only that of `invalid_input` is read.
fn lenient<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Details>, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    Ok(serde_json::from_value(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_code_fields_and_correlation_id() {
        let body = r#"{"error":{"code":"invalid_input","message":"invalid input in field 'name'",
            "details":{"fields":[{"name":"name","messages":["is too long"]}]}}}"#;
        let error = ApiError::read(422, Some("abc".into()), body);
        assert_eq!(
            error.to_string(),
            "invalid input in field 'name' (invalid_input: name: is too long, correlation id abc)"
        );
    }

    #[test]
    fn details_of_another_shape_do_not_matter() {
        let body = r#"{"error":{"code":"resource_limit_exceeded","message":"full","details":{"limits":[{"name":"server_limit"}]}}}"#;
        assert_eq!(ApiError::read(403, None, body).to_string(), "full (resource_limit_exceeded)");
        let null = r#"{"error":{"code":"unauthorized","message":"token is required","details":null}}"#;
        assert_eq!(ApiError::read(401, None, null).to_string(), "token is required (unauthorized)");
    }

    #[test]
    fn a_proxys_page_becomes_the_message() {
        let error = ApiError::read(502, None, "<html>Bad Gateway</html>");
        assert_eq!(
            (error.code.as_str(), error.message.as_str()),
            ("bad_gateway", "HTTP 502: <html>Bad Gateway</html>")
        );
    }
}
