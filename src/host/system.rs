//! The operating system's own updates, and the start that some of them ask for.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use crate::ssh::{Command, Output};

/// Longest run of the updates: packages are downloaded, and another run may have to end first.
pub const UPGRADE: Duration = Duration::from_secs(1800);

/// What tells one start of a system from the next, and whether its updates ask for a new one.
const LOOK: &str =
    "cat /proc/sys/kernel/random/boot_id; if [ -e /run/reboot-required ]; then echo yes; else echo no; fi";

/// What a system says of its start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Boot {
    /// Another one after each start.
    pub id: String,
    /// An update asks for a new start.
    pub required: bool,
}

/// Installs the security updates that Debian has for the system, in the way that the system itself does each night. May run twice.
pub fn upgrade() -> Command {
    Command::new("sh").args(["-c", "apt-get -qq update && unattended-upgrade"])
}

/// Asks about its start.
pub fn boot() -> Command {
    Command::new("sh").args(["-c", LOOK])
}

/// Starts the system anew, a moment later, so that there is an answer.
pub fn reboot() -> Command {
    Command::new("systemd-run").args(["--quiet", "--collect", "--on-active=1s", "systemctl", "reboot"])
}

/// Reads the answer to [`boot`].
///
/// # Errors
/// An answer of another shape.
pub fn parse_boot(output: &Output) -> Result<Boot> {
    ensure!(output.status == 0, "the server does not tell its boot id: {}", output.stderr.trim());
    let (id, required) = output.stdout.trim().split_once('\n').context("the boot id is unreadable")?;
    Ok(Boot { id: id.to_owned(), required: required == "yes" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_boot_has_an_id_and_may_ask_for_another_one() {
        let said = |stdout: &str| Output { status: 0, stdout: stdout.to_owned(), stderr: String::new() };
        let boot = parse_boot(&said("4f1c\nyes\n")).unwrap();
        assert_eq!((boot.id.as_str(), boot.required), ("4f1c", true));
        assert!(!parse_boot(&said("4f1c\nno\n")).unwrap().required);
        assert!(parse_boot(&said("4f1c\n")).is_err());
    }
}
