use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Where a secret comes from. The secret itself is never written down.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Source {
    /// `env:NAME`, a variable of the environment.
    Environment(String),
    /// `file:PATH`, the first line of a file; seen from the folder of `clawberth.toml`.
    File(String),
    /// `age:PATH`, the first line of a file that is encrypted with age; seen from the same folder.
    Age(String),
    /// `cmd:COMMAND`, the first line that a shell's command prints.
    Command(String),
    /// `prompt:WORDS`, asked for on the terminal with these words.
    Prompt(String),
}

/// A text that names no source. It is not repeated: it may be the secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a secret does not belong in this file: write where it comes from, as env:NAME, file:PATH, age:PATH, cmd:COMMAND or prompt:WORDS"
)]
pub struct NoSource;

impl FromStr for Source {
    type Err = NoSource;

    fn from_str(text: &str) -> Result<Self, NoSource> {
        let (kind, rest) =
            text.split_once(':').filter(|(_, rest)| !rest.trim().is_empty()).ok_or(NoSource)?;
        let rest = rest.trim().to_owned();
        match kind {
            "env" => Ok(Self::Environment(rest)),
            "file" => Ok(Self::File(rest)),
            "age" => Ok(Self::Age(rest)),
            "cmd" => Ok(Self::Command(rest)),
            "prompt" => Ok(Self::Prompt(rest)),
            _ => Err(NoSource),
        }
    }
}

impl TryFrom<String> for Source {
    type Error = NoSource;

    fn try_from(text: String) -> Result<Self, NoSource> {
        text.parse()
    }
}

impl From<Source> for String {
    fn from(source: Source) -> Self {
        source.to_string()
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment(name) => write!(f, "env:{name}"),
            Self::File(path) => write!(f, "file:{path}"),
            Self::Age(path) => write!(f, "age:{path}"),
            Self::Command(command) => write!(f, "cmd:{command}"),
            Self::Prompt(words) => write!(f, "prompt:{words}"),
        }
    }
}
