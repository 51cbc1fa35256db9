//! SSH with a pinned host key: `connect`, `run`, `close`, and explicit quoting.

mod command;
mod key;
mod session;

pub use command::{Command, Output};
pub use key::{KeyPair, KeyRing, PublicLine};
pub use session::{Session, SshError, Target};
