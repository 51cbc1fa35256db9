//! `clawberth pool fill`

use std::cell::{OnceCell, RefCell};

use serde_json::json;

use super::super::change::{Change, Changed, change};
use super::super::context::Context;
use super::super::deploy::{self, Asked};
use super::super::fleet::{Fleet, cloud};
use super::super::{Failure, Status, walk};
use crate::apply::Report;
use crate::config::{Flags, Settings};
use crate::model::fleet::OpId;
use crate::model::instance::{InstanceSpec, Stage};
use crate::model::name::InstanceName;
use crate::plan::{Plan, to_fill};
use crate::ui::counted;

/// Make standbys until there are SIZE of them, or finish those that were begun
#[derive(Debug, clap::Args)]
pub(super) struct Fill {
    /// How many standbys there are to be
    #[arg(long, value_name = "SIZE", value_parser = clap::value_parser!(u16).range(1..=1000))]
    size: u16,
    /// Where the servers may stand; several by repetition, tried in order
    #[arg(long, value_name = "LOCATION")]
    location: Vec<String>,
    /// The server type
    #[arg(long = "type", value_name = "TYPE")]
    server_type: Option<String>,
    /// The OpenClaw release: an exact version, or "latest" of the npm registry
    #[arg(long, value_name = "VERSION")]
    version: Option<String>,
    /// Show what would be done, and what it costs, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

/// A pool of that size with what it is to go by.
struct Wished<'a> {
    fill: &'a Fill,
    asked: Asked<'a>,
    /// Asked for once.
    spec: RefCell<Option<InstanceSpec>>,
    /// The names of those that are missing, made up once.
    names: RefCell<Vec<InstanceName>>,
}

impl Fill {
    pub(super) async fn run(self, flags: Flags, context: &mut Context) -> Result<Status, Failure> {
        let flags = Flags {
            locations: self.location.clone(),
            server_type: self.server_type.clone(),
            version: self.version.clone(),
            ..flags
        };
        let settings = Settings::load(&flags, &context.env, &context.cwd)?;
        settings.admin_networks()?;
        if let Some(domain) = &settings.domain {
            context.ui.note(&format!(
                "standbys have no name in {domain} before they are somebody's: only a `deploy` without a domain takes one"
            ));
        }
        let settings = Settings { domain: None, ..settings };
        let client = cloud(&settings, context)?;
        let asked = Asked {
            server_type: self.server_type.as_deref(),
            version: self.version.as_deref(),
            location: &self.location,
            domain: false,
            settings: &settings,
            client: &client,
            id: OnceCell::new(),
        };
        let wish = Wished { fill: &self, asked, spec: RefCell::default(), names: RefCell::default() };
        if self.dry_run {
            let fleet = Fleet::find(&settings, context).await?;
            fleet.own()?;
            let plan = wish.plan(&fleet, false, context).await?;
            context.ui.answer_plan(&plan)?;
            return Ok(Status::Success);
        }
        match change(&wish, &client, &settings, context).await? {
            Changed::Nothing(_) => {
                context.ui.note("nothing to do: `clawberth pool status` shows the standbys");
                answer(&[], context)?;
                Ok(Status::Success)
            }
            Changed::Declined => Ok(Status::Failed),
            Changed::Walked(_, report) => {
                answer(&made(&report), context)?;
                Ok(walk::conclude(report, context))
            }
        }
    }
}

impl Wished<'_> {
    /// Names that no instance has; the same in every plan, as far as they are not taken by then.
    fn new_names(&self, missing: usize, fleet: &Fleet, context: &Context) -> Vec<InstanceName> {
        let mut names = self.names.borrow_mut();
        names.retain(|name| fleet.instance(name).is_err());
        while names.len() < missing {
            names.push(InstanceName::of_standby(&OpId::from_bytes(context.entropy.id())));
        }
        names.iter().take(missing).cloned().collect()
    }
}

impl Change for Wished<'_> {
    async fn plan(&self, fleet: &Fleet, _again: bool, context: &mut Context) -> Result<Plan, Failure> {
        let known = self.spec.borrow().clone();
        let spec = match known {
            Some(spec) => spec,
            None => {
                let release = deploy::choose(self.asked.settings, context).await?;
                let spec = deploy::spec(self.asked.settings, release);
                self.spec.replace(Some(spec.clone()));
                spec
            }
        };
        let (mut names, missing) = to_fill(usize::from(self.fill.size), &fleet.instances, &spec);
        names.extend(self.new_names(missing, fleet, context));
        Ok(Plan { fills: true, ..self.asked.plan(&names, fleet, context).await? })
    }

    async fn agreed(&self, plan: &Plan, context: &mut Context) -> Result<bool, Failure> {
        if self.fill.yes || plan.creates() == 0 {
            return Ok(true);
        }
        let what = format!("make {}", counted(plan.creates(), "standby"));
        context.agreed(&format!("{what}?"), "make standbys", "say --yes, or --dry-run to see the plan only")
    }
}

/// Those that serve now.
fn made(report: &Report) -> Vec<InstanceName> {
    let serving = report.instances.iter().filter(|finish| matches!(finish.instance.stage, Stage::Serving(_)));
    serving.map(|finish| finish.instance.name.clone()).collect()
}

fn answer(made: &[InstanceName], context: &mut Context) -> Result<(), Failure> {
    if context.ui.style().json {
        context.ui.json(&json!({ "standbys": made }))?;
    } else {
        for name in made {
            context.ui.answer(&format!("{name} stands by"))?;
        }
    }
    Ok(())
}
