//! `clawberth reconcile`

mod import;
mod show;

use std::cell::Cell;
use std::collections::BTreeSet;

use anyhow::Context as _;

use super::change::{Change, Changed, change};
use super::context::Context;
use super::fleet::{Fleet, cloud, look, offer};
use super::{Failure, Status, deploy, walk};
use crate::config::{Flags, Settings};
use crate::hcloud::Client;
use crate::host;
use crate::model::authority::Authority;
use crate::model::drift::Finding;
use crate::model::instance::{Instance, Stage};
use crate::model::name::InstanceName;
use crate::model::observed::Observed;
use crate::model::refusal::Refusal;
use crate::observe;
use crate::plan::{Case, Plan, Reconciliation, reconcile};
use crate::registry::Catalogue;
use crate::ui::counted;

/// Compare state, cloud and hosts, and list what differs; with --apply mend or remove it
///
/// What an earlier command left half-done is finished, what bears the fleet's label and belongs to nothing is
/// removed. Exits with 0 where nothing differs (any more), and with 1 where something does.
#[derive(Debug, clap::Args)]
pub(super) struct Reconcile {
    /// Mend what differs
    #[arg(long)]
    apply: bool,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
    /// Write a lost state anew from the labels in the project and from the hosts; of this fleet, if there are several
    #[arg(long, value_name = "FLEET", num_args = 0..=1, conflicts_with = "apply")]
    import: Option<Option<String>>,
}

impl Reconcile {
    pub(super) async fn run(self, flags: &Flags, context: &mut Context) -> Result<Status, Failure> {
        let settings = Settings::load(flags, &context.env, &context.cwd)?;
        let client = cloud(&settings, context)?;
        if let Some(fleet) = &self.import {
            return import::run(fleet.as_deref(), self.yes, &client, &settings, context).await;
        }
        let first = Fleet::find(&settings, context).await?;
        if !first.is_written() {
            context.ui.note("no drift: there is no state; a lost one is written anew by --import");
            return show::answer(&Reconciliation::default(), None, context).map(|()| Status::Success);
        }
        first.own()?;
        let command = Mending { yes: self.yes, settings: &settings, client: &client, stays: Cell::new(0) };
        if self.apply {
            return command.mend(context).await;
        }
        let result = command.compare(&first, false, context).await?;
        if result.findings.is_empty() {
            context.ui.note("no drift");
            return Ok(Status::Success);
        }
        context.ui.note("nothing was done; `clawberth reconcile --apply` repairs it");
        Ok(Status::Failed)
    }
}

/// A reconcile with what it is to go by.
struct Mending<'a> {
    yes: bool,
    settings: &'a Settings,
    client: &'a Client,
    /// How much of the drift is only reported.
    stays: Cell<usize>,
}

impl Change for Mending<'_> {
    async fn plan(&self, fleet: &Fleet, again: bool, context: &mut Context) -> Result<Plan, Failure> {
        let result = self.compare(fleet, again, context).await?;
        self.stays.set(result.findings.iter().filter(|finding| finding.stays()).count());
        Ok(result.plan)
    }

    async fn agreed(&self, plan: &Plan, context: &mut Context) -> Result<bool, Failure> {
        if self.yes { Ok(true) } else { agreed(plan, context) }
    }
}

