//! What is to become of an action.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Kept with the action, so that a killed lab goes on as it was to.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct ActionFault {
    /// How much longer it takes.
    pub(crate) delay: Duration,
    /// Code and message with which it fails.
    pub(crate) error: Option<(String, String)>,
}
