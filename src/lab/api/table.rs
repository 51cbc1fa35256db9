//! Resources of one kind, by id, and which of them still have to be written down.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::ApiError;
use super::names::Names;
use super::recent::Recent;
use super::resource::Resource;
use super::store::Change;

/// What a table can keep.
pub(crate) trait Row: Clone + Serialize + DeserializeOwned {
    /// The kind in the store, in `resources[].type` of an action and as the JSON key of one: `server`.
    const KIND: &'static str;
    /// The kind as messages name it: `SSH key`.
    const TITLE: &'static str;
    /// The first id given out. Different for each kind, so that a client that mixes kinds up is found out.
    const FIRST_ID: u64;

    /// What it is looked up by, for the kinds that have names.
    fn name(&self) -> Option<&str> {
        None
    }
}

/// All resources of one kind.
#[derive(Debug)]
pub(crate) struct Table<T> {
    /// The first id of the project, which no row has: under it the next id is kept, so that none is given twice.
    counter: u64,
    next: u64,
    rows: BTreeMap<u64, T>,
    dirty: BTreeSet<u64>,
    /// Of the rows that are not dirty: those may be called something else by now.
    names: Names,
    recent: Recent<T>,
}

/// How many ids a project has: those of different projects never meet, and a row says by its id whose it is.
pub(crate) const PER_PROJECT: u64 = 10_000_000_000;

impl<T: Row> Table<T> {
    /// The empty table of the project in this place.
    pub(crate) fn new(project: usize) -> Self {
        let counter = project as u64 * PER_PROJECT;
        Self {
            counter,
            next: counter + T::FIRST_ID,
            rows: BTreeMap::new(),
            dirty: BTreeSet::new(),
            names: Names::default(),
            recent: Recent::default(),
        }
    }

    /// Takes in one row from the store.
    pub(crate) fn load(&mut self, id: u64, json: &str) -> serde_json::Result<()> {
        if id == self.counter {
            self.next = serde_json::from_str(json)?;
        } else {
            self.seed(id, serde_json::from_str(json)?);
        }
        Ok(())
    }

    /// What changed since the last call.
    pub(crate) fn take_changes(&mut self, into: &mut Vec<Change>) -> serde_json::Result<()> {
        for id in std::mem::take(&mut self.dirty) {
            let json = match self.rows.get(&id) {
                _ if id == self.counter => Some(self.next.to_string()),
                Some(row) => {
                    self.names.add(row.name(), id);
                    Some(serde_json::to_string(row)?)
                }
                None => None,
            };
            into.push(Change { kind: T::KIND, id, json });
        }
        Ok(())
    }

    /// Adds what `make` makes of the next id.
    pub(crate) fn insert(&mut self, make: impl FnOnce(u64) -> T) -> u64 {
        let id = self.next;
        self.next += 1;
        self.rows.insert(id, make(id));
        self.recent.make(Instant::now(), id);
        self.dirty.extend([self.counter, id]);
        id
    }

    pub(crate) fn get(&self, id: u64) -> Option<&T> {
        self.rows.get(&id)
    }

    pub(crate) fn get_mut(&mut self, id: u64) -> Option<&mut T> {
        let row = self.rows.get_mut(&id)?;
        if self.dirty.insert(id) {
            self.names.remove(row.name(), id);
        }
        Some(row)
    }

    pub(crate) fn remove(&mut self, id: u64) -> Option<T> {
        let row = self.rows.remove(&id)?;
        self.names.remove(row.name(), id);
        self.recent.remove(Instant::now(), id, row.clone());
        self.dirty.insert(id);
        Some(row)
    }

    /// How many there are, with those that were removed in this time before now.
    pub(crate) fn count_with_removed(&self, within: Duration) -> usize {
        self.rows.len() + self.recent.removed(Instant::now(), within).count()
    }

    /// What a list shows that is so far behind: not yet what was made since, still what was removed since.
    pub(crate) fn as_of(&self, behind: Duration) -> Vec<&T> {
        let now = Instant::now();
        let mut rows: BTreeMap<u64, &T> = self.iter().chain(self.recent.removed(now, behind)).collect();
        for id in self.recent.made(now, behind) {
            rows.remove(&id);
        }
        rows.into_values().collect()
    }

    /// The id of the next row.
    pub(crate) fn next_id(&self) -> u64 {
        self.next
    }

    /// The how manieth id of its project this one is, from 0.
    pub(crate) fn ordinal(&self, id: u64) -> u64 {
        id.saturating_sub(self.counter + T::FIRST_ID)
    }

    /// Puts a row in that is there from the beginning and never stored.
    pub(crate) fn seed(&mut self, id: u64, row: T) {
        self.names.add(row.name(), id);
        self.rows.insert(id, row);
    }

    /// The rows of that name, in the order of their ids.
    pub(crate) fn all_named(&self, name: &str) -> Vec<(u64, &T)> {
        let changed = self.dirty.iter().copied().filter(|id| {
            let row = self.rows.get(id);
            row.is_some_and(|row| row.name() == Some(name))
        });
        let ids: BTreeSet<u64> = self.names.ids(name).chain(changed).collect();
        ids.into_iter().filter_map(|id| Some((id, self.get(id)?))).collect()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, &T)> {
        self.rows.iter().map(|(id, row)| (*id, row))
    }

    /// The row, or 404.
    pub(crate) fn find(&self, id: u64) -> Result<&T, ApiError> {
        self.get(id).ok_or_else(|| ApiError::not_found(T::TITLE, id))
    }

    /// The row to be changed, or 404.
    pub(crate) fn find_mut(&mut self, id: u64) -> Result<&mut T, ApiError> {
        self.get_mut(id).ok_or_else(|| ApiError::not_found(T::TITLE, id))
    }
}

impl<T: Resource> Table<T> {
    /// The id that a path means, or 404.
    pub(crate) fn resolve(&self, text: &str) -> Result<u64, ApiError> {
        let id = text.parse().ok().filter(|id| self.rows.contains_key(id));
        let named = || {
            if T::PATH_TAKES_NAME { self.named(text) } else { None }
        };
        id.or_else(named).ok_or_else(|| ApiError::not_found(T::TITLE, text))
    }

    /// The id of the row with this name.
    pub(crate) fn named(&self, name: &str) -> Option<u64> {
        self.all_named(name).first().map(|(id, _)| *id)
    }

    /// Refuses a name that another row than `except` has.
    pub(crate) fn check_name_free(&self, name: &str, except: Option<u64>) -> Result<(), ApiError> {
        match self.named(name).filter(|_| T::NAME_IS_UNIQUE) {
            Some(id) if Some(id) != except => {
                Err(ApiError::not_unique("name", format!("{} name is already used", T::TITLE)))
            }
            _ => Ok(()),
        }
    }
}
