//! The installation, which a server does by itself: `setup` writes down which part it is at.

use std::fmt;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde::Deserialize;

use crate::ssh::Command;

/// Reads, in this order: whether `setup` runs (asked twice, because it may start or end meanwhile), its progress,
/// cloud-init's view, and the end of the log that matters.
const OBSERVE: &str = r#"lock=/run/clawberth-setup.lock
running() { flock -n "$lock" true && echo no || echo yes; }
running
progress=$(cat /var/lib/clawberth/progress 2>/dev/null)
running
date +%s
echo "$progress"
echo ---
cloud-init status --format json
echo ---
if [ "$progress" ]; then log=/var/log/clawberth-setup.log; else log=/var/log/cloud-init-output.log; fi
tail -n 20 "$log" 2>/dev/null || true"#;

/// How far the installation is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// cloud-init still brings Debian's packages.
    Packages,
    /// `setup` is at this part.
    Running {
        /// Its name in `setup`.
        part: Part,
        /// Since when it runs.
        since: Duration,
    },
    /// The gateway was ready on the server itself.
    Done,
    /// It does not go on by itself; [`again`] may help.
    Failed {
        /// Where, in words.
        what: String,
        /// The last lines of the log.
        log: String,
    },
}

/// A part of `setup`, by its name there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part(String);

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self.0.as_str() {
            "users" | "firewall" | "sshd" | "updates" | "logs" | "swap" | "endpoint" => {
                "preparing the system"
            }
            "name" => "waiting for its name to resolve",
            "certificate" => "starting Caddy",
            "node" => "installing Node",
            "package" => "installing OpenClaw",
            "configuration" => "configuring the gateway",
            "gateway" => "waiting for the gateway to be ready",
            "forget" => "forgetting what it was told at its birth",
            "catch_up" => "asking for security updates",
            other => other,
        })
    }
}

/// Asks how far the installation is.
pub fn progress() -> Command {
    Command::new("sh").args(["-c", OBSERVE])
}

/// Ends the progress of an earlier `setup`, so that its end is not taken for that of the one that is started next.
const MARK: &str = r#"echo "$(date +%s) setup again" >>/var/lib/clawberth/progress"#;

/// Notes that `setup` is to run once more.
pub fn mark() -> Command {
    Command::new("sh").args(["-c", MARK])
}

/// Starts `setup` once more, in the background, where it had stopped.
pub fn again() -> Command {
    Command::new("systemd-run").args([
        "--collect",
        "--unit=clawberth-setup",
        "/usr/local/lib/clawberth/setup",
    ])
}

/// cloud-init's status, as far as it matters.
#[derive(Debug, Deserialize)]
struct CloudInit {
    status: String,
    #[serde(default)]
    errors: Vec<String>,
}

/// Reads the answer to [`progress`].
///
/// # Errors
/// An answer of another shape.
pub fn parse_progress(stdout: &str) -> Result<Progress> {
    let mut sections = stdout.split("\n---\n");
    let mut section = || sections.next().context("the answer about the installation is cut short");
    let (setup, cloud_init, log) = (section()?, section()?, section()?);
    let mut lines = setup.lines();
    let mut line = || lines.next().context("the answer about the installation is cut short");
    let running = [line()?, line()?].contains(&"yes");
    let now: u64 = line()?.parse().context("the server's clock")?;
    let failed = |what: String| Progress::Failed { what, log: log.trim().to_owned() };

    let Some(last) = lines.rfind(|line| !line.is_empty()) else {
        let status: CloudInit = serde_json::from_str(cloud_init).context("the status of cloud-init")?;
        return Ok(match (status.status.as_str(), running) {
            ("not started" | "running", _) | (_, true) => Progress::Packages,
            (status_text, _) => failed(format!("cloud-init: {status_text} {}", status.errors.join("; "))),
        });
    };
    let mut words = last.split(' ');
    let mut word = || words.next().context("the progress of the installation is unreadable");
    let (time, part, state) = (word()?.parse::<u64>()?, Part(word()?.to_owned()), word()?);
    Ok(match (part.0.as_str(), state) {
        ("setup", "done") => Progress::Done,
        (_, "failed") => failed(part.to_string()),
        _ if running => Progress::Running { part, since: Duration::from_secs(now.saturating_sub(time)) },
        _ => failed(format!("{part}: interrupted")),
    })
}

#[cfg(test)]
mod tests {
    use super::{Progress, again, parse_progress};

    fn answer(running: &str, progress: &str, status: &str) -> Progress {
        let text = format!(
            "{running}\n{running}\n1030\n{progress}\n---\n{{\"status\": \"{status}\", \"errors\": [\"e\"]}}\n---\nlast line\n"
        );
        parse_progress(&text).unwrap()
    }

    #[test]
    fn before_setup_cloud_init_knows() {
        assert_eq!(answer("no", "", "running"), Progress::Packages);
        let Progress::Failed { what, log } = answer("no", "", "error") else { panic!("not failed") };
        assert_eq!((what.as_str(), log.as_str()), ("cloud-init: error e", "last line"));
    }

    #[test]
    fn the_last_line_of_setup_counts() {
        let Progress::Running { part, since } =
            answer("yes", "1000 node done\n1010 package started", "running")
        else {
            panic!("not running")
        };
        assert_eq!((part.to_string().as_str(), since.as_secs()), ("installing OpenClaw", 20));
        // a setup that was started again succeeds, although cloud-init failed for good
        assert_eq!(answer("no", "1010 node failed\n1020 setup done", "error"), Progress::Done);
    }

    #[test]
    fn a_failure_and_an_interruption_are_told_apart() {
        let what = |progress| match answer("no", progress, "error") {
            Progress::Failed { what, .. } => what,
            other => panic!("{other:?}"),
        };
        assert_eq!(what("1000 node failed"), "installing Node");
        assert_eq!(what("1000 node started"), "installing Node: interrupted");
        assert_eq!(what("1000 setup done\n1010 setup again"), "setup: interrupted", "an old end is none");
    }

    #[test]
    fn other_answers_are_errors() {
        assert!(parse_progress("").is_err());
        assert!(parse_progress("no\nno\nsoon\n\n---\n{}\n---\n").is_err());
    }

    #[test]
    fn starting_again_survives_the_session() {
        assert_eq!(
            again().to_string(),
            "systemd-run --collect --unit=clawberth-setup /usr/local/lib/clawberth/setup"
        );
    }
}
