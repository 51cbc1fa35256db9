//! Ids in paths.

use serde::Deserialize;

/// An id in a path. What is no number becomes 0, which is nobody's id: such a path is a 404 like any unknown one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub(crate) struct Id(pub(crate) u64);

impl From<String> for Id {
    fn from(text: String) -> Self {
        Self(text.parse().unwrap_or(0))
    }
}
