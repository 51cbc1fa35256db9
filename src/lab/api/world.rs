//! Everything the cloud knows. Plain memory; who holds it decides when it is written down.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use jiff::Timestamp;
use serde_json::Value;

use super::action::{Action, ActionStatus, Command, Target};
use super::address::{Block, Pool};
use super::api_date::ApiDate;
use super::catalog::Catalog;
use super::delays::Delays;
use super::error::ApiError;
use super::fault::Encounter;
use super::firewall::Firewall;
use super::image::Image;
use super::image_system;
use super::network::Network;
use super::placement_group::PlacementGroup;
use super::primary_ip::PrimaryIp;
use super::resource::Resource;
use super::server::Server;
use super::ssh_key::SshKey;
use super::store::{Change, StoredRow};
use super::table::{Row, Table};
use super::volume::Volume;
use super::zone::Zone;

/// The time to the second, as the API tells it.
pub(crate) fn now() -> Timestamp {
    Timestamp::from_second(Timestamp::now().as_second()).unwrap_or_default()
}

/// The cloud of one project.
#[derive(Debug)]
pub(crate) struct World {
    /// The addresses of all projects of the lab.
    pub(crate) pool: Pool,
    pub(crate) delays: Delays,
    pub(crate) api_date: ApiDate,
    /// What cannot be changed: locations, server types.
    pub(crate) catalog: Catalog,
    pub(crate) servers: Table<Server>,
    pub(crate) actions: Table<Action>,
    pub(crate) firewalls: Table<Firewall>,
    pub(crate) ssh_keys: Table<SshKey>,
    pub(crate) images: Table<Image>,
    pub(crate) primary_ips: Table<PrimaryIp>,
    pub(crate) volumes: Table<Volume>,
    pub(crate) networks: Table<Network>,
    pub(crate) placement_groups: Table<PlacementGroup>,
    pub(crate) zones: Table<Zone>,
    /// The request that looks at it or changes it now, if it meets faults.
    pub(crate) encounter: Option<Arc<Encounter>>,
    /// The actions that run, so that nobody has to search all for them.
    running: BTreeSet<u64>,
    /// How many of them lock a server.
    locks: BTreeMap<u64, usize>,
    /// The actions whose work nobody has begun yet.
    to_begin: Vec<u64>,
    /// The snapshots that are no more, but that the machines still keep.
    pub(crate) discarded_snapshots: Vec<u64>,
}

impl World {
    /// The empty cloud of the project in this place.
    pub(crate) fn new(project: usize, pool: Pool, delays: Delays, api_date: ApiDate) -> Self {
        let mut images = Table::new(project);
        image_system::all().into_iter().for_each(|image| images.seed(image.meta.id, image));
        Self {
            pool,
            delays,
            api_date,
            catalog: Catalog::new(),
            servers: Table::new(project),
            actions: Table::new(project),
            firewalls: Table::new(project),
            ssh_keys: Table::new(project),
            images,
            primary_ips: Table::new(project),
            volumes: Table::new(project),
            networks: Table::new(project),
            placement_groups: Table::new(project),
            zones: Table::new(project),
            encounter: None,
            running: BTreeSet::new(),
            locks: BTreeMap::new(),
            to_begin: Vec::new(),
            discarded_snapshots: Vec::new(),
        }
    }

