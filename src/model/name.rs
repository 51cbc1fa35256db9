//! Names of instances.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::model::fleet::OpId;
use crate::model::refusal::Refusal;

/// The name of an instance: `^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$`, so that it is a DNS label and leaves room in
/// a server's name (63) for `cb-<fleet>-`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct InstanceName(String);

/// How the names of standbys begin, and no others that are asked for.
const STANDBY: &str = "standby-";

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

    /// The name of a standby, of which only this is its own.
    pub fn of_standby(id: &OpId) -> Self {
        Self(format!("{STANDBY}{id}"))
    }

    /// Whether it is one of a standby: a server of the pool, which waits to become somebody's.
    pub fn is_standby(&self) -> bool {
        self.0.starts_with(STANDBY)
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

impl InvalidName {
    /// The same as a refusal, which suggests a name that would do.
    pub fn refusal(&self) -> Refusal {
        let hint = match suggestion(&self.text) {
            Some(name) => format!("did you mean {name}?"),
            None => "choose a name of 1 to 40 of a-z, 0-9 and -, like alice".to_owned(),
        };
        Refusal::new(format!("invalid instance name {:?}", self.text), hint).because(self.why)
    }
}

/// The nearest name that is one.
fn suggestion(text: &str) -> Option<InstanceName> {
    let dashed = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let name: String = text.chars().map(dashed).take(40).collect();
    name.trim_matches('-').parse().ok()
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

    #[test]
    fn suggests_a_name_that_would_do() {
        let hint = |text: &str| text.parse::<InstanceName>().unwrap_err().refusal().hint().to_owned();
        assert_eq!(hint("-Team_7"), "did you mean team-7?");
        assert_eq!(hint("Ä"), "choose a name of 1 to 40 of a-z, 0-9 and -, like alice");
    }
}
