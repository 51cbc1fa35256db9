//! What Hetzner no longer wants to sell.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// When it was said, and from when on nothing new is made of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Deprecation {
    pub(crate) announced: Timestamp,
    pub(crate) unavailable_after: Timestamp,
}

impl Deprecation {
    /// Both as seconds since 1970.
    pub(crate) fn new(announced: i64, unavailable_after: i64) -> Self {
        let time = |seconds| Timestamp::from_second(seconds).unwrap_or_default();
        Self { announced: time(announced), unavailable_after: time(unavailable_after) }
    }
}
