//! Rollouts: in which order hosts are changed, and what is to be done next.

mod arrange;
mod next;
#[cfg(test)]
mod simulation;

pub use arrange::{Candidate, arrange};
pub use next::{Decision, Reason, next};
