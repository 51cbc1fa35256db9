//! What the commands were asked for, and what is there for certain.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// One entry for each name.
#[derive(Default)]
pub(crate) struct Ledger(Mutex<BTreeMap<String, Entry>>);

#[derive(Clone, Default)]
struct Entry {
    /// Whether the last command was to deploy it.
    wished: bool,
    /// Commands that are destroying it now.
    destroying: usize,
    /// How often it was asked to be destroyed.
    destroys: usize,
    /// The server on which a deploy has said that it serves, and which nobody has asked to destroy since.
    kept: Option<u64>,
}

/// What there was to be destroyed when a deploy began.
pub(crate) struct Since(BTreeMap<String, usize>);

impl Ledger {
    fn entries(&self) -> MutexGuard<'_, BTreeMap<String, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A deploy begins.
    pub(crate) fn deploy(&self, names: &[String]) -> Since {
        let mut entries = self.entries();
        let mut quiet = BTreeMap::new();
        for name in names {
            let entry = entries.entry(name.clone()).or_default();
            entry.wished = true;
            if entry.destroying == 0 {
                quiet.insert(name.clone(), entry.destroys);
            }
        }
        Since(quiet)
    }

    /// It has succeeded, and these are the servers by the state; what is not where it was is told.
    pub(crate) fn deployed(&self, since: &Since, servers: &BTreeMap<String, u64>) -> Vec<String> {
        let mut entries = self.entries();
        let mut moved = Vec::new();
        for (name, destroys) in &since.0 {
            let Some(entry) = entries.get_mut(name).filter(|entry| entry.destroys == *destroys) else {
                continue;
            };
            let server = servers.get(name).copied();
            if server.is_none() || entry.kept.is_some_and(|kept| Some(kept) != server) {
                moved.push(format!("{name} was on {:?}, is on {server:?} after a deploy", entry.kept));
            }
            entry.kept = entry.kept.or(server);
        }
        moved
    }

    /// A destroy begins.
    pub(crate) fn destroy(&self, names: &[String]) {
        let mut entries = self.entries();
        for name in names {
            let entry = entries.entry(name.clone()).or_default();
            let (destroying, destroys) = (entry.destroying + 1, entry.destroys + 1);
            *entry = Entry { wished: false, destroying, destroys, kept: None };
        }
    }

    /// It has ended, in whatever way.
    pub(crate) fn destroyed(&self, names: &[String]) {
        let mut entries = self.entries();
        for name in names {
            if let Some(entry) = entries.get_mut(name) {
                entry.destroying -= 1;
            }
        }
    }

    /// The names that are to be there in the end.
    pub(crate) fn wished(&self) -> Vec<String> {
        self.entries().iter().filter(|(_, entry)| entry.wished).map(|(name, _)| name.clone()).collect()
    }

    /// What must not be lost: names and servers.
    pub(crate) fn kept(&self) -> BTreeMap<String, u64> {
        self.entries().iter().filter_map(|(name, entry)| Some((name.clone(), entry.kept?))).collect()
    }
}
