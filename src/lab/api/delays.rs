//! How long actions take.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};
use jiff::SignedDuration;
use serde::Deserialize;

use super::action::Command;

/// How long actions take at least; longer if the machine needs longer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delays {
    commands: BTreeMap<Command, Duration>,
    other: Duration,
}

/// The text of a file with delays.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    other: SignedDuration,
    #[serde(default)]
    commands: BTreeMap<Command, SignedDuration>,
}

impl Delays {
    /// Long enough to be seen by a client that polls, short enough to wait for.
    pub fn quick() -> Self {
        Self::of_classes(2000, 1000, 1000, 300)
    }

    /// As measured at Hetzner: create 8 s, start 2 s, delete 3 s, applying a firewall 1 s.
    pub fn real() -> Self {
        Self::of_classes(8000, 2000, 3000, 1000)
    }

    /// None at all.
    pub fn none() -> Self {
        Self { commands: BTreeMap::new(), other: Duration::ZERO }
    }

    /// All in milliseconds.
    fn of_classes(create: u64, power: u64, delete: u64, other: u64) -> Self {
        let of = |commands: &[Command], delay: u64| -> Vec<(Command, Duration)> {
            commands.iter().map(|command| (*command, Duration::from_millis(delay))).collect()
        };
        let switching = [
            Command::StartServer,
            Command::StopServer,
            Command::ShutdownServer,
            Command::RebootServer,
            Command::ResetServer,
        ];
        let classes = [
            of(&[Command::CreateServer, Command::RebuildServer, Command::CreateImage], create),
            of(&switching, power),
            of(&[Command::DeleteServer], delete),
        ];
        Self { commands: classes.into_iter().flatten().collect(), other: Duration::from_millis(other) }
    }

    /// Reads a file: `other = "1s"`, and below `[commands]` lines such as `create_server = "8s"`.
    ///
    /// # Errors
    /// What is no such file; line and column are in the text.
    pub fn read(text: &str) -> Result<Self> {
        let Text { other, commands } = toml::from_str(text)?;
        let positive = |delay: SignedDuration| Duration::try_from(delay).context("a delay is below zero");
        let commands = commands.into_iter().map(|(command, delay)| Ok((command, positive(delay)?)));
        Ok(Self { commands: commands.collect::<Result<_>>()?, other: positive(other)? })
    }

    /// The delay of a command.
    pub(crate) fn of(&self, command: Command) -> Duration {
        self.commands.get(&command).copied().unwrap_or(self.other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_names_commands_as_the_api_does() {
        let delays = Delays::read("other = \"50ms\"\n[commands]\ncreate_server = \"8s\"\n").unwrap();
        assert_eq!(delays.of(Command::CreateServer), Duration::from_secs(8));
        assert_eq!(delays.of(Command::AttachVolume), Duration::from_millis(50));
    }

    #[test]
    fn a_wrong_file_names_the_line() {
        for (text, wanted) in [
            ("other = \"1s\"\n[commands]\nmake_server = \"8s\"\n", "line 3"),
            ("other = \"soon\"", "line 1"),
            ("[commands]\n", "missing field `other`"),
            ("other = \"-1s\"", "below zero"),
        ] {
            let error = format!("{:#}", Delays::read(text).unwrap_err());
            assert!(error.contains(wanted), "{error}");
        }
    }
}
