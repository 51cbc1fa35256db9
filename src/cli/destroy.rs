//! `clawberth destroy`

use std::collections::BTreeSet;

use anyhow::Context as _;
use serde_json::json;

use super::change::{Change, Changed, change};
use super::context::Context;
use super::fleet::{Fleet, cloud, look};
use super::{Failure, Status, deploy, walk};
use crate::config::{Flags, Settings};
use crate::hcloud::Client;
use crate::model::instance::{Instance, Stage};
use crate::model::name::InstanceName;
use crate::model::observed::Observed;
use crate::model::refusal::Refusal;
use crate::observe;
use crate::plan::{self, Plan};
use crate::registry::Catalogue;
use crate::ui::counted;

/// Remove instances: their servers, addresses and names; with the last one the firewall and the key
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("which").args(["names", "all"]).required(true))]
pub(super) struct Destroy {
    /// Names of the instances
    #[arg(value_name = "NAME")]
    names: Vec<InstanceName>,
    /// Remove every instance, and whatever else bears the fleet's label
    #[arg(long)]
    all: bool,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

/// Which instances are removed.
pub(super) enum Which {
    /// These.
    Named(Vec<InstanceName>),
    /// Those of the pool.
    Standbys,
    /// Every one, and whatever else bears the fleet's label.
    All,
}

impl Destroy {
    pub(super) async fn run(self, flags: &Flags, context: &mut Context) -> Result<Status, Failure> {
        let which = if self.all { Which::All } else { Which::Named(self.names) };
        which.destroy(self.yes, flags, context).await
    }
}

impl Which {
    pub(super) async fn destroy(
        self,
        yes: bool,
        flags: &Flags,
        context: &mut Context,
    ) -> Result<Status, Failure> {
        let settings = Settings::load(flags, &context.env, &context.cwd)?;
        let client = cloud(&settings, context)?;
        let command = Condemned { which: &self, yes, settings: &settings, client: &client };
        let status = match change(&command, &client, &settings, context).await? {
            Changed::Nothing(_) => {
                context.ui.note("nothing to destroy");
                answer(&[], context)?;
                Status::Success
            }
            Changed::Declined => return Ok(Status::Failed),
            Changed::Walked(_, report) => {
                let gone = report.instances.iter().filter(|finish| finish.instance.stage == Stage::Gone);
                let gone: Vec<InstanceName> = gone.map(|finish| finish.instance.name.clone()).collect();
                answer(&gone, context)?;
                walk::conclude(report, context)
            }
        };
        if matches!(self, Self::All) && status == Status::Success {
            tell_of_images(&client, &settings, context).await?;
        }
        Ok(status)
    }

    /// What the state knows, and what bears the label without being known.
    fn instances(
        &self,
        fleet: &Fleet,
        seen: &Observed,
        settings: &Settings,
        gone: &BTreeSet<InstanceName>,
        context: &Context,
    ) -> Result<Vec<Instance>, Failure> {
        let release = Catalogue::built_in()?.newest().clone();
        let orphan = |name: &InstanceName| Instance {
            name: name.clone(),
            spec: deploy::spec(settings, release.clone()),
            // never as one that is wanted: killed before the next step, a `reconcile` would make it serve
            stage: Stage::Destroying(None),
            created: context.clock.now(),
        };
        let find = |name: &InstanceName| match fleet.instance(name) {
            Ok(known) => Some(Ok(known.clone())),
            Err(_) if seen.servers.contains_key(name) => Some(Ok(orphan(name))),
            Err(_) if gone.contains(name) => None,
            Err(unknown) => Some(Err(unknown)),
        };
        let all = || {
            let known = fleet.instances.iter().map(|instance| &instance.name);
            known.chain(seen.servers.keys()).cloned()
        };
        let wanted: BTreeSet<InstanceName> = match self {
            Self::Named(names) => names.iter().cloned().collect(),
            Self::Standbys => all().filter(InstanceName::is_standby).collect(),
            Self::All => all().collect(),
        };
        Ok(wanted.iter().filter_map(find).collect::<Result<Vec<_>, Refusal>>()?)
    }
}

/// A destroy with what it is to go by.
struct Condemned<'a> {
    which: &'a Which,
    yes: bool,
    settings: &'a Settings,
    client: &'a Client,
}

impl Change for Condemned<'_> {
    async fn plan(&self, fleet: &Fleet, _again: bool, context: &mut Context) -> Result<Plan, Failure> {
        let Self { which, settings, client, .. } = self;
        let domains = fleet.instances.iter().filter_map(|instance| instance.spec.domain.clone());
        let zones: BTreeSet<String> = domains.chain(settings.domain.clone()).collect();
        let mut seen = look(client, fleet, &zones).await?;
        seen.interrupted = fleet.interrupted(context).await?;
        // by an earlier destroy that was killed before its end, or by somebody else meanwhile
        let gone = match which {
            Which::Named(names) => fleet.gone(names).await?,
            Which::Standbys | Which::All => BTreeSet::new(),
        };
        let instances = which.instances(fleet, &seen, settings, &gone, context)?;
        let unlisted = observe::unlisted(client, &instances, &mut seen).await;
        unlisted.context("cannot see what is in the project")?;
        let stays = |known: &&Instance| instances.iter().all(|going| going.name != known.name);
        let others: Vec<Instance> = fleet.instances.iter().filter(stays).cloned().collect();
        Ok(plan::destroy(instances, &others, matches!(which, Which::All), &seen))
    }

    async fn agreed(&self, plan: &Plan, context: &mut Context) -> Result<bool, Failure> {
        let names: Vec<InstanceName> = plan.instances.iter().map(|part| part.instance.name.clone()).collect();
        if self.yes { Ok(true) } else { agreed(&names, context) }
    }
}

/// Images are nobody's, and so go with nobody. That they are paid for is not to be forgotten.
async fn tell_of_images(client: &Client, settings: &Settings, context: &mut Context) -> Result<(), Failure> {
    let fleet = Fleet::find(settings, context).await?;
    let images = observe::images(client, &fleet.id).await.context("cannot see the fleet's images")?;
    if !images.is_empty() {
        let left = counted(images.len(), "image");
        context
            .ui
            .note(&format!("left, and paid for: {left}; `clawberth image prune --all` removes what is left"));
    }
    Ok(())
}

fn agreed(names: &[InstanceName], context: &mut Context) -> Result<bool, Failure> {
    let list = names.iter().map(InstanceName::as_str).collect::<Vec<_>>().join(", ");
    let what = if list.is_empty() { "what is left of the fleet".to_owned() } else { list };
    let question = format!("destroy {what}, with everything on it, for good?");
    context.agreed(&question, &format!("destroy {what}"), "say --yes")
}

fn answer(gone: &[InstanceName], context: &mut Context) -> Result<(), Failure> {
    if context.ui.style().json {
        context.ui.json(&json!({ "destroyed": gone }))?;
    } else {
        for name in gone {
            context.ui.answer(&format!("{name} destroyed"))?;
        }
    }
    Ok(())
}
