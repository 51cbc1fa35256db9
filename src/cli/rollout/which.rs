//! Which instances are meant.

use std::collections::BTreeSet;
use std::str::FromStr;

use crate::cli::fleet::Fleet;
use crate::model::instance::Instance;
use crate::model::name::InstanceName;
use crate::model::observed::Observed;
use crate::model::refusal::Refusal;
use crate::model::rollout::Invalid;

/// Which instances are meant.
#[derive(Clone, Debug, Default, clap::Args)]
pub(in crate::cli) struct Which {
    /// Names of the instances
    #[arg(value_name = "NAME", conflicts_with_all = ["all", "selector"])]
    names: Vec<InstanceName>,
    /// All instances
    #[arg(long, conflicts_with = "selector")]
    all: bool,
    /// The instances whose servers have this label at Hetzner; several by repetition, of which each must hold
    #[arg(long, value_name = "KEY=VALUE")]
    selector: Vec<Selector>,
}

/// A label that a server must have.
#[derive(Clone, Debug)]
struct Selector {
    key: String,
    value: String,
}

impl FromStr for Selector {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let wrong = || Invalid::new("selector", text, "it is like team=red");
        let (key, value) = text.split_once('=').ok_or_else(wrong)?;
        let (key, value) = (key.to_owned(), value.to_owned());
        if key.is_empty() { Err(wrong()) } else { Ok(Self { key, value }) }
    }
}

impl Which {
    /// Whether any are meant.
    pub(in crate::cli) fn is_none(&self) -> bool {
        self.names.is_empty() && !self.all && self.selector.is_empty()
    }

    /// The instances, each once.
    pub(super) fn of(&self, fleet: &Fleet, project: &Observed) -> Result<Vec<Instance>, Refusal> {
        let chosen: Vec<Instance> = if !self.selector.is_empty() {
            self.selected(fleet, project)
        } else if self.all {
            fleet.instances.clone()
        } else {
            let names: BTreeSet<&InstanceName> = self.names.iter().collect();
            names.into_iter().map(|name| fleet.instance(name).cloned()).collect::<Result<_, Refusal>>()?
        };
        if chosen.is_empty() {
            let what = if self.all { "there are no instances" } else { "no instance has these labels" };
            return Err(Refusal::new(what, "`clawberth list` shows the instances"));
        }
        Ok(chosen)
    }

    fn selected(&self, fleet: &Fleet, project: &Observed) -> Vec<Instance> {
        let fits = |instance: &&Instance| {
            let id = instance.stage.server().map(|server| server.id);
            let mut servers =
                project.servers.get(&instance.name).into_iter().flatten().chain(project.by_id.values());
            let own = servers.find(|server| Some(server.id) == id);
            let has = |one: &Selector| own.is_some_and(|own| own.labels.get(&one.key) == Some(&one.value));
            self.selector.iter().all(has)
        };
        fleet.instances.iter().filter(fits).cloned().collect()
    }
}
