//! `clawberth keys add`

use std::path::PathBuf;

use anyhow::Context as _;
use serde_json::json;

use super::super::change::Change;
use super::super::context::Context;
use super::super::fleet::{Fleet, cloud};
use super::super::{Failure, Status};
use super::{Came, agreed, carry_out};
use crate::config::Settings;
use crate::model::operator_key::{KeyStatus, OperatorKey};
use crate::model::refusal::Refusal;
use crate::plan::{self, Plan};
use crate::ssh::PublicLine;

/// Let another key log in to all servers as root, also to those that are still to come
///
/// Its private half stays where it is: with a colleague, in an agent, on a security key.
#[derive(Debug, clap::Args)]
pub(super) struct Add {
    /// The file with the public key: `ssh-ed25519 AAAA… comment`
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

/// The key that is to come.
struct Wish {
    line: PublicLine,
    yes: bool,
}

impl Add {
    pub(super) async fn run(self, settings: &Settings, context: &mut Context) -> Result<Status, Failure> {
        let path = context.cwd.join(&self.file);
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("cannot read the key {}", self.file.display()))?;
        let line = PublicLine::parse(&text).map_err(|why| {
            let hint = "name the file that ends in .pub; `ssh-keygen -t ed25519` makes a pair";
            Refusal::new(format!("{} cannot log in", self.file.display()), hint).because(format!("{why:#}"))
        })?;
        let client = cloud(settings, context)?;
        let wish = Wish { line, yes: self.yes };
        let came = carry_out(&wish, &client, settings, context).await?;
        let print = &wish.line.fingerprint;
        match came {
            Came::Through(true) if context.ui.style().json => context.ui.json(&json!({ "added": print }))?,
            Came::Through(true) => context.ui.answer(&format!("{print} logs in to all servers"))?,
            Came::Through(false) => context.ui.note(&format!("nothing to do: {print} logs in already")),
            Came::Short(status) => return Ok(status),
        }
        Ok(Status::Success)
    }
}

impl Change for Wish {
    async fn plan(&self, fleet: &Fleet, _again: bool, _context: &mut Context) -> Result<Plan, Failure> {
        let PublicLine { public, comment, fingerprint } = &self.line;
        let known = fleet.keys.others.iter().find(|key| key.public == *public);
        if *public == fleet.keys.fleet || known.is_some_and(|key| key.is_fleets) {
            let hint = "`clawberth keys list` shows all";
            return Err(Refusal::new(format!("{fingerprint} is the fleet's own key"), hint).into());
        }
        let noted = match known.map(|key| key.status) {
            Some(KeyStatus::Joining | KeyStatus::InForce) => None,
            Some(KeyStatus::Leaving) | None => Some(OperatorKey {
                public: public.clone(),
                comment: comment.clone(),
                status: KeyStatus::Joining,
                is_fleets: false,
            }),
        };
        Ok(plan::bring(fleet.instances.clone(), fleet.keys.clone(), noted)?)
    }

    async fn agreed(&self, plan: &Plan, context: &mut Context) -> Result<bool, Failure> {
        let of = super::counted_servers(plan);
        agreed(self.yes, &format!("let {} log in as root to {of}", self.line.fingerprint), context)
    }
}