impl Mending<'_> {
    /// Compares, and answers with what differs. The cloud is looked at before the state is read once more: what is begun meanwhile
    /// is in the state first, and no orphan. `again`: it was answered before.
    async fn compare(
        &self,
        first: &Fleet,
        again: bool,
        context: &mut Context,
    ) -> Result<Reconciliation, Failure> {
        let Self { settings, client, .. } = self;
        let domains = first.instances.iter().filter_map(|instance| instance.spec.domain.clone());
        let zones: BTreeSet<String> = domains.chain(settings.domain.clone()).collect();
        let mut seen = look(client, first, &zones).await?;
        let fleet = Fleet::find(settings, context).await?;
        let busy = fleet.busy().await?;
        let makes_an_image = fleet.makes_an_image().await?;
        seen.interrupted = fleet.interrupted(context).await?;
        observe::hidden(client, &fleet.id, &fleet.instances, &mut seen)
            .await
            .context("cannot see what is in the project")?;
        let blank = deploy::spec(settings, Catalogue::built_in()?.newest().clone());
        let case = Case {
            fleet: &fleet.id,
            instances: fleet.instances.clone(),
            busy: &busy,
            makes_an_image,
            admin: settings.admin_networks()?,
            keys: &fleet.keys,
            named_locations: &settings.named_locations,
            authority: Authority::of(&settings.acme_directory),
            blank: &blank,
            now: &context.clock.now(),
            protect_before: settings.protect_before(context.clock.timestamp()),
        };
        if case.creates(&seen) {
            let locations = fleet.instances.iter().flat_map(|instance| &instance.spec.locations);
            seen.offer = Some(offer(client, &fleet, locations, context).await?);
        }
        if case.costs(&seen) {
            let prices = observe::prices(client).await;
            seen.prices = Some(prices.context("cannot see what Hetzner's prices are")?);
        }
        let hosts = hosts(&fleet, &busy, &seen)?;
        seen.hosts = host::look::all(hosts, settings.acme_root.as_deref()).await;
        let well = seen.hosts.iter().filter(|(_, host)| !host.can_be_mended());
        seen.healthy = well.map(|(name, _)| name.clone()).collect();
        let result = reconcile(case, &seen);
        if !again {
            for name in &result.left_alone {
                context.ui.note(&format!("{name} is left alone: another process works on it"));
            }
            show::answer(&result, seen.prices.as_ref(), context)?;
        }
        Ok(result)
    }

    /// Walks the plan; what is only reported stays.
    async fn mend(&self, context: &mut Context) -> Result<Status, Failure> {
        let status = match change(self, self.client, self.settings, context).await? {
            Changed::Declined => return Ok(Status::Failed),
            Changed::Walked(_, report) => walk::conclude(report, context),
            Changed::Nothing(_) if self.stays.get() == 0 => {
                context.ui.note("no drift");
                return Ok(Status::Success);
            }
            Changed::Nothing(_) => Status::Success,
        };
        match (status, self.stays.get()) {
            (Status::Success, 0) => context.ui.note("no drift is left"),
            (Status::Success, stays) => {
                context.ui.note(&format!("{stays} of it stays: see REPAIR"));
                return Ok(Status::Failed);
            }
            _ => {}
        }
        Ok(status)
    }
}

/// The instances that should serve and whose servers are on, with the way to them.
fn hosts(
    fleet: &Fleet,
    busy: &BTreeSet<InstanceName>,
    seen: &Observed,
) -> Result<Vec<(Instance, crate::ssh::Target)>, Refusal> {
    let on: BTreeSet<u64> = seen
        .servers
        .values()
        .flatten()
        .chain(&seen.strays)
        .chain(seen.by_id.values())
        .filter(|server| !server.off)
        .map(|server| server.id)
        .collect();
    let is_on = |instance: &&Instance| instance.stage.server().is_some_and(|server| on.contains(&server.id));
    let serving = fleet
        .instances
        .iter()
        .filter(|instance| matches!(instance.stage, Stage::Serving(_)) && !busy.contains(&instance.name))
        .filter(is_on);
    serving.map(|instance| Ok((instance.clone(), fleet.target(instance)?))).collect()
}

fn agreed(plan: &Plan, context: &mut Context) -> Result<bool, Failure> {
    let what: Vec<String> = [("create", plan.creates()), ("delete", plan.deletes())]
        .into_iter()
        .filter(|(_, number)| *number > 0)
        .map(|(verb, number)| format!("{verb} {}", counted(number, "server")))
        .collect();
    if what.is_empty() {
        return Ok(true);
    }
    let what = what.join(" and ");
    let hint = "say --yes, or leave --apply out to see the drift only";
    context.agreed(&format!("{what}?"), &what, hint)
}
