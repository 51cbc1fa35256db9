//! `clawberth image prune`

use anyhow::Context as _;
use serde_json::json;

use super::super::change::{Change, Changed, change};
use super::super::context::Context;
use super::super::fleet::{Fleet, cloud};
use super::super::{Failure, Status, walk};
use crate::config::{Flags, Settings};
use crate::hcloud::Client;
use crate::plan::{self, FleetStep, Plan};
use crate::ui::counted;
use crate::{observe, render};

/// Remove the images that are of no use any more: superseded, too old, or made by another version of the set-up
#[derive(Debug, clap::Args)]
pub(super) struct Prune {
    /// Remove those that fit, too
    #[arg(long)]
    all: bool,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

/// A prune with what it is to go by.
struct Pruning<'a> {
    prune: &'a Prune,
    client: &'a Client,
}

impl Prune {
    pub(super) async fn run(self, flags: &Flags, context: &mut Context) -> Result<Status, Failure> {
        let settings = Settings::load(flags, &context.env, &context.cwd)?;
        let client = cloud(&settings, context)?;
        let pruning = Pruning { prune: &self, client: &client };
        let (status, gone) = match change(&pruning, &client, &settings, context).await? {
            Changed::Nothing(_) => {
                context.ui.note("nothing to prune");
                (Status::Success, Vec::new())
            }
            Changed::Declined => return Ok(Status::Failed),
            Changed::Walked(plan, report) => (walk::conclude(report, context), ids(&plan).to_vec()),
        };
        if status == Status::Success && context.ui.style().json {
            context.ui.json(&json!({ "removed": gone }))?;
        } else if status == Status::Success {
            for id in gone {
                context.ui.answer(&format!("snapshot {id} removed"))?;
            }
        }
        Ok(status)
    }
}

impl Change for Pruning<'_> {
    async fn plan(&self, fleet: &Fleet, _again: bool, context: &mut Context) -> Result<Plan, Failure> {
        let images =
            observe::images(self.client, &fleet.id).await.context("cannot see the fleet's images")?;
        Ok(plan::prune(images, self.prune.all, &render::set_up()?, context.clock.timestamp()))
    }

    async fn agreed(&self, plan: &Plan, context: &mut Context) -> Result<bool, Failure> {
        let what = format!("remove {}", counted(ids(plan).len(), "image"));
        if self.prune.yes { Ok(true) } else { context.agreed(&format!("{what}?"), &what, "say --yes") }
    }
}

/// The snapshots that go.
fn ids(plan: &Plan) -> &[u64] {
    match plan.before.as_slice() {
        [FleetStep::DeleteSnapshots(ids)] => ids,
        [..] => &[],
    }
}
