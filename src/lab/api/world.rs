//! Everything the cloud knows. Plain memory; who holds it decides when it is written down.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail};
use jiff::Timestamp;

use super::action::{Action, ActionStatus, Command, Delays, Target};
use super::address::Addresses;
use super::catalog::Catalog;
use super::firewall::Firewall;
use super::primary_ip::{Family, PrimaryIp};
use super::server::Server;
use super::ssh_key::SshKey;
use super::store::{Change, StoredRow};
use super::table::{Row, Table};
use super::zone::Zone;

/// The kind under which the free addresses are stored.
const ADDRESSES: &str = "addresses";

/// The time to the second, as the API tells it.
pub(crate) fn now() -> Timestamp {
    Timestamp::from_second(Timestamp::now().as_second()).unwrap_or_default()
}

/// The cloud of one project.
#[derive(Debug)]
pub(crate) struct World {
    /// The lab's number on this computer, 0 to 15; in each address.
    pub(crate) slot: u8,
    pub(crate) delays: Delays,
    /// What cannot be changed: locations, server types, images.
    pub(crate) catalog: Catalog,
    pub(crate) servers: Table<Server>,
    pub(crate) actions: Table<Action>,
    pub(crate) firewalls: Table<Firewall>,
    pub(crate) ssh_keys: Table<SshKey>,
    pub(crate) primary_ips: Table<PrimaryIp>,
    pub(crate) zones: Table<Zone>,
    addresses: Addresses,
    addresses_changed: bool,
    /// The actions that run, so that nobody has to search all for them.
    running: BTreeSet<u64>,
    /// The actions whose work nobody has begun yet.
    to_begin: Vec<u64>,
}

impl World {
    /// An empty cloud.
    pub(crate) fn new(slot: u8, delays: Delays) -> Self {
        Self {
            slot,
            delays,
            catalog: Catalog::new(),
            servers: Table::new(),
            actions: Table::new(),
            firewalls: Table::new(),
            ssh_keys: Table::new(),
            primary_ips: Table::new(),
            zones: Table::new(),
            addresses: Addresses::new(),
            addresses_changed: false,
            running: BTreeSet::new(),
            to_begin: Vec::new(),
        }
    }

    /// Takes in what was stored. Actions that were running are running again, but nobody works on them yet.
    pub(crate) fn load(&mut self, rows: &[StoredRow]) -> Result<()> {
        for row in rows {
            self.load_row(row).with_context(|| format!("stored {} {} is unreadable", row.kind, row.id))?;
        }
        let running = |action: &Action| action.status == ActionStatus::Running;
        self.running = self.actions.iter().filter(|(_, action)| running(action)).map(|(id, _)| id).collect();
        Ok(())
    }

    fn load_row(&mut self, StoredRow { kind, id, json }: &StoredRow) -> Result<()> {
        match kind.as_str() {
            Server::KIND => self.servers.load(*id, json)?,
            Action::KIND => self.actions.load(*id, json)?,
            Firewall::KIND => self.firewalls.load(*id, json)?,
            SshKey::KIND => self.ssh_keys.load(*id, json)?,
            PrimaryIp::KIND => self.primary_ips.load(*id, json)?,
            Zone::KIND => self.zones.load(*id, json)?,
            ADDRESSES => self.addresses = serde_json::from_str(json)?,
            other => bail!("unknown kind {other:?}, written by a newer version"),
        }
        Ok(())
    }

    /// What changed since the last call.
    pub(crate) fn take_changes(&mut self) -> Result<Vec<Change>> {
        let mut changes = Vec::new();
        self.servers.take_changes(&mut changes)?;
        self.actions.take_changes(&mut changes)?;
        self.firewalls.take_changes(&mut changes)?;
        self.ssh_keys.take_changes(&mut changes)?;
        self.primary_ips.take_changes(&mut changes)?;
        self.zones.take_changes(&mut changes)?;
        if std::mem::take(&mut self.addresses_changed) {
            let json = Some(serde_json::to_string(&self.addresses)?);
            changes.push(Change { kind: ADDRESSES, id: 0, json });
        }
        Ok(changes)
    }

