//! The fleet: all instances of one operator, and the marks by which its things are known in the cloud.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::model::host_key;
use crate::model::instance::InstanceSpec;
use crate::model::name::InstanceName;

/// Label key: which program made this.
pub const MANAGED_BY: &str = "managed-by";
/// Label key: the fleet's id.
pub const FLEET: &str = "fleet";
/// Label key: the instance's name.
pub const INSTANCE: &str = "instance";
/// Label key: the create that made the server, and so which host key was injected.
pub const OP: &str = "op";
/// Label key: the host key that is pinned to the server, so that it can be pinned again when the state is lost.
pub const HOST_KEY: &str = "host-key";
/// Label key: the host key that the server is to show soon instead.
pub const NEXT_HOST_KEY: &str = "next-host-key";
/// Label key: the OpenClaw version that the server is to run.
pub const OPENCLAW: &str = "openclaw";
/// Label key: the zone under which the instance has its name.
pub const DOMAIN: &str = "domain";
/// What [`MANAGED_BY`] says on everything of ours.
pub const US: &str = "clawberth";
/// The most characters in a label's value.
const LABEL_MAX: usize = 63;

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

    /// The name of the server that becomes an image: no instance's, as those have another beginning.
    pub fn builder_name(&self) -> String {
        format!("builder-{}", self.0)
    }

    /// The label selector that finds everything of every fleet.
    pub fn any() -> String {
        format!("{MANAGED_BY}={US}")
    }

    /// The label selector that finds everything of this fleet.
    pub fn selector(&self) -> String {
        format!("{FLEET}={},{MANAGED_BY}={US}", self.0)
    }

    /// The labels on what the fleet has once.
    pub fn labels(&self) -> BTreeMap<String, String> {
        BTreeMap::from([(MANAGED_BY.into(), US.into()), (FLEET.into(), self.0.clone())])
    }

    /// The labels that name the host keys of a server: the pinned one, and, where there is one, the one that comes next.
    pub fn key_labels(host_keys: &[&str]) -> impl Iterator<Item = (String, String)> {
        let labels = [HOST_KEY, NEXT_HOST_KEY].into_iter().zip(host_keys);
        labels.filter_map(|(label, key)| Some((label.to_owned(), host_key::to_label(key)?)))
    }

    /// The labels on an instance's server: whose it is, and what it takes to find the way back to it without a state.
    pub fn server_labels(
        &self,
        instance: &InstanceName,
        spec: &InstanceSpec,
        host_keys: &[&str],
    ) -> BTreeMap<String, String> {
        let mut labels = self.labels();
        labels.insert(INSTANCE.into(), instance.to_string());
        labels.insert(OPENCLAW.into(), spec.release.openclaw.to_string());
        labels.extend(Self::key_labels(host_keys));
        let domain = spec.domain.clone().filter(|domain| domain.len() <= LABEL_MAX);
        labels.extend(domain.map(|domain| (DOMAIN.to_owned(), domain)));
        labels
    }

    /// Whether these are labels of this fleet.
    pub fn owns(&self, labels: &BTreeMap<String, String>) -> bool {
        self.labels().iter().all(|(key, value)| labels.get(key) == Some(value))
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

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
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

/// The host keys that the labels of a server name, the pinned one first.
pub fn host_keys(labels: &BTreeMap<String, String>) -> Vec<String> {
    let named = [HOST_KEY, NEXT_HOST_KEY].into_iter().filter_map(|label| labels.get(label));
    named.filter_map(|value| host_key::from_label(value)).collect()
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
