//! An update, as the server does it: `update PART` in its own shell, called over SSH, part by part. Each part is an
//! "ensure" that goes on when the session breaks: run it again, and it waits for the first one and finds its work done.

mod answer;

use std::fmt;
use std::time::Duration;

use anyhow::Result;

pub use answer::{Counts, Facts, Failed, Preflight, Runs, Saved, Standing, Switched, ended, migration};

use super::born;
use crate::model::observed::Releases;
use crate::model::release::OpenClawVersion;
use crate::render::{self, Update};
use crate::ssh::{Command, Output, Session, Target};

/// The script on the server.
const PROGRAM: &str = "/usr/local/lib/clawberth/update";

/// Writes files, each whole or not at all: path, mode, content, and so on. Then systemd learns of the units.
const WRITE: &str = r#"set -e
umask 022
while [ "$#" -gt 0 ]; do
	mkdir -p "${1%/*}"
	printf '%s\n' "$3" >"$1.new"
	chmod "$2" "$1.new"
	mv "$1.new" "$1"
	shift 3
done
systemctl daemon-reload
systemctl --quiet enable clawberth-revert.service"#;

/// Sends what an update needs, at its start: so each server, however old, has the parts as they are now.
///
/// # Errors
/// A mirror whose URL would be code in a shell.
pub fn send(update: &Update) -> Result<Command> {
    let files = render::update(update)?;
    let write = Command::new("sh").args(["-c", WRITE, "sh"]);
    // a shell cannot take a text's last end of line off an argument, and so puts it there
    let with = |write: Command, file: &render::RemoteFile| {
        write.args([file.path, file.mode, file.content.trim_end_matches('\n')])
    };
    Ok(files.iter().fold(write, with))
}

/// What stands on a server; one that was never updated keeps nothing. Looks once.
///
/// # Errors
/// What SSH says, or an answer of another shape.
pub async fn look(target: &Target) -> Result<Releases> {
    let session = Session::connect(target).await?;
    let status = session.run(&Part::Status.command(), Part::Status.limit()).await?;
    let born = match is_missing(&status) {
        true => Some(session.run(&born::release(), Part::Status.limit()).await?),
        false => None,
    };
    session.close().await;
    releases(&status, born.as_ref())
}

/// Whether a server has not got the script: so says a shell of a program that is not there.
pub fn is_missing(status: &Output) -> bool {
    status.status == 127
}

/// Reads the answer to [`Part::Status`], or, where there is no script, what the server was set up for.
///
/// # Errors
/// [`Failed`], or an answer of another shape.
pub fn releases(status: &Output, born: Option<&Output>) -> Result<Releases> {
    match born {
        None => Ok(Standing::parse(status)?.into()),
        Some(born) => {
            let serving = born::parse(born)?.release.openclaw;
            Ok(Releases { serving, trial: None, kept: Vec::new() })
        }
    }
}

/// A part of an update, in the order in which they are done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Looks; changes nothing.
    Preflight,
    /// Node and OpenClaw are put beside those in use.
    Stage,
    /// The new release starts on a copy of the state, and meets nobody.
    Rehearse,
    /// The timer is armed, the state saved, the new release started; what does not get ready is gone back from at once.
    Switch,
    /// The same, to a kept release and the state that it had.
    Rollback(OpenClawVersion),
    /// How the gateway does since then, seen from its own server.
    Look(OpenClawVersion),
    /// The same, and that none of its databases was damaged: as costly as they are large.
    Gate(OpenClawVersion),
    /// The timer is disarmed: the release stays.
    Confirm(OpenClawVersion),
    /// Back to the release before, with its state; also what the timer does.
    Revert,
    /// Only so many releases are kept.
    Prune(u8),
    /// What stands, at any time.
    Status,
}

impl Part {
    /// Runs the part to its end.
    pub fn command(self) -> Command {
        let command = Command::new(PROGRAM).arg(self.name());
        match self {
            Self::Rollback(version) | Self::Look(version) | Self::Gate(version) | Self::Confirm(version) => {
                command.arg(&version.to_string())
            }
            Self::Prune(count) => command.arg(&count.to_string()),
            Self::Preflight | Self::Stage | Self::Rehearse | Self::Switch | Self::Revert | Self::Status => {
                command
            }
        }
    }

    /// Longest wait for its end. Another part may have to be waited for first, for 900 s at most.
    pub fn limit(self) -> Duration {
        Duration::from_secs(match self {
            // two downloads of 5 minutes, npm twice for 15
            Self::Stage => 2700,
            Self::Rehearse => 1500,
            // the drain, the new release in vain, and the old one
            Self::Switch | Self::Rollback(_) => 900 + 345 + 300 + 330,
            Self::Revert => 900 + 330,
            Self::Confirm(_) | Self::Prune(_) => 1000,
            Self::Gate(_) => 900,
            Self::Preflight | Self::Look(_) | Self::Status => 120,
        })
    }

    fn name(self) -> &'static str {
        match self {
            Self::Preflight => "preflight",
            Self::Stage => "stage",
            Self::Rehearse => "rehearse",
            Self::Switch => "switch",
            Self::Rollback(_) => "rollback",
            Self::Look(_) => "look",
            Self::Gate(_) => "gate",
            Self::Confirm(_) => "confirm",
            Self::Revert => "revert",
            Self::Prune(_) => "prune",
            Self::Status => "status",
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Preflight => "looking at the server",
            Self::Stage => "installing beside the old release",
            Self::Rehearse => "rehearsing on a copy of the state",
            Self::Switch => "switching",
            Self::Rollback(_) => "rolling back",
            Self::Look(_) | Self::Gate(_) => "watching the gateway",
            Self::Confirm(_) => "confirming",
            Self::Revert => "going back",
            Self::Prune(_) => "removing old releases",
            Self::Status => "looking at the releases",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Part, send};
    use crate::registry::catalogue::Catalogue;
    use crate::render::Update;

    #[test]
    fn a_part_is_one_command() {
        let version = "2026.9.6".parse().unwrap();
        let text = |part: Part| part.command().to_string();
        assert_eq!(text(Part::Stage), "/usr/local/lib/clawberth/update stage");
        assert_eq!(text(Part::Confirm(version)), "/usr/local/lib/clawberth/update confirm 2026.9.6");
        assert_eq!(text(Part::Prune(2)), "/usr/local/lib/clawberth/update prune 2");
    }

    #[test]
    fn all_files_go_in_one_command_that_a_server_can_take() {
        let release = Catalogue::built_in().unwrap().newest().clone();
        let node_mirror = "https://node.example/dist".to_owned();
        let command =
            send(&Update { release, domain: None, node_mirror, revert_after: 120 }).unwrap().to_string();
        assert!(command.starts_with("sh -c 'set -e\n"), "{command}");
        assert!(
            command.contains(" /etc/systemd/system/clawberth-revert.timer 0644 '# Started with"),
            "{command}"
        );
        assert!(command.contains("OnActiveSec=120\nAccuracySec=1s' /etc/"), "{command}");
        // Linux takes 128 KiB in one argument, and sshd makes one of it
        assert!(command.len() < 64 << 10, "{} bytes", command.len());
    }
}
