//! `clawberth access`

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::context::Context;
use super::fleet::Fleet;
use super::{Failure, Status};
use crate::config::{Flags, Settings};
use crate::model::instance::Instance;
use crate::model::name::InstanceName;
use crate::model::policy::{Channel, Policy, Rights};
use crate::ui::table;

/// Show who may write to the gateways, and what they may do there
///
/// It is what holds there by the state. Where clawberth.toml says otherwise, it says so; `clawberth apply` brings that.
#[derive(Debug, clap::Args)]
pub(super) struct Access {
    /// Names of the instances [all]
    #[arg(value_name = "NAME")]
    names: Vec<InstanceName>,
}

impl Access {
    pub(super) async fn run(self, flags: &Flags, context: &mut Context) -> Result<Status, Failure> {
        let settings = Settings::load(flags, &context.env, &context.cwd)?;
        let fleet = Fleet::find(&settings, context).await?;
        let names: BTreeSet<&InstanceName> = self.names.iter().collect();
        for name in &names {
            fleet.instance(name)?;
        }
        let chosen: Vec<&Instance> = fleet
            .instances
            .iter()
            .filter(|instance| names.is_empty() || names.contains(&instance.name))
            .collect();
        let shared = shared(&fleet.instances);
        let nothing = Policy::default();
        if context.ui.style().json {
            let answers: Vec<Value> = chosen
                .iter()
                .map(|instance| {
                    let policy = holds(instance).unwrap_or(&nothing);
                    json!({
                        "name": instance.name,
                        "policy": policy,
                        "as_in_the_file": is_as_wanted(instance, &settings),
                        "shared_secrets": shared.get(&instance.name),
                    })
                })
                .collect();
            context.ui.json(&Value::Array(answers))?;
            return Ok(Status::Success);
        }
        let mut rows = Vec::new();
        for instance in chosen {
            let policy = holds(instance).unwrap_or(&nothing);
            for (what, value) in lines(policy) {
                rows.push(vec![instance.name.to_string(), what, value]);
            }
            for other in shared.get(&instance.name).into_iter().flatten() {
                rows.push(vec![instance.name.to_string(), "shares a secret".to_owned(), other.clone()]);
            }
            if !is_as_wanted(instance, &settings) {
                context.ui.note(&format!(
                    "{0}: clawberth.toml says otherwise\nhint: `clawberth apply {0}` brings that",
                    instance.name
                ));
            }
        }
        if rows.is_empty() {
            context.ui.note("no instances");
        } else {
            context.ui.answer(&table(&rows))?;
        }
        Ok(Status::Success)
    }
}

fn holds(instance: &Instance) -> Option<&Policy> {
    instance.spec.enacted.as_ref().map(|enacted| &enacted.policy)
}

/// Whether what holds is what the file says; a secret that changed is seen only by reading it, and that is `apply`'s.
fn is_as_wanted(instance: &Instance, settings: &Settings) -> bool {
    let wanted = settings.policies.of(&instance.name);
    match &instance.spec.enacted {
        Some(enacted) => !enacted.stale && enacted.policy == *wanted,
        None => wanted.is_empty(),
    }
}

/// A policy for people: what, and how it is.
fn lines(policy: &Policy) -> Vec<(String, String)> {
    let mut lines = Vec::new();
    let mut add = |what: &str, value: String| lines.push((what.to_owned(), value));
    if policy.channels.is_empty() {
        add("may write", "the owner, in the dashboard".to_owned());
    }
    for (kind, channel) in &policy.channels {
        add(&format!("may write on {kind}"), writers(channel));
        if !channel.groups.is_empty() {
            let when = if channel.mention.unwrap_or(true) { ", where it is mentioned" } else { "" };
            add(&format!("groups on {kind}"), format!("{}{when}", channel.groups.join(", ")));
        }
    }
    if !policy.owners.is_empty() {
        add("owners", policy.owners.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "));
    }
    for (whose, rights) in &policy.senders {
        let may = match rights {
            Rights::Full => "all tools",
            Rights::ReadOnly => "tools that change nothing",
            Rights::None => "no tools",
        };
        add(&format!("tools of {whose}"), may.to_owned());
    }
    if policy.runs_programs() {
        add("programs", "in a sandbox".to_owned());
    }
    let models: Vec<String> = policy.all_models().map(ToString::to_string).collect();
    if !models.is_empty() {
        add("models", models.join(", "));
    }
    if !policy.skills.is_empty() {
        add("skills", policy.skills.join(", "));
    }
    lines
}

fn writers(channel: &Channel) -> String {
    match channel.allowed().as_slice() {
        _ if channel.is_open() => "everybody".to_owned(),
        [] => "whom the owner lets in".to_owned(),
        some => some.join(", "),
    }
}

/// Who has the same secret as whom: `/model/anthropic with bob`.
fn shared(instances: &[Instance]) -> BTreeMap<InstanceName, Vec<String>> {
    let mut of_mark: BTreeMap<&str, Vec<(&InstanceName, &str)>> = BTreeMap::new();
    for instance in instances {
        for (place, mark) in instance.spec.enacted.iter().flat_map(|enacted| &enacted.secrets) {
            of_mark.entry(mark).or_default().push((&instance.name, place));
        }
    }
    let mut shared: BTreeMap<InstanceName, Vec<String>> = BTreeMap::new();
    for holders in of_mark.values().filter(|holders| holders.len() > 1) {
        for (name, place) in holders {
            let others =
                holders.iter().filter(|(other, _)| other != name).map(|(other, _)| other.to_string());
            let others: Vec<String> = others.collect();
            if !others.is_empty() {
                shared
                    .entry((*name).clone())
                    .or_default()
                    .push(format!("{place} with {}", others.join(", ")));
            }
        }
    }
    shared.values_mut().for_each(|places| places.sort());
    shared
}
