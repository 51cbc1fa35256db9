//! The server of an instance.

use std::net::{Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

use crate::model::name::InstanceName;
use crate::model::operator_key::Admitted;

/// The server an instance lives on, and the host key that its SSH must show.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Server {
    /// Hetzner's id.
    pub id: u64,
    /// The public IPv4 address.
    pub ipv4: Ipv4Addr,
    /// The host's address in its IPv6 /64, where it has one.
    pub ipv6: Option<Ipv6Addr>,
    /// Where it stands, such as `fsn1`.
    pub location: String,
    /// The host key that is pinned to it, as an OpenSSH public key.
    pub host_key: String,
    /// The key that it has made for itself and is to show soon: until it was seen to, either of the two is accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_host_key: Option<String>,
    /// Whether the pinned key is one that it made itself, and not the one that was injected at its birth, which whoever
    /// can read its user data knows.
    #[serde(default)]
    pub own_host_key: bool,
    /// The injected key, where the key of its own has a certificate by that one: it is what the server's labels name then, until
    /// another key takes the place of the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub birth_key: Option<String>,
    /// The keys that its root lets in, where somebody looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub admitted: Admitted,
    /// The standby that it was, until nothing of that is left on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standby: Option<InstanceName>,
}

impl Server {
    /// The host keys that are accepted from it; the first one is pinned.
    pub fn host_keys(&self) -> Vec<&str> {
        [&self.host_key].into_iter().chain(&self.next_host_key).map(String::as_str).collect()
    }

    /// The key whose certificate is accepted, too: the injected one, while nobody has seen what the server made.
    pub fn signer(&self) -> Option<&str> {
        (!self.own_host_key).then_some(self.host_key.as_str())
    }

    /// The host keys that its labels are to name, so that it is known again when the state is lost: the injected one, where that has
    /// signed its own; else those that are accepted.
    pub fn keys_for_labels(&self) -> Vec<&str> {
        let signed = self.birth_key.as_deref().filter(|_| !self.is_replacing());
        signed.map_or_else(|| self.host_keys(), |key| vec![key])
    }

    /// Whether it has made another key in place of its own, and was not seen to show it.
    pub fn is_replacing(&self) -> bool {
        self.own_host_key && self.next_host_key.is_some()
    }

    /// The key that it is to show when it shows its own.
    pub fn own_key_to_come(&self) -> &str {
        self.next_host_key.as_ref().unwrap_or(&self.host_key)
    }

    /// The server, once it has made this key for itself, and this other one has signed it.
    pub(super) fn has_made(mut self, key: String, signer: Option<String>) -> Self {
        if !self.own_host_key {
            self.birth_key = signer;
        }
        self.next_host_key = (key != self.host_key).then_some(key);
        self
    }

    /// The server, once its labels name the keys that they are to name.
    pub(super) fn has_labels(mut self) -> Self {
        if self.is_replacing() {
            self.birth_key = None;
        }
        self
    }

    /// The server, once it shows its own key and no other.
    pub(super) fn has_switched(mut self) -> Self {
        let own = self.own_key_to_come().to_owned();
        self.shows_its_own(own);
        self
    }

    /// Pins this key, which it has made itself, and no other.
    pub fn shows_its_own(&mut self, key: String) {
        self.host_key = key;
        self.next_host_key = None;
        self.own_host_key = true;
    }
}
