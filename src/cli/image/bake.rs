//! `clawberth image bake`

use std::cell::RefCell;
use std::collections::BTreeSet;

use anyhow::Context as _;
use serde_json::json;

use super::super::change::{Change, Changed, change};
use super::super::context::Context;
use super::super::fleet::{Fleet, cloud, look, offer};
use super::super::{Failure, Status, deploy, walk};
use super::words;
use crate::config::{Flags, Settings};
use crate::hcloud::Client;
use crate::model::image::{BakedImage, Use};
use crate::model::instance::InstanceSpec;
use crate::observe;
use crate::plan::{self, Baking, Plan};

/// Make an image of a release: on a server that is there for some minutes, and of which nothing else is left
///
/// Where there is one that fits, nothing is done. Cut off anywhere, the same command removes what is left, and begins anew.
#[derive(Debug, clap::Args)]
pub(super) struct Bake {
    /// The OpenClaw release: an exact version, or "latest" of the npm registry
    #[arg(long, alias = "openclaw-version", value_name = "VERSION")]
    version: Option<String>,
    /// The server type: for servers with its architecture, and with a disk that is as large or larger
    #[arg(long = "type", value_name = "TYPE")]
    server_type: Option<String>,
    /// Where its server may stand; several by repetition, tried in order
    #[arg(long, value_name = "LOCATION")]
    location: Vec<String>,
    /// Show what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

/// An image that is wished for.
struct Wished<'a> {
    bake: &'a Bake,
    settings: &'a Settings,
    client: &'a Client,
    /// Asked for once.
    spec: RefCell<Option<InstanceSpec>>,
}

impl Bake {
    pub(super) async fn run(self, flags: Flags, context: &mut Context) -> Result<Status, Failure> {
        let flags = Flags {
            locations: self.location.clone(),
            server_type: self.server_type.clone(),
            version: self.version.clone(),
            ..flags
        };
        let settings = Settings::load(&flags, &context.env, &context.cwd)?;
        settings.admin_networks()?;
        let client = cloud(&settings, context)?;
        let wish = Wished { bake: &self, settings: &settings, client: &client, spec: RefCell::default() };
        if self.dry_run {
            let fleet = Fleet::find(&settings, context).await?;
            fleet.own()?;
            let plan = wish.plan(&fleet, false, context).await?;
            context.ui.answer_plan(&plan)?;
            return Ok(Status::Success);
        }
        match change(&wish, &client, &settings, context).await? {
            Changed::Nothing(_) => {
                context.ui.note("nothing to do: `clawberth image list` shows the image that fits");
                if context.ui.style().json {
                    context.ui.json(&json!({ "changed": false, "image": null }))?;
                }
                Ok(Status::Success)
            }
            Changed::Declined => Ok(Status::Failed),
            Changed::Walked(_, report) => {
                if let Some(id) = report.image {
                    answer(id, &client, context).await?;
                }
                Ok(walk::conclude(report, context))
            }
        }
    }
}

impl Change for Wished<'_> {
    async fn plan(&self, fleet: &Fleet, _again: bool, context: &mut Context) -> Result<Plan, Failure> {
        let Self { settings, client, .. } = self;
        let mut seen = look(client, fleet, &BTreeSet::new()).await?;
        seen.offer = Some(offer(client, fleet, settings.locations.iter(), context).await?);
        let images = observe::images(client, &fleet.id).await.context("cannot see the fleet's images")?;
        let known = self.spec.borrow().clone();
        let spec = match known {
            Some(spec) => spec,
            None => {
                let release = deploy::choose(settings, context).await?;
                let spec = InstanceSpec { domain: None, ..deploy::spec(settings, release) };
                self.spec.replace(Some(spec.clone()));
                spec
            }
        };
        let wish = Baking {
            spec,
            images,
            admin: settings.admin_networks()?,
            fleet_key: &fleet.keys.fleet,
            named_locations: &settings.named_locations,
            now: context.clock.timestamp(),
        };
        Ok(plan::bake(wish, &seen)?)
    }

    async fn agreed(&self, _plan: &Plan, context: &mut Context) -> Result<bool, Failure> {
        let (what, hint) = ("make an image", "say --yes, or --dry-run to see the plan only");
        if self.bake.yes { Ok(true) } else { context.agreed(&format!("{what}?"), what, hint) }
    }
}

/// What was made, and what it costs.
async fn answer(id: u64, client: &Client, context: &mut Context) -> Result<(), Failure> {
    let (found, prices) = tokio::try_join!(client.image(id), observe::prices(client))
        .context("the image is made, but what it costs cannot be seen")?;
    let made: BakedImage =
        found.as_ref().and_then(observe::baked).context("the snapshot that was made is gone")?;
    if context.ui.style().json {
        context.ui.json(&json!({ "changed": true, "image": super::json(&made, Use::Fits, &prices) }))?;
    } else {
        context.ui.answer(&words(&made, &prices))?;
        context
            .ui
            .note("`deploy` makes servers from it; it is paid for until `clawberth image prune` removes it");
    }
    Ok(())
}
