//! What a cloud does on a bad day, on demand: which requests meet it, how often, and what it looks like.

mod action_fault;
mod active;
mod aim;
mod answer;
mod chance;
pub(crate) mod control;
mod disguise;
mod encounter;
#[expect(clippy::module_inception, reason = "the noun of this folder")]
mod fault;
mod faults;
mod fields;
mod file;
mod gate;
mod kind;
mod labels;
mod route;
mod stock_out;

pub use fault::Fault;
pub use file::read;

pub(crate) use action_fault::ActionFault;
pub(crate) use encounter::Encounter;
pub(crate) use faults::Faults;
pub(crate) use gate::{Bare, pass};
