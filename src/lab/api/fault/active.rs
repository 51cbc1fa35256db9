//! A fault that is in force.

use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

use super::aim::Aim;
use super::chance::Chance;
use super::fault::Fault;
use super::kind::Kind;

/// One that a request may meet.
#[derive(Debug)]
pub(super) struct Active {
    pub(super) id: u64,
    fault: Fault,
    chance: Mutex<Chance>,
}

impl Active {
    pub(super) fn new(id: u64, fault: Fault) -> Self {
        let chance = Mutex::new(fault.chance.clone());
        Self { id, fault, chance }
    }

    pub(super) fn aim(&self) -> &Aim {
        &self.fault.aim
    }

    pub(super) fn kind(&self) -> &Kind {
        &self.fault.kind
    }

    pub(super) fn name(&self) -> &str {
        self.fault.name()
    }

    /// Decides about one more request that it could strike.
    pub(super) fn strikes(&self) -> bool {
        self.chance(Chance::strikes)
    }

    /// Whether it was met as often as it may be.
    pub(super) fn is_spent(&self) -> bool {
        self.chance(|chance| chance.is_spent())
    }

    fn chance<T>(&self, look: impl FnOnce(&mut Chance) -> T) -> T {
        look(&mut self.chance.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// As the control endpoint shows it: as it was asked for, with id and count.
    pub(super) fn view(&self) -> Value {
        let mut view = self.fault.source.clone();
        view.insert("id".to_owned(), json!(self.id));
        view.insert("met".to_owned(), json!(self.chance(|chance| chance.met())));
        Value::Object(view)
    }
}
