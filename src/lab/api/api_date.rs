//! Hetzner's API changes at announced dates; clients of different ages need different ones.

use std::fmt;
use std::str::FromStr;

use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The month whose API is played.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ApiDate {
    /// Before the removals of July to November 2026: with `datacenter`, `/datacenters` and `deprecated`.
    #[serde(rename = "2026-06")]
    June2026,
    /// After them.
    #[default]
    #[serde(rename = "2026-11")]
    November2026,
}

impl ApiDate {
    /// Adds a field that only the older API has.
    pub(crate) fn add_old(self, view: &mut Value, field: &str, value: impl FnOnce() -> Value) {
        if let (Self::June2026, Some(view)) = (self, view.as_object_mut()) {
            view.insert(field.to_owned(), value());
        }
    }
}

impl FromStr for ApiDate {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "2026-06" => Ok(Self::June2026),
            "2026-11" => Ok(Self::November2026),
            _ => bail!("the API is known as of 2026-06 and of 2026-11"),
        }
    }
}

impl fmt::Display for ApiDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::June2026 => "2026-06",
            Self::November2026 => "2026-11",
        })
    }
}
