//! What all servers of the fleet share, its firewall and its SSH keys: made in this run, or looked up once.

use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, Result};

use super::{World, adopt, under_lease};
use crate::model::observed::firewall_rules;
use crate::plan::FleetStep;
use crate::store::Lease;

/// The firewall and the keys that new servers are given, by id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Common {
    pub(super) firewall: u64,
    pub(super) ssh_keys: Vec<u64>,
}

/// What is known of it.
#[derive(Debug, Default)]
pub struct Shared {
    made: Mutex<Made>,
    current: tokio::sync::Mutex<Option<Common>>,
}

/// What this run has made of it.
#[derive(Debug, Default)]
struct Made {
    firewall: Option<u64>,
    ssh_key: Option<u64>,
}

impl Shared {
    /// The firewall was made just now.
    pub(super) fn has_firewall(&self, id: u64) {
        self.made(|made| made.firewall = Some(id));
    }

    /// The same of the SSH key.
    pub(super) fn has_ssh_key(&self, id: u64) {
        self.made(|made| made.ssh_key = Some(id));
    }

    fn made<T>(&self, look: impl FnOnce(&mut Made) -> T) -> T {
        look(&mut self.made.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl World {
    /// What to give to new servers; one look for all creates, and none where it was made in this run. What somebody who removed
    /// the last instance has taken away meanwhile is made again: nobody does that any more, now that ours is in the state.
    pub(super) async fn common(&self) -> Result<Common> {
        let mut current = self.shared.current.lock().await;
        if let Some(known) = &*current {
            return Ok(known.clone());
        }
        let made =
            self.shared.made(|made| Some(Common { firewall: made.firewall?, ssh_keys: vec![made.ssh_key?] }));
        let found = match made {
            Some(made) => made,
            None => self.look_up_common().await?,
        };
        *current = Some(found.clone());
        Ok(found)
    }

    /// Whether there is another one by now, or may be: then it is looked up. Hetzner says that something of this one is not there.
    pub(super) async fn may_be_another(&self, than: &Common) -> bool {
        let mut current = self.shared.current.lock().await;
        let was_made =
            self.shared.made(|made| made.firewall.take().is_some() && made.ssh_key.take().is_some());
        if was_made {
            *current = None;
        }
        current.as_ref() != Some(than)
    }

    async fn look_up_common(&self) -> Result<Common> {
        let lease = self.common_lease().await?;
        let found = self.common_under(&lease).await;
        // one that cannot be freed ends by itself
        let _ = lease.release().await;
        found
    }

    async fn common_under(&self, lease: &Lease) -> Result<Common> {
        let mut missing = vec![FleetStep::CreateSshKey];
        missing
            .extend(self.birth.admin.as_ref().map(|admin| FleetStep::CreateFirewall(firewall_rules(admin))));
        if let Some(common) = self.listed_common().await? {
            return Ok(common);
        }
        under_lease(missing, lease, self).await?;
        // lists may not show yet what was made just now
        let seen = adopt::until_seen(|| self.listed_common(), adopt::LAG).await?;
        seen.context("the fleet's firewall or SSH key is gone")
    }

    /// The same, once lists show it.
    async fn listed_common(&self) -> Result<Option<Common>> {
        let fleet = self.store.fleet();
        let selector = fleet.selector();
        let (mut firewalls, keys) =
            tokio::try_join!(self.cloud.firewalls(&selector), self.cloud.ssh_keys(&selector))?;
        firewalls.sort_by_key(|firewall| (firewall.name != fleet.common_name(), firewall.id));
        // lists still show for a while what was deleted
        let mut ssh_keys = Vec::new();
        for key in keys {
            ssh_keys.extend(self.cloud.ssh_key(key.id).await?.map(|key| key.id));
        }
        for firewall in firewalls.iter().filter(|_| !ssh_keys.is_empty()) {
            if self.cloud.firewall(firewall.id).await?.is_some() {
                return Ok(Some(Common { firewall: firewall.id, ssh_keys }));
            }
        }
        Ok(None)
    }
}
