//! The fleet: all instances of one operator, and the marks by which its things are known in the cloud.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::model::name::InstanceName;

/// Label key: which program made this.
pub const MANAGED_BY: &str = "managed-by";
/// Label key: the fleet's id.
pub const FLEET: &str = "fleet";
/// Label key: the instance's name.
pub const INSTANCE: &str = "instance";
/// Label key: the create that made the server, and so which host key was injected.
pub const OP: &str = "op";

/// The fleet's id: 8 characters of `a-z0-9`, on every label.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FleetId(String);

/// The id of one create: 8 characters of `a-z0-9`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OpId(String);

impl FleetId {
    /// Makes an id from eight random bytes.
    pub fn from_bytes(bytes: [u8; 8]) -> Self {
        Self(letters(bytes))
    }

    /// An id as it was stored.
    pub fn stored(text: String) -> Self {
        Self(text)
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of what the fleet has once: its firewall and its SSH key.
    pub fn common_name(&self) -> String {
        format!("cb-{}", self.0)
    }

    /// The name of an instance's server.
    pub fn server_name(&self, instance: &InstanceName) -> String {
        format!("cb-{}-{instance}", self.0)
    }

    /// The label selector that finds everything of this fleet.
    pub fn selector(&self) -> String {
        format!("{FLEET}={},{MANAGED_BY}=clawberth", self.0)
    }

    /// The labels on what the fleet has once.
    pub fn labels(&self) -> BTreeMap<String, String> {
        BTreeMap::from([(MANAGED_BY.into(), "clawberth".into()), (FLEET.into(), self.0.clone())])
    }

    /// The labels on an instance's server.
    pub fn server_labels(&self, instance: &InstanceName, op: &OpId) -> BTreeMap<String, String> {
        let mut labels = self.labels();
        labels.insert(INSTANCE.into(), instance.to_string());
        labels.insert(OP.into(), op.to_string());
        labels
    }
}

impl OpId {
    /// Makes an id from eight random bytes.
    pub fn from_bytes(bytes: [u8; 8]) -> Self {
        Self(letters(bytes))
    }

    /// An id as it stands on a label.
    pub fn stored(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Display for FleetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for OpId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn letters(bytes: [u8; 8]) -> String {
    const ALPHABET: [char; 32] = [
        'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'm', 'n', 'p', 'q', 'r', 's', 't', 'u', 'v',
        'w', 'x', 'y', 'z', '2', '3', '4', '5', '6', '7', '8', '9',
    ];
    bytes.iter().filter_map(|byte| ALPHABET.get(usize::from(*byte % 32))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_eight_letters_and_mark_everything() {
        let fleet = FleetId::from_bytes([0, 1, 2, 31, 32, 255, 100, 7]);
        assert_eq!(fleet.as_str(), "abc9a9eh");
        assert_eq!(fleet.server_name(&"alice".parse().unwrap()), "cb-abc9a9eh-alice");
        assert_eq!(fleet.selector(), "fleet=abc9a9eh,managed-by=clawberth");
    }
}
