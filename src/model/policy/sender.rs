use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::ChannelKind;
use crate::model::invalid::Invalid;

/// Somebody who writes: `telegram:111`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Sender {
    /// Where.
    pub channel: ChannelKind,
    /// Who, as the channel knows them.
    pub id: String,
}

/// Whose tools: somebody's, or everybody else's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Whose {
    /// One sender's.
    One(Sender),
    /// Of all who are not named.
    Others,
}

/// What the tools may do for somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rights {
    /// All that there are.
    Full,
    /// Those that change nothing.
    ReadOnly,
    /// No tool.
    None,
}

impl FromStr for Sender {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let wrong = || Invalid::new("sender", text, "it is CHANNEL:ID, like telegram:111");
        let (channel, id) = text.split_once(':').ok_or_else(wrong)?;
        if !is_id(id) {
            return Err(wrong());
        }
        Ok(Self { channel: channel.parse()?, id: id.to_owned() })
    }
}

/// What can be the id of somebody or of a group.
pub(super) fn is_id(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 64
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_@.+".contains(c))
}

impl FromStr for Whose {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if text == "*" { Ok(Self::Others) } else { text.parse().map(Self::One) }
    }
}

impl Whose {
    /// The one who is named.
    pub fn sender(&self) -> Option<&Sender> {
        match self {
            Self::One(sender) => Some(sender),
            Self::Others => None,
        }
    }
}

impl fmt::Display for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.channel, self.id)
    }
}

impl fmt::Display for Whose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(sender) => sender.fmt(f),
            Self::Others => f.write_str("*"),
        }
    }
}

macro_rules! as_text {
    ($type:ty) => {
        impl TryFrom<String> for $type {
            type Error = Invalid;

            fn try_from(text: String) -> Result<Self, Invalid> {
                text.parse()
            }
        }

        impl From<$type> for String {
            fn from(value: $type) -> Self {
                value.to_string()
            }
        }
    };
}

as_text!(Sender);
as_text!(Whose);
