//! SSH with a pinned host key: three methods (`connect`, `run`, `close`), explicit quoting.

mod command;

pub use command::{Command, Output};
