//! Releases of OpenClaw and the Node they need.

use std::fmt;

pub use crate::model::invalid::Invalid;
use serde::{Deserialize, Serialize};

pub use engines::Engines;
pub use integrity::Integrity;
pub use node_version::NodeVersion;
pub use openclaw_version::{Line, OpenClawVersion};

mod engines;
mod integrity;
mod node_version;
mod openclaw_version;

/// An exact pin of what runs on a server. npm is the one that comes with this Node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Release {
    /// The gateway's version.
    pub openclaw: OpenClawVersion,
    /// Which Node versions it accepts, as its package says.
    pub engines: Engines,
    /// What its tarball must hash to.
    pub integrity: Integrity,
    /// The Node it runs on; satisfies `engines`.
    pub node: NodeVersion,
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OpenClaw {} on Node {}", self.openclaw, self.node)
    }
}
