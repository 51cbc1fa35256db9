//! `clawberth state copy`

use super::super::context::Context;
use super::super::own_key::{keep_key, keep_next_beside, key_path, read_key, read_next};
use super::super::{Failure, Status};
use crate::config::{Settings, place};
use crate::model::fleet::FleetId;
use crate::model::place::Place;
use crate::model::refusal::Refusal;
use crate::store::{Document, FLEET, Store};
use crate::ui::counted;

/// Move the fleet's state to another place: from a file to a PostgreSQL database, or back
///
/// What arrived is compared with what was there; then the old place is marked, so that nobody goes on using it by mistake.
#[derive(Debug, clap::Args)]
pub(super) struct Copy {
    /// Where to: a file, or postgres://USER@HOST/DATABASE
    #[arg(long, value_name = "FILE|URL")]
    to: String,
}

impl Copy {
    pub(super) async fn run(self, settings: &Settings, context: &mut Context) -> Result<Status, Failure> {
        let target = Settings { state: place(&self.to)?, ..settings.clone() };
        if target.state == settings.state {
            return Err(Refusal::new("the state lies there already", "name another place with --to").into());
        }
        let none = || {
            let hint = "name it with --state";
            Refusal::new(format!("there is no state in {}", settings.state), hint)
        };
        let fleet = Store::open_existing(&settings.state).await?.ok_or_else(none)?.fleet().clone();
        let source = Store::open(&settings.state, &fleet, context.session()).await?;
        let copied = copy(&source, settings, &target, context).await;
        let _ = source.close().await;
        let document = copied?;
        context.ui.note(&format!(
            "{} and {} of history in {} now; use it from now on: --state, or CLAWBERTH_STATE",
            counted(document.instances.len(), "instance"),
            counted(document.history.len(), "step"),
            target.state
        ));
        Ok(Status::Success)
    }
}

/// Holds everything still, copies, compares, and marks the source. Killed anywhere, the next run does the rest.
async fn copy(
    source: &Store,
    settings: &Settings,
    target: &Settings,
    context: &mut Context,
) -> Result<Document, Failure> {
    let now = context.clock.now();
    let mut leases = Vec::new();
    for instance in source.instances().await? {
        let told = |held: &crate::store::Held| context.ui.note(&super::super::change::waiting(held));
        leases.push(source.lease(instance.name.as_str(), &now, told).await?);
    }
    let common = source.lease(FLEET, &now, |_| {}).await?;
    let document = source.document().await?;
    let fleet = FleetId::stored(document.fleet.id.clone());
    let to = Store::open_to_replace(&target.state, &fleet, context.session()).await?;
    if !to.may_be_replaced_by(&document).await? {
        let _ = to.close().await;
        let hint = "name an empty place with --to, or remove what is there";
        return Err(Refusal::new(format!("there is another state in {}", target.state), hint).into());
    }
    copy_key(settings, target, &fleet)?;
    to.replace(&document, &now).await?;
    let arrived = to.document().await?;
    to.close().await?;
    if !arrived.says_what(&document) {
        return Err(anyhow::anyhow!("what is in {} is not what was written", target.state).into());
    }
    common.move_to(&absolute(&target.state)).await?;
    Ok(document)
}

fn copy_key(settings: &Settings, target: &Settings, fleet: &FleetId) -> Result<(), Failure> {
    let (from, to) = (key_path(settings, fleet)?, key_path(target, fleet)?);
    if let Some(next) = read_next(settings, fleet)? {
        keep_next_beside(target, fleet, next)?;
    }
    let Some(key) = read_key(&from)? else { return Ok(()) };
    let public = key.public_text()?;
    if keep_key(&to, key)?.public_text()? == public {
        return Ok(());
    }
    let hint = format!("move {} out of the way", to.display());
    Err(Refusal::new("another SSH key lies beside the new place", hint).into())
}

/// The place as it is found from every folder.
fn absolute(place: &Place) -> String {
    match place {
        Place::File(path) => std::path::absolute(path).unwrap_or_else(|_| path.clone()).display().to_string(),
        Place::Postgres(database) => database.to_string(),
    }
}
