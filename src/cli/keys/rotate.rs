//! `clawberth keys rotate`

use std::cell::RefCell;
use std::collections::BTreeSet;

use serde_json::json;

use super::super::change::Change;
use super::super::context::Context;
use super::super::fleet::{Fleet, cloud, look};
use super::super::own_key::{finish_keys, keep_next, named, read_next};
use super::super::{Failure, Status};
use super::{Came, agreed, carry_out, fingerprint};
use crate::config::Settings;
use crate::hcloud::Client;
use crate::model::operator_key::{KeyStatus, OperatorKey};
use crate::model::refusal::Refusal;
use crate::plan::{self, Plan};
use crate::ssh::{KeyPair, LoginKey};

/// Put another key in the place of the fleet's own: a new one, or that of an ssh-agent that `ssh_key` names
///
/// The new one is brought to all servers and seen to log in to each; only then the old one is taken from them, who came with it is
/// cut off, and it is seen to be refused. Where a server is not reached, the old one stays in use until the same command has
/// reached it. At the end its private half is removed from here: other computers that work on this fleet need the new file.
#[derive(Debug, clap::Args)]
pub(super) struct Rotate {
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

/// The way to where the new key is in use.
struct Succeed<'a> {
    yes: bool,
    settings: &'a Settings,
    /// The new pair, while nobody else has begun with another one.
    pair: RefCell<Option<KeyPair>>,
}

/// The way from there to where the old key is gone.
struct HandOver<'a> {
    yes: bool,
    client: &'a Client,
}

impl Rotate {
    pub(super) async fn run(self, settings: &Settings, context: &mut Context) -> Result<Status, Failure> {
        let client = cloud(settings, context)?;
        let (ssh_key, next_ssh_key) = (None, settings.ssh_key.clone());
        let settings = &Settings { ssh_key, next_ssh_key, ..settings.clone() };
        let fleet = Fleet::find(settings, context).await?;
        if !fleet.is_written() {
            let hint = "`clawberth deploy NAME` begins one, with a key of its own";
            return Err(Refusal::new("there is no fleet yet", hint).into());
        }
        let mut yes = self.yes;
        if fleet.keys.of_the_fleet(KeyStatus::Leaving).is_none() {
            finish_keys(None, settings, context).await?;
            let succeed = Succeed { yes, settings, pair: RefCell::default() };
            match carry_out(&succeed, &client, settings, context).await? {
                Came::Through(true) => yes = true,
                Came::Through(false) => return already(settings, context),
                Came::Short(status) => return Ok(status),
            }
        }
        let fleet = Fleet::find(settings, context).await?;
        let before = fleet.keys.of_the_fleet(KeyStatus::Leaving).map(|key| key.public.as_str());
        let hand_over = HandOver { yes, client: &client };
        if let Came::Short(status) = carry_out(&hand_over, &client, settings, context).await? {
            return Ok(status);
        }
        finish_keys(before, settings, context).await?;
        let fleet = Fleet::find(settings, context).await?;
        let print = fingerprint(&fleet.keys.fleet);
        if context.ui.style().json {
            context.ui.json(&json!({ "rotated": print }))?;
        } else {
            context.ui.answer(&format!("the fleet's key is {print}"))?;
        }
        context.ui.note(&match &fleet.own()?.file {
            Some(file) => format!("keep a copy of {}; the old key opens nothing", file.display()),
            None => "its private half is in the ssh-agent alone; the old key opens nothing".to_owned(),
        });
        Ok(Status::Success)
    }
}

impl Change for Succeed<'_> {
    async fn plan(&self, fleet: &Fleet, _again: bool, context: &mut Context) -> Result<Plan, Failure> {
        let key = match fleet.keys.of_the_fleet(KeyStatus::Joining) {
            Some(key) => {
                let here = fleet.own()?.ring.other.as_ref().map(LoginKey::bare_public).transpose()?;
                if here.as_ref() != Some(&key.public) {
                    return Err(elsewhere(key).into());
                }
                key.clone()
            }
            None => {
                let public = match &self.settings.next_ssh_key {
                    Some(name) => named(name, self.settings).await?.bare_public()?,
                    None => self.made(fleet, context)?,
                };
                if public == fleet.keys.fleet {
                    return Ok(Plan::default());
                }
                let (comment, status) = (fleet.id.common_name(), KeyStatus::Joining);
                OperatorKey { public, comment, status, is_fleets: true }
            }
        };
        Ok(plan::succeed(fleet.instances.clone(), fleet.keys.clone(), key)?)
    }

    async fn agreed(&self, plan: &Plan, context: &mut Context) -> Result<bool, Failure> {
        let of = super::counted_servers(plan);
        if !agreed(self.yes, &format!("put another key in the place of the fleet's own on {of}"), context)? {
            return Ok(false);
        }
        // before anybody lets it in
        let pair = self.pair.borrow().clone();
        if let Some(pair) = pair {
            keep_next(self.settings, pair, context).await?;
        }
        Ok(true)
    }
}

impl Change for HandOver<'_> {
    async fn plan(&self, fleet: &Fleet, _again: bool, _context: &mut Context) -> Result<Plan, Failure> {
        if fleet.keys.of_the_fleet(KeyStatus::Leaving).is_none() {
            return Ok(Plan::default());
        }
        let seen = look(self.client, fleet, &BTreeSet::new()).await?;
        Ok(plan::hand_over(fleet.instances.clone(), fleet.keys.clone(), &seen.ssh_keys)?)
    }

    async fn agreed(&self, plan: &Plan, context: &mut Context) -> Result<bool, Failure> {
        let of = super::counted_servers(plan);
        agreed(self.yes, &format!("take the key before from {of}"), context)
    }
}

impl Succeed<'_> {
    /// The public half of one that was written down before, and not begun with; or of a new one.
    fn made(&self, fleet: &Fleet, context: &Context) -> Result<String, Failure> {
        let mut pair = self.pair.borrow_mut();
        let is_new = |pair: &KeyPair| pair.bare_public().is_ok_and(|key| key != fleet.keys.fleet);
        let file = read_next(self.settings, &fleet.id)?;
        let made = match file.or_else(|| pair.clone()).filter(is_new) {
            Some(made) => made,
            None => context.entropy.with(|rng| KeyPair::generate(rng, &fleet.id.common_name()))?,
        };
        Ok(pair.insert(made).bare_public()?)
    }
}

/// The key that the settings name is in place; so nothing was done.
fn already(settings: &Settings, context: &mut Context) -> Result<Status, Failure> {
    let name = settings.next_ssh_key.as_ref().map(ToString::to_string).unwrap_or_default();
    context.ui.note(&format!(
        "nothing to do: {name} is the fleet's own key; to replace it, let `ssh_key` name the one that is to follow, or none: then \
         one is made, in a file"
    ));
    Ok(Status::Success)
}

fn elsewhere(key: &OperatorKey) -> Refusal {
    let print = fingerprint(&key.public);
    let hint = format!("run it there, or give that key up: `clawberth keys remove {print}`");
    Refusal::new("another computer has begun to replace the fleet's key", hint)
        .because(format!("the private half of {print} is not here"))
}
