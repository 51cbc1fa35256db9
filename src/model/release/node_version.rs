use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Invalid;
use super::openclaw_version::number;

/// A released version of Node, `MAJOR.MINOR.PATCH`; a `v` before it is accepted, as Node's own index has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NodeVersion {
    major: u64,
    minor: u64,
    patch: u64,
}

impl NodeVersion {
    pub(super) fn semver(&self) -> semver::Version {
        semver::Version::new(self.major, self.minor, self.patch)
    }
}

impl FromStr for NodeVersion {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let parse = || {
            let mut parts = text.strip_prefix('v').unwrap_or(text).split('.').map(number);
            let (major, minor, patch) = (parts.next()??, parts.next()??, parts.next()??);
            parts.next().is_none().then_some(Self { major, minor, patch })
        };
        parse().ok_or_else(|| Invalid::new("Node version", text, "it is not MAJOR.MINOR.PATCH"))
    }
}

impl fmt::Display for NodeVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}.{}.{}", self.major, self.minor, self.patch))
    }
}

impl TryFrom<String> for NodeVersion {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}

impl From<NodeVersion> for String {
    fn from(version: NodeVersion) -> Self {
        version.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::NodeVersion;

    #[test]
    fn reads_both_spellings_and_orders_by_number() {
        let old: NodeVersion = "v24.9.0".parse().unwrap();
        let new: NodeVersion = "24.21.0".parse().unwrap();
        assert!(old < new);
        assert_eq!(old.to_string(), "24.9.0");
    }

    #[test]
    fn refuses_what_is_no_release() {
        for text in ["", "24", "24.1", "24.1.0-nightly", "24.1.0.0", "v", "24.01.0", "24..1"] {
            assert!(text.parse::<NodeVersion>().is_err(), "{text}");
        }
    }
}
