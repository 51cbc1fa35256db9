//! What happens while a plan is walked, for whoever shows it.

use std::time::Duration;

/// One event. The subject is an instance's name, or `fleet`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Whose event it is.
    pub subject: String,
    /// What happened.
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A step began or goes on; present tense (`waiting for SSH`).
    Doing(String),
    /// A step is done; past tense (`server created (fsn1, 198.51.100.7)`), and how long it took.
    Did(String, Duration),
    /// The subject's plan is finished, after so long in all.
    Finished(String, Duration),
    /// The subject's plan ended early.
    Failed(String),
}
