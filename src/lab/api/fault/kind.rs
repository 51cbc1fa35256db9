//! What can go wrong.

use std::time::Duration;

use serde::Deserialize;

use super::answer::Answer;
use super::fields::{Fields, WrongFault, wrong};
use super::stock_out::StockOut;
use crate::lab::api::action::Command;
use crate::lab::api::recent::REMEMBERED;

/// The kinds by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Name {
    ReplyLost,
    ConnectionReset,
    Answer,
    ActionError,
    ActionSlow,
    StockOut,
    Quota,
    StaleLists,
    ReadOnly,
    ExtraFields,
    MissingFields,
}

/// The limits of a project that can be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Limit {
    ServerLimit,
    PrimaryIpLimit,
}

impl Limit {
    /// As the API names it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::ServerLimit => "server_limit",
            Self::PrimaryIpLimit => "primary_ip_limit",
        }
    }
}

/// What goes wrong.
#[derive(Debug, Clone)]
pub(crate) enum Kind {
    /// The request is done, and the connection ends without an answer.
    ReplyLost,
    /// The request is not done, and the connection is reset.
    ConnectionReset,
    /// Another answer than the one that is due.
    Answer(Answer),
    /// An action of this command runs its time and fails.
    ActionError { command: Command, code: String, message: String },
    /// An action of this command takes longer.
    ActionSlow { command: Command, delay: Duration },
    /// A server type is not to be had.
    StockOut(StockOut),
    /// A limit of the project.
    Quota { limit: Limit, value: u64, released_after: Duration },
    /// Lists are as they were this long ago.
    StaleLists { delay: Duration },
    /// The token may only read.
    ReadOnly,
    /// Answers have fields that nobody has documented.
    ExtraFields,
    /// Answers lack fields.
    MissingFields { fields: Vec<String> },
}

impl Kind {
    /// Reads `kind` and what belongs to it.
    pub(super) fn read(fields: &mut Fields) -> Result<Self, WrongFault> {
        Ok(match fields.need("kind")? {
            Name::ReplyLost => Self::ReplyLost,
            Name::ConnectionReset => Self::ConnectionReset,
            Name::Answer => Self::Answer(Answer::read(fields)?),
            Name::ActionError => Self::ActionError {
                command: fields.need("command")?,
                code: fields.take("code")?.unwrap_or_else(|| "action_failed".to_owned()),
                message: fields.take("message")?.unwrap_or_else(|| "Action failed".to_owned()),
            },
            Name::ActionSlow => {
                Self::ActionSlow { command: fields.need("command")?, delay: fields.need_duration("delay")? }
            }
            Name::StockOut => Self::StockOut(StockOut::read(fields)?),
            Name::Quota => Self::Quota {
                limit: fields.need("limit")?,
                value: fields.need("value")?,
                released_after: remembered(fields.duration("released_after")?, "released_after")?,
            },
            Name::StaleLists => {
                Self::StaleLists { delay: remembered(Some(fields.need_duration("delay")?), "delay")? }
            }
            Name::ReadOnly => Self::ReadOnly,
            Name::ExtraFields => Self::ExtraFields,
            Name::MissingFields => Self::MissingFields { fields: fields.need("fields")? },
        })
    }
}

/// A look back that the memory reaches.
fn remembered(time: Option<Duration>, field: &str) -> Result<Duration, WrongFault> {
    match time.unwrap_or_default() {
        time if time <= REMEMBERED => Ok(time),
        _ => Err(wrong(field, &format!("it is at most {} s", REMEMBERED.as_secs()))),
    }
}