    /// The actions whose work is to begin now.
    pub(crate) fn take_to_begin(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.to_begin)
    }

    /// The pool of addresses, to take from or give back.
    pub(crate) fn addresses(&mut self) -> &mut Addresses {
        self.addresses_changed = true;
        &mut self.addresses
    }

    /// Whether an address of a family is free.
    pub(crate) fn has_address(&self, family: Family) -> bool {
        match family {
            Family::Ipv4 => self.addresses.has_v4(),
            Family::Ipv6 => self.addresses.has_v6(),
        }
    }

    /// Sets an action going.
    pub(crate) fn act(&mut self, command: Command, resources: Vec<Target>) -> u64 {
        let id = self.act_later(command, resources, None);
        self.to_begin.push(id);
        id
    }

    /// Sets an action going, and then another one on the same resources.
    pub(crate) fn act_twice(
        &mut self,
        first: Command,
        second: Command,
        resources: Vec<Target>,
    ) -> (u64, u64) {
        let second = self.act_later(second, resources.clone(), None);
        let first = self.act_later(first, resources, Some(second));
        self.to_begin.push(first);
        (first, second)
    }

    fn act_later(&mut self, command: Command, resources: Vec<Target>, then: Option<u64>) -> u64 {
        let id = self.actions.insert(|id| Action::new(id, command, resources, then));
        self.running.insert(id);
        id
    }

    /// Ends an action, and begins or gives up the one that waits for it.
    pub(crate) fn finish(&mut self, id: u64, outcome: Result<(), String>) {
        self.running.remove(&id);
        let Some(action) = self.actions.get_mut(id) else {
            return;
        };
        action.finished = Some(Timestamp::now());
        action.error = outcome.as_ref().err().cloned();
        action.status = if outcome.is_ok() { ActionStatus::Success } else { ActionStatus::Error };
        match (action.then, outcome) {
            (Some(next), Ok(())) => self.to_begin.push(next),
            (Some(next), Err(_)) => self.finish(next, Err("the action before it failed".to_owned())),
            (None, _) => {}
        }
    }

    /// The actions that run now.
    pub(crate) fn running(&self) -> impl Iterator<Item = &Action> {
        self.running.iter().filter_map(|id| self.actions.get(*id))
    }

    /// The running actions that wait for no other one.
    pub(crate) fn begin_again(&mut self) {
        let waiting: BTreeSet<u64> = self.running().filter_map(|action| action.then).collect();
        self.to_begin = self.running.difference(&waiting).copied().collect();
    }

    /// Whether a server is busy, so that another action on it is refused.
    pub(crate) fn is_locked(&self, server: u64) -> bool {
        self.servers.get(server).is_some_and(|s| s.shutting_down)
            || self.running().any(|action| action.locks(server))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_for_a_failed_action_fails_with_it() {
        let mut world = World::new(0, Delays::LAB);
        let (create, start) =
            world.act_twice(Command::CreateServer, Command::StartServer, vec![Target::of::<Server>(7)]);
        assert_eq!(world.take_to_begin(), [create]);
        assert!(world.is_locked(7));
        world.finish(create, Err("no disk".to_owned()));
        assert!(world.take_to_begin().is_empty());
        assert!(!world.is_locked(7));
        let error = |id| world.actions.get(id).and_then(|action| action.error.clone());
        assert_eq!(error(create).as_deref(), Some("no disk"));
        assert_eq!(error(start).as_deref(), Some("the action before it failed"));
    }

    #[test]
    fn a_restart_begins_with_the_first_of_two_actions() {
        let mut world = World::new(0, Delays::LAB);
        let target = vec![Target::of::<Server>(7)];
        let (create, start) = world.act_twice(Command::CreateServer, Command::StartServer, target);
        world.begin_again();
        assert_eq!(world.take_to_begin(), [create]);
        world.finish(create, Ok(()));
        assert_eq!(world.take_to_begin(), [start]);
    }
}
