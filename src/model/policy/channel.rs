use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Source;
use super::sender::is_id;
use crate::model::invalid::Invalid;
use crate::model::refusal::Refusal;

/// Everybody, in a list of those who may write.
const ALL: &str = "*";

/// Where people write. Only what OpenClaw brings along: other channels are programs of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChannelKind {
    /// A bot on Telegram.
    Telegram,
}

/// Who may write to the gateway on a channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Channel {
    /// The bot's token.
    pub token: Source,
    /// Who may write; `*` alone is everybody, and nobody means that each has to be let in by the owner.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<String>,
    /// Who may not, of those: for an instance that takes the fleet's list.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deny: Vec<String>,
    /// The groups in which it takes part; no others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// Who may write to it in groups; nobody named: who may write to it at all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub group_allow: Vec<String>,
    /// Whether it only answers in groups where it is mentioned; it does, unless this says no.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mention: Option<bool>,
}

impl Channel {
    /// Who may write, in the end.
    pub fn allowed(&self) -> Vec<&str> {
        self.allow.iter().filter(|who| !self.deny.contains(who)).map(String::as_str).collect()
    }

    /// Whether everybody may write.
    pub fn is_open(&self) -> bool {
        self.allow.iter().any(|who| who == ALL)
    }

    /// Who may write in groups, in the end.
    pub fn allowed_in_groups(&self) -> Vec<&str> {
        if self.group_allow.is_empty() {
            return self.allowed();
        }
        self.group_allow.iter().filter(|who| !self.deny.contains(who)).map(String::as_str).collect()
    }

    pub(super) fn check(&self, kind: ChannelKind) -> Result<(), Refusal> {
        let open = self.is_open();
        if open && !self.deny.is_empty() {
            let hint = "name those who may in `allow`; whoever is not there is not answered";
            return Err(Refusal::new(format!("everybody may write on {kind}, and some may not"), hint));
        }
        if open && self.allow.len() > 1 {
            let hint = "leave \"*\" out of `allow`, or the others";
            return Err(Refusal::new(format!("everybody may write on {kind}, and some are named"), hint));
        }
        let lists = [&self.allow, &self.deny, &self.groups, &self.group_allow];
        let bad = lists.into_iter().flatten().find(|id| *id != ALL && !is_id(id));
        match bad {
            Some(id) => Err(Refusal::new(
                format!("{id:?} is nobody's id on {kind}"),
                "give the number that the channel has for them, like \"111\"; of a group \"-100500\"",
            )),
            None => Ok(()),
        }
    }
}

impl ChannelKind {
    /// Where it is asked for what people write, as OpenClaw knows it.
    pub(super) fn host(self) -> &'static str {
        match self {
            Self::Telegram => "api.telegram.org",
        }
    }
}

impl FromStr for ChannelKind {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        match text {
            "telegram" => Ok(Self::Telegram),
            other => Err(Invalid::new("channel", other, "the one that OpenClaw brings along is telegram")),
        }
    }
}

impl fmt::Display for ChannelKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Telegram => "telegram",
        })
    }
}
