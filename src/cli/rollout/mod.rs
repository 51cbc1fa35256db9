//! Rollouts, as `update` and `rollback` begin, control and tell them.

mod begin;
mod control;
mod drive;
mod how;
mod report;
mod which;

pub(super) use begin::{Begin, Wanted, begin};
pub(super) use control::{Control, control};
pub(super) use how::How;
pub(super) use which::Which;