    /// Takes in what was stored. Actions that were running are running again, but nobody works on them yet.
    pub(crate) fn load<'a>(&mut self, rows: impl Iterator<Item = &'a StoredRow>) -> Result<()> {
        for row in rows {
            self.load_row(row).with_context(|| format!("stored {} {} is unreadable", row.kind, row.id))?;
        }
        for (_, ip) in self.primary_ips.iter() {
            self.pool.mark(ip.family, ip.number);
        }
        let running = |action: &Action| action.status == ActionStatus::Running;
        let running = self.actions.iter().filter(|(_, action)| running(action)).map(|(id, _)| id);
        running.collect::<Vec<u64>>().into_iter().for_each(|id| self.runs(id));
        Ok(())
    }

    fn load_row(&mut self, StoredRow { kind, id, json }: &StoredRow) -> Result<()> {
        match kind.as_str() {
            Server::KIND => self.servers.load(*id, json)?,
            Action::KIND => self.actions.load(*id, json)?,
            Firewall::KIND => self.firewalls.load(*id, json)?,
            SshKey::KIND => self.ssh_keys.load(*id, json)?,
            Image::KIND => self.images.load(*id, json)?,
            PrimaryIp::KIND => self.primary_ips.load(*id, json)?,
            Volume::KIND => self.volumes.load(*id, json)?,
            Network::KIND => self.networks.load(*id, json)?,
            PlacementGroup::KIND => self.placement_groups.load(*id, json)?,
            Zone::KIND => self.zones.load(*id, json)?,
            other => bail!("kind {other:?} is not known to this version"),
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
        self.images.take_changes(&mut changes)?;
        self.primary_ips.take_changes(&mut changes)?;
        self.volumes.take_changes(&mut changes)?;
        self.networks.take_changes(&mut changes)?;
        self.placement_groups.take_changes(&mut changes)?;
        self.zones.take_changes(&mut changes)?;
        Ok(changes)
    }

    /// The addresses that there are.
    pub(crate) fn block(&self) -> Block {
        self.pool.block
    }

    /// Refuses `more` of a kind than the project may have.
    pub(crate) fn check_quota<T: Resource>(&self, more: usize) -> Result<(), ApiError> {
        let Some(encounter) = &self.encounter else {
            return Ok(());
        };
        let limit = format!("{}_limit", T::KIND);
        let counted = |released_after| T::table(self).count_with_removed(released_after);
        encounter.check_quota(&limit, |released_after| counted(released_after) + more)
    }

    /// Refuses a server type that a location has no more of.
    pub(crate) fn check_stock(&self, server_type: &str, location: &str) -> Result<(), ApiError> {
        self.encounter.as_ref().map_or(Ok(()), |encounter| encounter.check_stock(server_type, location))
    }

    /// What the API says of a server type that a location has, which need not be so.
    pub(crate) fn seems_in_stock(&self, server_type: &str, location: &str) -> bool {
        self.encounter.as_ref().is_none_or(|encounter| encounter.seems_in_stock(server_type, location))
    }

    /// The actions whose work is to begin now.
    pub(crate) fn take_to_begin(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.to_begin)
    }

    /// Sets an action going.
    pub(crate) fn act(&mut self, command: Command, resources: Vec<Target>) -> u64 {
        let id = self.act_later(command, resources);
        self.to_begin.push(id);
        id
    }

    /// Sets an action going once another one, that has just been set going, has succeeded.
    pub(crate) fn act_after(&mut self, before: u64, command: Command, resources: Vec<Target>) -> u64 {
        let id = self.act_later(command, resources);
        if let Some(before) = self.actions.get_mut(before) {
            before.then = Some(id);
        }
        id
    }

    /// An action that was over as soon as it was asked for.
    pub(crate) fn acted_at_once(&mut self, command: Command, resources: Vec<Target>) -> u64 {
        let id = self.act_later(command, resources);
        let error = self.actions.get(id).and_then(|action| action.fault.error.clone());
        self.finish(id, error.map_or(Ok(()), |(_, why)| Err(why)));
        id
    }

    fn act_later(&mut self, command: Command, resources: Vec<Target>) -> u64 {
        let fault = self.encounter.as_ref().map(|encounter| encounter.of_action(command));
        let id = self
            .actions
            .insert(|id| Action { fault: fault.unwrap_or_default(), ..Action::new(id, command, resources) });
        self.runs(id);
        id
    }

    fn runs(&mut self, id: u64) {
        self.running.insert(id);
        for server in self.actions.get(id).into_iter().flat_map(Action::locked) {
            *self.locks.entry(server).or_default() += 1;
        }
    }

    /// Ends an action, and begins or gives up the one that waits for it.
    pub(crate) fn finish(&mut self, id: u64, outcome: Result<(), String>) {
        if self.running.remove(&id) {
            for server in self.actions.get(id).into_iter().flat_map(Action::locked) {
                if let Entry::Occupied(mut locks) = self.locks.entry(server) {
                    *locks.get_mut() -= 1;
                    if *locks.get() == 0 {
                        locks.remove();
                    }
                }
            }
        }
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
        self.servers.get(server).is_some_and(|s| s.shutting_down) || self.is_working_on(server)
    }

    /// Whether an action that locks a server runs.
    pub(crate) fn is_working_on(&self, server: u64) -> bool {
        self.locks.contains_key(&server)
    }

    /// An action as the API shows it, or 404.
    pub(crate) fn action_view(&self, id: u64) -> Result<Value, ApiError> {
        Ok(self.actions.find(id)?.view(self))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// An empty one.
    pub(crate) fn world() -> World {
        World::new(0, Pool::new(Block::of_api()), Delays::none(), ApiDate::default())
    }

    #[test]
    fn what_waits_for_a_failed_action_fails_with_it() {
        let mut world = world();
        let target = vec![Target::of::<Server>(7)];
        let create = world.act(Command::CreateServer, target.clone());
        let start = world.act_after(create, Command::StartServer, target);
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
        let mut world = world();
        let target = vec![Target::of::<Server>(7)];
        let create = world.act(Command::CreateServer, target.clone());
        let start = world.act_after(create, Command::StartServer, target);
        world.begin_again();
        assert_eq!(world.take_to_begin(), [create]);
        world.finish(create, Ok(()));
        assert_eq!(world.take_to_begin(), [start]);
    }
}
