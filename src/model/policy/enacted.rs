use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use super::Policy;
use crate::model::fleet::OpId;
use crate::model::name::InstanceName;

/// The policies of a fleet: one for all, but for those instances that have one of their own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policies {
    /// Of all others.
    #[serde(default, skip_serializing_if = "Policy::is_empty")]
    pub fleet: Policy,
    /// Of these, whole: what they add to the fleet's is in it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub own: BTreeMap<InstanceName, Policy>,
}

/// A policy that is to be brought to a gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enactment {
    /// Which change of the fleet it belongs to: a server does each once, and takes that one back.
    pub id: OpId,
    /// What is to hold.
    pub policy: Policy,
}

/// A policy that holds at a gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Enacted {
    /// Which change brought it.
    pub id: OpId,
    /// What holds.
    pub policy: Policy,
    /// By which secrets: for the place of each, what tells it from others without telling what it is.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<String, String>,
    /// The gateway went back to the state of an earlier time since then: whether it still holds is not known.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stale: bool,
    /// What held before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Box<Enacted>>,
}

impl Enacted {
    /// Whether this policy holds, by these secrets.
    pub fn holds(&self, policy: &Policy, secrets: &BTreeMap<String, String>) -> bool {
        !self.stale && self.policy == *policy && self.secrets == *secrets
    }
}

impl Policies {
    /// The policy of an instance. A standby has none: it is nobody's, and has nobody's secrets.
    pub fn of(&self, name: &InstanceName) -> &Policy {
        static NONE: LazyLock<Policy> = LazyLock::new(Policy::default);
        match name.is_standby() {
            true => &NONE,
            false => self.own.get(name).unwrap_or(&self.fleet),
        }
    }
}
