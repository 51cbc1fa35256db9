//! `clawberth keys remove`

use std::cell::OnceCell;

use serde_json::json;

use super::super::change::Change;
use super::super::context::Context;
use super::super::fleet::{Fleet, cloud};
use super::super::own_key::forget_next;
use super::super::{Failure, Status};
use super::{Came, agreed, carry_out, fingerprint};
use crate::config::Settings;
use crate::model::operator_key::{KeyStatus, Keys, OperatorKey};
use crate::model::refusal::Refusal;
use crate::plan::{self, Plan};

/// Let a key log in no more: it is taken from all servers, and who came with it is cut off
#[derive(Debug, clap::Args)]
pub(super) struct Remove {
    /// Its fingerprint, or its comment
    #[arg(value_name = "KEY")]
    key: String,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

/// The key that is to go.
struct Wish {
    key: String,
    yes: bool,
    /// Its public half, once it was found; under the leases it may be gone already.
    found: OnceCell<String>,
}

impl Remove {
    pub(super) async fn run(self, settings: &Settings, context: &mut Context) -> Result<Status, Failure> {
        let client = cloud(settings, context)?;
        let wish = Wish { key: self.key, yes: self.yes, found: OnceCell::new() };
        match carry_out(&wish, &client, settings, context).await? {
            Came::Through(_) => {}
            Came::Short(status) => return Ok(status),
        }
        if let Some(public) = wish.found.get() {
            forget_next(settings, public, context).await?;
            let print = fingerprint(public);
            match context.ui.style().json {
                true => context.ui.json(&json!({ "removed": print }))?,
                false => context.ui.answer(&format!("{print} logs in to no server any more"))?,
            }
        }
        Ok(Status::Success)
    }
}

impl Change for Wish {
    async fn plan(&self, fleet: &Fleet, _again: bool, _context: &mut Context) -> Result<Plan, Failure> {
        let noted = match self.found.get() {
            Some(public) => fleet.keys.others.iter().find(|key| key.public == *public),
            None => Some(find(&self.key, &fleet.keys)?),
        };
        let noted = noted.map(|key| OperatorKey { status: KeyStatus::Leaving, ..key.clone() });
        if let Some(key) = &noted {
            let _ = self.found.set(key.public.clone());
        }
        let noted = noted.filter(|key| !fleet.keys.others.contains(key));
        Ok(plan::bring(fleet.instances.clone(), fleet.keys.clone(), noted)?)
    }

    async fn agreed(&self, plan: &Plan, context: &mut Context) -> Result<bool, Failure> {
        let of = super::counted_servers(plan);
        agreed(self.yes, &format!("take {} from {of}", self.key), context)
    }
}

/// The key that is meant.
fn find<'a>(named: &str, keys: &'a Keys) -> Result<&'a OperatorKey, Refusal> {
    if fingerprint(&keys.fleet) == named {
        let hint = "`clawberth keys rotate` puts another one in its place";
        return Err(Refusal::new(
            format!("{named} is the fleet's own key, by which every command logs in"),
            hint,
        ));
    }
    let is_meant = |key: &&OperatorKey| key.comment == named || fingerprint(&key.public) == named;
    let found: Vec<&OperatorKey> = keys.others.iter().filter(is_meant).collect();
    match found.as_slice() {
        [one] => Ok(one),
        [] => Err(Refusal::new(format!("no key {named}"), "`clawberth keys list` shows all")),
        several => {
            let prints: Vec<String> = several.iter().map(|key| fingerprint(&key.public)).collect();
            let hint = format!("name one of {}", prints.join(", "));
            Err(Refusal::new(format!("several keys have the comment {named}"), hint))
        }
    }
}
