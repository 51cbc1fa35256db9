//! Why a text is not what it should be.

/// A text that is not what it should be: a version, a range, a setting of a rollout.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid {what} {text:?}: {why}")]
pub struct Invalid {
    what: &'static str,
    text: String,
    why: String,
}

impl Invalid {
    /// What it was to be, as it was typed, and what is wrong with it.
    pub fn new(what: &'static str, text: &str, why: impl Into<String>) -> Self {
        let (text, why) = (text.to_owned(), why.into());
        Self { what, text, why }
    }
}
