//! Plans: steps in order, made by pure functions from the record and from what was seen. A plan can be printed,
//! priced and refused; it decides everything, so that walking it needs no further choice.

mod destroy;
mod order;
mod provision;

use crate::model::instance::Instance;
use crate::model::name::InstanceName;
use crate::model::observed::FirewallRule;
use crate::model::price::Price;

pub use destroy::destroy;
pub use provision::{Wish, provision};

/// What is going to be done.
#[derive(Clone, Debug, Default, PartialEq)]
#[must_use = "a plan does nothing until it is applied"]
pub struct Plan {
    /// For the fleet as a whole, before the instances.
    pub before: Vec<FleetStep>,
    /// For each instance, side by side.
    pub instances: Vec<InstancePlan>,
    /// For the fleet as a whole, after all instances succeeded.
    pub after: Vec<FleetStep>,
    /// What the new servers cost in a month at the first candidate, and in which currency.
    pub cost: Option<(Price, String)>,
}

/// What is going to be done for one instance.
#[derive(Clone, Debug, PartialEq)]
pub struct InstancePlan {
    /// The instance as the state knows it, or as it is going to be written down.
    pub instance: Instance,
    /// The steps, in order; none: nothing to do.
    pub steps: Vec<Step>,
}

/// A step for the whole fleet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FleetStep {
    /// Make the fleet's public key known to the project.
    CreateSshKey,
    /// Make the fleet's firewall.
    CreateFirewall(Vec<FirewallRule>),
    /// Change the fleet's firewall.
    SetFirewallRules(u64, Vec<FirewallRule>),
    /// Delete servers with the fleet's label that belong to no instance.
    DeleteStrays(Vec<u64>),
    /// Remove a firewall of the fleet.
    DeleteFirewall(u64),
    /// Remove a key of the fleet.
    DeleteSshKey(u64),
    /// List what bears the fleet's label (and, of these instances, the name): nothing may be left.
    ProveAbsence(Vec<InstanceName>),
}

/// A step for one instance: an "ensure", safe to run twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Create the server.
    Create(Order),
    /// Take a server that an interrupted create left.
    Adopt(u64),
    /// Switch the server on.
    PowerOn(u64),
    /// Point the DNS name at the server.
    Name(String),
    /// Wait for SSH with the pinned host key.
    Reach,
    /// Log in and see that it is the server that was created.
    Trust,
    /// Let the admin networks through the host's own firewall.
    Admit,
    /// Wait for the set-up on the host.
    Install,
    /// Wait until every check from outside holds.
    Serve,
    /// Write down that it is going to be removed.
    Condemn,
    /// Remove the DNS records, in this zone.
    Unname(String),
    /// Delete these servers and their addresses.
    Delete(Vec<u64>),
}

/// What to ask Hetzner for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// The server type.
    pub server_type: String,
    /// The image's id.
    pub image: u64,
    /// Locations, tried in order while one is out of stock; never empty.
    pub locations: Vec<String>,
}

impl Plan {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.before.is_empty() && self.after.is_empty() && self.instances.iter().all(|i| i.steps.is_empty())
    }

    /// How many servers it creates.
    pub fn creates(&self) -> usize {
        self.instances.iter().flat_map(|i| &i.steps).filter(|step| matches!(step, Step::Create(_))).count()
    }
}

impl Step {
    /// The step in one word, for the journal.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Create(_) => "create",
            Self::Adopt(_) => "adopt",
            Self::PowerOn(_) => "power-on",
            Self::Name(_) => "name",
            Self::Reach => "reach",
            Self::Trust => "trust",
            Self::Admit => "admit",
            Self::Install => "install",
            Self::Serve => "serve",
            Self::Condemn => "condemn",
            Self::Unname(_) => "unname",
            Self::Delete(_) => "delete",
        }
    }
}

impl FleetStep {
    /// The step in one word, for the journal.
    pub fn word(&self) -> &'static str {
        match self {
            Self::CreateSshKey => "create-ssh-key",
            Self::CreateFirewall(_) => "create-firewall",
            Self::SetFirewallRules(..) => "set-firewall-rules",
            Self::DeleteStrays(_) => "delete-strays",
            Self::DeleteFirewall(_) => "delete-firewall",
            Self::DeleteSshKey(_) => "delete-ssh-key",
            Self::ProveAbsence(_) => "prove-absence",
        }
    }
}
