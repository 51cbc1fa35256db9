//! `clawberth list`

use serde_json::Value;

use super::context::Context;
use super::{Failure, Status, record};
use crate::config::{Flags, Settings};
use crate::store::Store;
use crate::ui::table;

/// List the instances in the state
#[derive(Debug, clap::Args)]
pub(super) struct List {}

impl List {
    pub(super) async fn run(self, flags: &Flags, context: &mut Context) -> Result<Status, Failure> {
        let settings = Settings::load(flags, &context.env, &context.cwd)?;
        let instances = match Store::open_existing(&settings.state).await? {
            Some(store) => store.instances().await?,
            None => Vec::new(),
        };
        if context.ui.style().json {
            context.ui.json(&Value::Array(instances.iter().map(record::json).collect()))?;
        } else if instances.is_empty() {
            context.ui.note("no instances; `clawberth deploy NAME` makes one");
        } else {
            let rows: Vec<_> =
                std::iter::once(record::heading()).chain(instances.iter().map(record::row)).collect();
            context.ui.answer(&table(&rows))?;
        }
        Ok(Status::Success)
    }
}
