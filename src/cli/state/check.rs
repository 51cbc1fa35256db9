//! `clawberth state check`

use serde_json::json;

use super::super::context::Context;
use super::super::{Failure, Status};
use super::snapshot;
use crate::config::Settings;
use crate::ui::counted;

/// Look whether the state is whole: pages, references, every entry, every stage
#[derive(Debug, clap::Args)]
pub(super) struct Check {}

impl Check {
    pub(super) async fn run(self, settings: &Settings, context: &mut Context) -> Result<Status, Failure> {
        let store = snapshot(settings).await?;
        let wrong = store.check().await?;
        if context.ui.style().json {
            context.ui.json(&json!({ "whole": wrong.is_empty(), "wrong": wrong }))?;
        } else if wrong.is_empty() {
            let document = store.document().await?;
            let instances = counted(document.instances.len(), "instance");
            let steps = counted(document.history.len(), "step");
            context.ui.answer(&format!(
                "the state of fleet {} is whole: {instances}, {steps} in its history",
                document.fleet.id
            ))?;
        } else {
            for line in &wrong {
                context.ui.answer(line)?;
            }
            context.ui.note(
                "hint: put a copy of the state back, or build it anew with `clawberth reconcile --import`",
            );
        }
        Ok(if wrong.is_empty() { Status::Success } else { Status::Failed })
    }
}
