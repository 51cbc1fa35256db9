//! `clawberth open`

use std::time::Duration;

use anyhow::{Context as _, anyhow};
use serde_json::json;

use super::context::Context;
use super::fleet::Fleet;
use super::{Failure, Status};
use crate::config::{Flags, Settings};
use crate::host::gateway;
use crate::model::instance::Stage;
use crate::model::name::InstanceName;
use crate::model::refusal::Refusal;
use crate::ssh::Session;

/// Longest wait for the gateway's command line: about four seconds, 48 s were seen on a starved CPU.
const ANSWER: Duration = Duration::from_secs(180);

/// Make a link that signs a browser in as the owner: it works once, within 10 minutes
#[derive(Debug, clap::Args)]
pub(super) struct Open {
    /// Name of the instance
    name: InstanceName,
}

impl Open {
    pub(super) async fn run(self, flags: &Flags, context: &mut Context) -> Result<Status, Failure> {
        let settings = Settings::load(flags, &context.env, &context.cwd)?;
        let fleet = Fleet::find(&settings, context).await?;
        let instance = fleet.instance(&self.name)?;
        let name = &self.name;
        if name.is_standby() {
            let hint = "`clawberth deploy NAME` makes it NAME's, and `clawberth open NAME` opens it then";
            return Err(Refusal::new(format!("{name} is a standby, and nobody's"), hint).into());
        }
        let (Stage::Serving(_), Some(endpoint)) = (&instance.stage, instance.endpoint()) else {
            let hint = format!("run `clawberth deploy {name}` to finish it");
            return Err(Refusal::new(
                format!("{name} does not serve yet, it is {}", instance.stage.word()),
                hint,
            )
            .into());
        };
        let session = Session::connect(&fleet.target(instance)?)
            .await
            .with_context(|| format!("cannot log in to the server of {name}"))?;
        let output = session.run(&gateway::owner_link(), ANSWER).await;
        session.close().await;
        let output = output?;
        if output.status != 0 {
            return Err(anyhow!("the gateway of {name} gives no link: {}", output.stderr.trim()).into());
        }
        let link = gateway::parse_owner_link(&output.stdout, &endpoint)?;
        if context.ui.style().json {
            let expires = link.expires.to_string();
            context.ui.json(&json!({ "name": name, "url": link.url.expose(), "expires": expires }))?;
        } else {
            context.ui.answer(link.url.expose())?;
            context.ui.note("it works once, within 10 minutes, for whoever opens it first");
        }
        Ok(Status::Success)
    }
}
