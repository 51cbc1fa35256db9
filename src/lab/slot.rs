//! The names and addresses of one lab among the sixteen that a host can hold.

use std::fs;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use super::dir::LabDir;

/// Which lab holds which slot; a lab that is down keeps its slot, because its servers keep their addresses.
const CLAIMS: &str = "/var/lib/clawberth/slots";

/// A lab's number on this host: 0..=15.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Slot(u8);

impl Slot {
    /// How many labs a host can hold.
    pub(super) const COUNT: u8 = 16;

    /// Every slot.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        (0..Self::COUNT).map(Self)
    }

    /// Claims a free slot for the lab in `dir`.
    pub(super) fn claim(dir: &Path) -> Result<Self> {
        let claims = PathBuf::from(CLAIMS);
        fs::create_dir_all(&claims).with_context(|| format!("cannot make {CLAIMS}"))?;
        let lock = fs::File::open(&claims)?;
        flock(&lock, FlockOperation::LockExclusive).with_context(|| format!("cannot lock {CLAIMS}"))?;
        let Some(slot) = Self::all().find(|slot| slot.is_free(&claims, dir)) else {
            bail!("all {} labs of this host are taken; take one down and remove its directory", Self::COUNT);
        };
        fs::write(claims.join(slot.0.to_string()), dir.as_os_str().as_encoded_bytes())?;
        Ok(slot)
    }

    fn is_free(self, claims: &Path, dir: &Path) -> bool {
        let holder = fs::read_to_string(claims.join(self.0.to_string())).ok().map(PathBuf::from);
        let held = holder.is_some_and(|holder| holder != dir && LabDir::slot_of(&holder) == Some(self));
        !held && !self.is_up()
    }

    /// Whether the lab's network is there.
    pub(super) fn is_up(self) -> bool {
        Path::new("/run/netns").join(self.router()).exists()
    }

    /// The number.
    pub(super) fn number(self) -> u8 {
        self.0
    }

    /// The router's namespace; also the host's interface to it and the host's nft table.
    pub(super) fn router(self) -> String {
        format!("cb{}", self.0)
    }

    /// The namespace of a stranger on the Internet.
    pub(super) fn world(self) -> String {
        format!("cb{}-world", self.0)
    }

    /// The namespace of a machine.
    pub(super) fn machine(self, id: u64) -> String {
        format!("cb{}-m{id}", self.0)
    }

    /// The namespace that routes within a private network.
    pub(super) fn network(self, id: u64) -> String {
        format!("{}{id}", self.network_prefix())
    }

    /// What the namespaces of private networks begin with.
    pub(super) fn network_prefix(self) -> String {
        format!("cb{}-n", self.0)
    }

    /// The machines' IPv4 block. Of 198.18.0.0/15, the benchmark range: software does not take it for private.
    pub(super) fn machines4(self) -> String {
        format!("198.18.{}.0/24", self.0)
    }

    /// The machines' IPv6 block.
    pub(super) fn machines6(self) -> String {
        format!("2001:db8:{:x}::/48", self.0)
    }

    /// The links of host and world to the router.
    pub(super) fn links4(self) -> String {
        format!("198.19.{}.0/29", self.0)
    }

    /// The host on its link to the router: where the operator is seen to come from.
    pub(super) fn host(self) -> (Ipv4Addr, Ipv6Addr) {
        (self.link4(1), self.link6(0, 1))
    }

    /// The router on its link to the host; here are the lab's DNS and Node mirror.
    pub(super) fn services(self) -> (Ipv4Addr, Ipv6Addr) {
        (self.link4(2), self.link6(0, 2))
    }

    /// The router on its link to the world.
    pub(super) fn gateway_of_world(self) -> (Ipv4Addr, Ipv6Addr) {
        (self.link4(5), self.link6(1, 1))
    }

    /// The stranger; here is the ACME server.
    pub(super) fn stranger(self) -> (Ipv4Addr, Ipv6Addr) {
        (self.link4(6), self.link6(1, 2))
    }

    fn link4(self, last: u8) -> Ipv4Addr {
        Ipv4Addr::new(198, 19, self.0, last)
    }

    fn link6(self, link: u16, last: u16) -> Ipv6Addr {
        let group = 0xff00 + (link << 4) + u16::from(self.0);
        Ipv6Addr::new(0x2001, 0xdb8, group, 0, 0, 0, 0, last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses_of_different_slots_never_meet() {
        let slot = Slot(15);
        assert_eq!(slot.host().0.to_string(), "198.19.15.1");
        assert_eq!(slot.host().1.to_string(), "2001:db8:ff0f::1");
        assert_eq!(slot.stranger().1.to_string(), "2001:db8:ff1f::2");
        assert_eq!(slot.machines6(), "2001:db8:f::/48");
        assert_eq!(slot.machine(42), "cb15-m42");
    }
}
