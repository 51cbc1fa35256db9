//! An answer that comes instead of the one that is due.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;

use super::fields::{Fields, WrongFault, wrong};
use super::gate::Bare;

/// Whether the request is done all the same.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum When {
    /// Nothing is done.
    #[default]
    Before,
    /// It is done, whatever is said.
    After,
}

/// What is said.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    status: StatusCode,
    pub(super) when: When,
    code: String,
    message: String,
    /// A gateway's own page, no JSON and no correlation id.
    bare: bool,
}

/// The documented code and a message for each status that can be asked for.
const CODES: [(u16, &str, &str); 9] = [
    (403, "forbidden", "insufficient permissions for this request"),
    (409, "conflict", "conflicting changes, please try again"),
    (412, "resource_unavailable", "the requested resource is currently unavailable"),
    (423, "locked", "the resource is locked"),
    (429, "rate_limit_exceeded", "rate limit exceeded"),
    (500, "server_error", "internal server error"),
    (502, "bad_gateway", "bad gateway"),
    (503, "unavailable", "the service is unavailable"),
    (504, "timeout", "the request could not be answered in time"),
];

impl Answer {
    pub(super) fn read(fields: &mut Fields) -> Result<Self, WrongFault> {
        let wanted: u16 = fields.need("status")?;
        let entry = CODES.iter().find(|(status, ..)| *status == wanted);
        let (Some((_, code, message)), Ok(status)) = (entry, StatusCode::from_u16(wanted)) else {
            let all: Vec<String> = CODES.iter().map(|(status, ..)| status.to_string()).collect();
            return Err(wrong("status", &format!("it is one of {}", all.join(", "))));
        };
        Ok(Self {
            status,
            when: fields.take("when")?.unwrap_or_default(),
            code: fields.take("code")?.unwrap_or_else(|| (*code).to_owned()),
            message: fields.take("message")?.unwrap_or_else(|| (*message).to_owned()),
            bare: fields.take("bare")?.unwrap_or_default(),
        })
    }

    /// As it is sent.
    pub(super) fn response(&self) -> Response {
        if !self.bare {
            let error = json!({"code": self.code, "message": self.message, "details": null});
            return (self.status, Json(json!({"error": error}))).into_response();
        }
        let title = self.status;
        let page = format!(
            "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n\
             <hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
        );
        let mut response = (self.status, Html(page)).into_response();
        response.extensions_mut().insert(Bare);
        response
    }
}
