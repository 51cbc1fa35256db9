//! A server type that is not to be had somewhere, and what the list of server types says about it.

use axum::http::StatusCode;
use serde::Deserialize;

use super::fields::{Fields, WrongFault};
use crate::lab::api::error::ApiError;
use crate::lab::api::server_type::unsupported_location;

/// What is out of stock.
#[derive(Debug, Clone)]
pub(crate) struct StockOut {
    /// Its name; `None`: every one.
    server_type: Option<String>,
    /// The location's name; `None`: everywhere.
    location: Option<String>,
    code: Code,
    /// What `locations[].available` says; true is a lie.
    available: bool,
}

/// How a create is refused: Hetzner has done both.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Code {
    /// 412
    #[default]
    ResourceUnavailable,
    /// 422
    InvalidInput,
}

impl StockOut {
    pub(super) fn read(fields: &mut Fields) -> Result<Self, WrongFault> {
        Ok(Self {
            server_type: fields.take("server_type")?,
            location: fields.take("location")?,
            code: fields.take("code")?.unwrap_or_default(),
            available: fields.take("available")?.unwrap_or_default(),
        })
    }

    /// The refusal of such a server, if it is out of stock.
    pub(super) fn refusal(&self, server_type: &str, location: &str) -> Option<ApiError> {
        self.concerns(server_type, location).then(|| match self.code {
            Code::ResourceUnavailable => ApiError::new(
                StatusCode::PRECONDITION_FAILED,
                "resource_unavailable",
                "error during placement",
            ),
            Code::InvalidInput => unsupported_location(),
        })
    }

    /// What is said of such a server; `None`: nothing else than without it.
    pub(super) fn says(&self, server_type: &str, location: &str) -> Option<bool> {
        self.concerns(server_type, location).then_some(self.available)
    }

    fn concerns(&self, server_type: &str, location: &str) -> bool {
        self.server_type.as_ref().is_none_or(|wanted| wanted == server_type)
            && self.location.as_ref().is_none_or(|wanted| wanted == location)
    }
}
