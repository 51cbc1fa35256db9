//! `clawberth state export`

use anyhow::Context as _;

use super::super::context::Context;
use super::super::{Failure, Status};
use super::snapshot;
use crate::config::Settings;

/// Print everything that the state knows, as JSON
///
/// The format is stable: fields are added, not changed. It holds no secret.
#[derive(Debug, clap::Args)]
pub(super) struct Export {}

impl Export {
    pub(super) async fn run(self, settings: &Settings, context: &mut Context) -> Result<Status, Failure> {
        let document = snapshot(settings).await?.document().await?;
        context.ui.json(&serde_json::to_value(document).context("cannot write JSON")?)?;
        Ok(Status::Success)
    }
}
