//! `clawberth state import`

use std::io::Read as _;
use std::path::PathBuf;

use anyhow::Context as _;

use super::super::context::Context;
use super::super::{Failure, Status};
use crate::config::Settings;
use crate::model::fleet::FleetId;
use crate::model::refusal::Refusal;
use crate::store::{Document, Store};
use crate::ui::counted;

/// Begin a state with what `state export` printed
///
/// Only where there is no instance yet.
#[derive(Debug, clap::Args)]
pub(super) struct Import {
    /// The exported file; - for standard input
    file: PathBuf,
}

impl Import {
    pub(super) async fn run(self, settings: &Settings, context: &mut Context) -> Result<Status, Failure> {
        let document = self.read()?;
        let fresh = FleetId::stored(document.fleet.id.clone());
        let store = Store::open_to_replace(&settings.state, &fresh, context.session()).await?;
        if !store.may_be_replaced_by(&document).await? {
            let _ = store.close().await;
            return Err(Refusal::new(
                format!("the state in {} has instances already", settings.state),
                "name another one with --state",
            )
            .into());
        }
        store.replace(&document, &context.clock.now()).await?;
        store.close().await?;
        context.ui.note(&format!(
            "{} of fleet {} in {} now; the fleet's SSH key is not in an export: put it beside the state",
            counted(document.instances.len(), "instance"),
            document.fleet.id,
            settings.state
        ));
        Ok(Status::Success)
    }

    fn read(&self) -> Result<Document, Failure> {
        let mut text = String::new();
        if self.file.as_os_str() == "-" {
            std::io::stdin().read_to_string(&mut text).context("cannot read standard input")?;
        } else {
            text = std::fs::read_to_string(&self.file)
                .with_context(|| format!("cannot read {}", self.file.display()))?;
        }
        let hint = "give a file that `clawberth state export` of this version or an older one has written";
        let what = format!("{} is no exported state", self.file.display());
        let document: Document =
            serde_json::from_str(&text).map_err(|why| Refusal::new(what.as_str(), hint).because(why))?;
        if !document.is_readable() {
            let why = format!("its format is {}, which this version does not know", document.format);
            return Err(Refusal::new(what, hint).because(why).into());
        }
        Ok(document)
    }
}
