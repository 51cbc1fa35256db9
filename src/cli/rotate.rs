//! `clawberth rotate`

use clap::ValueEnum;
use serde_json::json;

use super::change::{Change, Changed, change};
use super::context::Context;
use super::fleet::{Fleet, cloud};
use super::{Failure, Status, deploy, walk};
use crate::apply::Report;
use crate::config::{Flags, Settings};
use crate::model::instance::Instance;
use crate::model::name::InstanceName;
use crate::model::refusal::Refusal;
use crate::plan::{self, Plan};

/// Replace a secret of instances by a new one, and prove that the old one is dead
///
/// The new one is made on the server, and stays there. For a new token the gateway is restarted, which cuts every open connection;
/// browsers have to sign in anew, with a link of `clawberth open`. A new host key is pinned before it is shown, and nobody is
/// cut off. The key that lets you in is the whole fleet's, and none of these.
#[derive(Debug, clap::Args)]
pub(super) struct Rotate {
    /// Names of the instances
    #[arg(required = true, value_name = "NAME")]
    names: Vec<InstanceName>,
    /// What is replaced
    #[arg(value_name = "SECRET")]
    secret: Secret,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

/// What can be replaced.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Secret {
    /// The gateway's shared token
    Token,
    /// The key by which SSH knows the server
    Hostkey,
    /// Both
    All,
}

impl Secret {
    fn parts(self) -> &'static [plan::Secret] {
        match self {
            Self::Token => &[plan::Secret::Token],
            Self::Hostkey => &[plan::Secret::HostKey],
            // the gateway is restarted last, so that what can fail before it does
            Self::All => &[plan::Secret::HostKey, plan::Secret::Token],
        }
    }

    /// For programs.
    fn word(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Hostkey => "hostkey",
            Self::All => "all",
        }
    }

    /// In words.
    fn words(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Hostkey => "host key",
            Self::All => "host key and token",
        }
    }

    fn restarts(self) -> bool {
        self.parts().contains(&plan::Secret::Token)
    }
}

impl Rotate {
    pub(super) async fn run(self, flags: &Flags, context: &mut Context) -> Result<Status, Failure> {
        deploy::each_once(&self.names)?;
        let settings = Settings::load(flags, &context.env, &context.cwd)?;
        let client = cloud(&settings, context)?;
        match change(&self, &client, &settings, context).await? {
            Changed::Nothing(_) | Changed::Declined => Ok(Status::Failed),
            Changed::Walked(_, report) => {
                answer(self.secret, &report, context)?;
                let first = report.instances.iter().find(|finish| finish.result.is_ok());
                let first = first.map(|finish| finish.instance.name.clone());
                let status = walk::conclude(report, context);
                if let (Status::Success, Some(name), true) = (status, first, self.secret.restarts()) {
                    context.ui.note(&format!(
                        "browsers are signed out; `clawberth open {name}` signs one in again"
                    ));
                }
                Ok(status)
            }
        }
    }
}

impl Change for Rotate {
    async fn plan(&self, fleet: &Fleet, _again: bool, _context: &mut Context) -> Result<Plan, Failure> {
        let instances = self.names.iter().map(|name| fleet.instance(name).cloned());
        let instances = instances.collect::<Result<Vec<Instance>, Refusal>>()?;
        Ok(plan::rotate(instances, self.secret.parts())?)
    }

    async fn agreed(&self, plan: &Plan, context: &mut Context) -> Result<bool, Failure> {
        if self.yes {
            return Ok(true);
        }
        let list = plan.subjects().map(InstanceName::as_str).collect::<Vec<_>>().join(", ");
        let words = self.secret.words();
        let (question, would) = match self.secret.restarts() {
            true => {
                (format!("replace the {words} of {list}, and restart the gateway?"), "restart the gateway")
            }
            false => (format!("replace the {words} of {list}?"), "replace the host key"),
        };
        context.agreed(&question, &format!("{would} of {list}"), "say --yes")
    }
}

/// Whose secrets are others now.
fn answer(secret: Secret, report: &Report, context: &mut Context) -> Result<(), Failure> {
    let done = report.instances.iter().filter(|finish| finish.result.is_ok());
    let names: Vec<&InstanceName> = done.map(|finish| &finish.instance.name).collect();
    if context.ui.style().json {
        context.ui.json(&json!({ "rotated": names, "secret": secret.word() }))?;
    } else {
        for name in names {
            context.ui.answer(&format!("{name} has a new {}", secret.words()))?;
        }
    }
    Ok(())
}
