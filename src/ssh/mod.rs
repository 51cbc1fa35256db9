//! SSH with a pinned host key: `connect`, `run`, `close`, and explicit quoting.

mod agent;
mod command;
mod key;
mod session;

pub use agent::{Agent, AgentError, AgentKey};
pub use command::{Command, Output};
pub use key::{KeyPair, KeyRing, LoginKey, PublicLine};
pub use session::{Session, SshError, Target};
