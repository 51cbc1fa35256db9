//! The steps that commands have taken, as the state's own journal has them.

use std::path::Path;

use anyhow::Result;
use sqlx::{Connection as _, Row as _};

use super::operator::Operator;

/// A step that was begun.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Step {
    /// An instance's name, or `fleet`.
    pub(crate) subject: String,
    /// In one word.
    pub(crate) step: String,
}

impl Operator<'_> {
    /// All steps so far that did not fail, in the order in which they were begun; none before there is a state.
    pub(crate) fn journal(&self) -> Result<Vec<Step>> {
        if !self.state().contains("://") && !Path::new(self.state()).exists() {
            return Ok(Vec::new());
        }
        sqlx::any::install_default_drivers();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let state = self.state();
            let url = if state.contains("://") { state.to_owned() } else { format!("sqlite://{state}") };
            let mut connection = sqlx::AnyConnection::connect(&url).await?;
            let tables =
                "SELECT CAST(table_name AS TEXT) FROM information_schema.tables WHERE table_name = 'intent'";
            let is_empty =
                state.contains("://") && sqlx::query(tables).fetch_optional(&mut connection).await?.is_none();
            let rows = sqlx::query(
                "SELECT subject, step FROM intent WHERE outcome IS NULL OR outcome NOT LIKE 'failed:%' ORDER BY seq",
            );
            let rows = if is_empty { Vec::new() } else { rows.fetch_all(&mut connection).await? };
            let steps = rows.iter().map(|row| Ok(Step { subject: row.try_get(0)?, step: row.try_get(1)? }));
            let steps = steps.collect::<Result<_>>()?;
            connection.close().await?;
            Ok(steps)
        })
    }
}
