//! Names of instances.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The name of an instance: `^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$`, so that it is a DNS label and leaves room in
/// a server's name (63) for `cb-<fleet>-`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct InstanceName(String);

/// Why a text is no instance name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid instance name {text:?}: {why}")]
pub struct InvalidName {
    text: String,
    why: &'static str,
}

impl InstanceName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for InstanceName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        match fault(text) {
            None => Ok(Self(text.to_owned())),
            Some(why) => Err(InvalidName { text: text.to_owned(), why }),
        }
    }
}

fn fault(text: &str) -> Option<&'static str> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if text.is_empty() {
        Some("it is empty")
    } else if text.len() > 40 {
        Some("it is longer than 40 characters")
    } else if !text.chars().all(allowed) {
        Some("only a-z, 0-9 and - are allowed")
    } else if text.starts_with('-') || text.ends_with('-') {
        Some("it starts or ends with -")
    } else {
        None
    }
}

impl TryFrom<String> for InstanceName {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, InvalidName> {
        text.parse()
    }
}

impl From<InstanceName> for String {
    fn from(name: InstanceName) -> Self {
        name.0
    }
}

impl fmt::Display for InstanceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::InstanceName;

    #[test]
    fn accepts_dns_labels_of_up_to_40_characters() {
        for text in ["a", "alice", "a1", "team-7", &"x".repeat(40)] {
            assert_eq!(text.parse::<InstanceName>().unwrap().as_str(), text);
        }
    }

    #[test]
    fn says_why_a_name_is_refused() {
        let why = |text: &str| text.parse::<InstanceName>().unwrap_err().to_string();
        assert_eq!(why(""), "invalid instance name \"\": it is empty");
        assert_eq!(why("Alice"), "invalid instance name \"Alice\": only a-z, 0-9 and - are allowed");
        assert_eq!(why("-a"), "invalid instance name \"-a\": it starts or ends with -");
        assert_eq!(why("a-"), "invalid instance name \"a-\": it starts or ends with -");
        assert!(why(&"x".repeat(41)).ends_with("it is longer than 40 characters"));
    }
}
