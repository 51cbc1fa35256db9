//! What is out of stock, and what the API says about it, which need not be the same.

use serde::{Deserialize, Serialize};

use super::error::ApiError;
use axum::http::StatusCode;

/// What is not to be had; everything else is. May be changed at any time.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stock {
    pub(crate) shortages: Vec<Shortage>,
}

/// One server type, or all, in one location, or everywhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shortage {
    /// The type's name; `None`: all.
    pub(crate) server_type: Option<String>,
    /// The location's name; `None`: all.
    pub(crate) location: Option<String>,
    /// How a create is refused; `None`: it is not.
    pub(crate) refusal: Option<Refusal>,
    /// What the list of server types says.
    pub(crate) available: bool,
}

/// The two ways in which the API says that something is out of stock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Refusal {
    /// 412
    ResourceUnavailable,
    /// 422, as for a location that never had the type.
    InvalidInput,
}

impl Stock {
    /// Refuses what is out of stock.
    pub(crate) fn check(&self, server_type: &str, location: &str) -> Result<(), ApiError> {
        match self.shortages_of(server_type, location).find_map(|shortage| shortage.refusal) {
            None => Ok(()),
            Some(Refusal::InvalidInput) => Err(unsupported_location()),
            Some(Refusal::ResourceUnavailable) => Err(ApiError::new(
                StatusCode::PRECONDITION_FAILED,
                "resource_unavailable",
                format!("server type {server_type} is currently unavailable in location {location}"),
            )),
        }
    }

    /// What the API says of a type that a location has.
    pub(crate) fn seems_available(&self, server_type: &str, location: &str) -> bool {
        self.shortages_of(server_type, location).all(|shortage| shortage.available)
    }

    fn shortages_of(&self, server_type: &str, location: &str) -> impl Iterator<Item = &Shortage> {
        let is = |wanted: &Option<String>, name: &str| wanted.as_deref().is_none_or(|wanted| wanted == name);
        self.shortages.iter().filter(move |s| is(&s.server_type, server_type) && is(&s.location, location))
    }
}

/// What the API says of a location that does not have a type, or has none left.
pub(crate) fn unsupported_location() -> ApiError {
    ApiError::unprocessable("invalid_input", "unsupported location for server type")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shortage_is_told_by_either_code_and_may_be_hidden() {
        let of = |server_type: &str, refusal| Shortage {
            server_type: Some(server_type.to_owned()),
            location: Some("fsn1".to_owned()),
            refusal,
            available: server_type == "cx33",
        };
        let shortages = vec![
            of("cx23", Some(Refusal::ResourceUnavailable)),
            of("cx33", Some(Refusal::InvalidInput)),
            of("cx43", None),
        ];
        let stock = Stock { shortages };
        let code = |server_type| stock.check(server_type, "fsn1").err().map(|e| (e.status.as_u16(), e.code));
        assert_eq!(code("cx23"), Some((412, "resource_unavailable")));
        assert_eq!(code("cx33"), Some((422, "invalid_input")));
        assert_eq!((code("cx43"), code("cpx22")), (None, None));
        assert!(stock.check("cx23", "nbg1").is_ok());
        let seems = ["cx23", "cx33", "cx43", "cpx22"].map(|name| stock.seems_available(name, "fsn1"));
        assert_eq!(seems, [false, true, false, true]);
    }
}
