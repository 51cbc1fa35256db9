//! What makes a standby somebody's, as its server does it in one command.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::rotate::{facts, one, refusal};
use crate::ssh::{Command, Output};

/// What is run there.
const SCRIPT: &str =
    concat!(include_str!("../../templates/token.sh"), include_str!("../../templates/renew.sh"));
/// Longest wait for its end: as a rotation, which it becomes where the gateway does not take its new token while it runs.
pub const LIMIT: Duration = super::rotate::LIMIT;

/// How it went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renewed {
    /// With which word the gateway refused the standby's token.
    pub refusal: String,
}

/// The command, for a host that is to have this name. It may be run again after any failure, and goes on then.
pub fn renew(host: &str) -> Command {
    Command::new("sh").args(["-c", SCRIPT, "sh", host])
}

/// Reads the answer to [`renew`].
///
/// # Errors
/// What the server says of a failure, or an answer that does not show that nobody comes in any more who came in before.
pub fn parse(output: &Output) -> Result<Renewed> {
    let facts = facts(output)?;
    let devices = one(&facts, "devices")?;
    ensure!(devices == "0", "devices are still paired that came before: {devices}");
    Ok(Renewed { refusal: refusal(&facts)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(stdout: &str) -> Result<Renewed> {
        parse(&Output { status: 0, stdout: stdout.to_owned(), stderr: String::new() })
    }

    #[test]
    fn nobody_who_came_before_may_be_let_in() {
        let whole = "kept=0\nold=AUTH_TOKEN_MISMATCH\nnew=hello-ok\ndevices=0\n";
        assert_eq!(said(whole).unwrap().refusal, "AUTH_TOKEN_MISMATCH");
        for line in ["old=AUTH_TOKEN_MISMATCH\n", "new=hello-ok\n", "devices=0\n"] {
            assert!(said(&whole.replace(line, "")).is_err(), "without {line}");
        }
        assert!(said(&whole.replace("devices=0", "devices=1")).is_err());
        assert!(said(&whole.replace("hello-ok", "AUTH_TOKEN_MISMATCH")).is_err());
    }

    #[test]
    fn the_command_fits_into_one_argument_and_names_the_host() {
        let command = renew("cb-abcdefgh-alice").to_string();
        assert!(command.ends_with(" sh cb-abcdefgh-alice"), "{command}");
        // Linux takes 128 KiB in one argument, and sshd makes one of it
        assert!(command.len() < 64 << 10, "{} bytes", command.len());
    }
}
