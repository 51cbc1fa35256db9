//! The faults of a lab.

use std::sync::{Arc, PoisonError, RwLock};

use super::active::Active;
use super::fault::Fault;

/// All that are in force, in the order in which they came.
#[derive(Debug, Default)]
pub(crate) struct Faults(RwLock<List>);

#[derive(Debug, Default)]
struct List {
    last: u64,
    active: Vec<Arc<Active>>,
}

impl Faults {
    pub(crate) fn new(faults: Vec<Fault>) -> Self {
        let list = Self::default();
        for fault in faults {
            list.add(fault);
        }
        list
    }

    pub(super) fn add(&self, fault: Fault) -> Arc<Active> {
        let mut list = self.0.write().unwrap_or_else(PoisonError::into_inner);
        list.last += 1;
        let active = Arc::new(Active::new(list.last, fault));
        list.active.push(Arc::clone(&active));
        active
    }

    /// Whether there was such a one.
    pub(super) fn remove(&self, id: u64) -> bool {
        let mut list = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let before = list.active.len();
        list.active.retain(|active| active.id != id);
        list.active.len() < before
    }

    pub(super) fn clear(&self) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).active.clear();
    }

    /// Those that fulfil a condition.
    pub(super) fn which(&self, wanted: impl Fn(&Active) -> bool) -> Vec<Arc<Active>> {
        let list = self.0.read().unwrap_or_else(PoisonError::into_inner);
        list.active.iter().filter(|active| wanted(active)).cloned().collect()
    }
}
