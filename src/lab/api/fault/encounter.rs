//! One request and the faults that are for it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::action_fault::ActionFault;
use super::active::Active;
use super::kind::Kind;
use crate::lab::api::action::Command;
use crate::lab::api::error::ApiError;

/// What a request may meet, and what it has met.
#[derive(Debug)]
pub(crate) struct Encounter {
    faults: Vec<Arc<Active>>,
    met: Mutex<Vec<String>>,
}

impl Encounter {
    pub(super) fn new(faults: Vec<Arc<Active>>) -> Self {
        Self { faults, met: Mutex::default() }
    }

    /// Meets the first fault that `pick` has a use for and that strikes now.
    pub(super) fn meet<'a, T>(&'a self, pick: impl Fn(&'a Kind) -> Option<T>) -> Option<T> {
        self.faults.iter().find_map(|fault| {
            let picked = pick(fault.kind())?;
            fault.strikes().then(|| {
                self.note(fault);
                picked
            })
        })
    }

    /// Meets each fault that `wanted` has a use for and that strikes now.
    pub(super) fn meet_each(&self, wanted: impl Fn(&Kind) -> bool) -> Vec<&Kind> {
        let wanted = self.faults.iter().filter(|fault| wanted(fault.kind()) && fault.strikes());
        wanted.inspect(|fault| self.note(fault)).map(|fault| fault.kind()).collect()
    }

    /// Whether it may meet such a kind.
    pub(super) fn has(&self, kind: impl Fn(&Kind) -> bool) -> bool {
        self.faults.iter().any(|fault| kind(fault.kind()))
    }

    fn note(&self, fault: &Active) {
        let mut met = self.met.lock().unwrap_or_else(PoisonError::into_inner);
        if !met.iter().any(|name| name == fault.name()) {
            met.push(fault.name().to_owned());
        }
    }

    /// The kinds that were met, in order.
    pub(crate) fn met(&self) -> Vec<String> {
        self.met.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What is to become of an action that the request begins.
    pub(crate) fn of_action(&self, begun: Command) -> ActionFault {
        let delay = self.meet(|kind| match kind {
            Kind::ActionSlow { command, delay } if *command == begun => Some(*delay),
            _ => None,
        });
        let error = self.meet(|kind| match kind {
            Kind::ActionError { command, code, message } if *command == begun => {
                Some((code.clone(), message.clone()))
            }
            _ => None,
        });
        ActionFault { delay: delay.unwrap_or_default(), error }
    }

    /// How old a list is that the request gets.
    pub(crate) fn list_delay(&self) -> Option<Duration> {
        self.meet(|kind| match kind {
            Kind::StaleLists { delay } => Some(*delay),
            _ => None,
        })
    }

    /// Refuses what would be too many of a kind; `wanted` says how many, where what was removed a while ago counts.
    pub(crate) fn check_quota(&self, name: &str, wanted: impl Fn(Duration) -> usize) -> Result<(), ApiError> {
        let exceeded = self.meet(|kind| match kind {
            Kind::Quota { limit, value, released_after } if limit.as_str() == name => {
                (wanted(*released_after) as u64 > *value).then_some(())
            }
            _ => None,
        });
        exceeded.map_or(Ok(()), |()| Err(ApiError::limit_exceeded(name)))
    }

    /// Refuses a server of this type in this location if it is out of stock.
    pub(crate) fn check_stock(&self, server_type: &str, location: &str) -> Result<(), ApiError> {
        let refusal = self.meet(|kind| match kind {
            Kind::StockOut(stock) => stock.refusal(server_type, location),
            _ => None,
        });
        refusal.map_or(Ok(()), Err)
    }

    /// What is said of such a server. That is noted and not counted: nothing is refused.
    pub(crate) fn seems_in_stock(&self, server_type: &str, location: &str) -> bool {
        self.faults.iter().filter(|fault| !fault.is_spent()).all(|fault| match fault.kind() {
            Kind::StockOut(stock) => {
                let said = stock.says(server_type, location).unwrap_or(true);
                if !said {
                    self.note(fault);
                }
                said
            }
            _ => true,
        })
    }
}

#[cfg(test)]
impl Encounter {
    /// With the faults of a file's text.
    pub(crate) fn of(text: &str) -> Option<Arc<Self>> {
        let active = |fault| Arc::new(Active::new(0, fault));
        let faults = super::read(text).expect("a file of faults").into_iter().map(active).collect();
        Some(Arc::new(Self::new(faults)))
    }
}
