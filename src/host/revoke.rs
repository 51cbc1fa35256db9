//! The revocation of a server's certificate, as the server does it in one command.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::model::audit::Facts;
use crate::ssh::{Command, Output};

/// What is run there.
const SCRIPT: &str = include_str!("../../templates/revoke.sh");
/// Longest wait for its end, with the login before it. Who is removed is not to be waited for.
pub const LIMIT: Duration = Duration::from_secs(10);

/// The command. It may be run again.
pub fn revoke() -> Command {
    Command::new("sh").args(["-c", SCRIPT])
}

/// The serial number of the certificate, in hexadecimal, that the authority holds for revoked.
///
/// # Errors
/// What the server says of a failure.
pub fn parse(output: &Output) -> Result<String> {
    if output.status != 0 {
        match output.stderr.trim() {
            "" => bail!("the server says nothing, and ended with {}", output.status),
            said => bail!("{said}"),
        }
    }
    let facts = Facts::parse(&output.stdout);
    let serial = facts.one("serial").filter(|serial| serial.chars().all(|c| c.is_ascii_hexdigit()));
    Ok(serial.context("the server does not say which one")?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(status: u32, stdout: &str, stderr: &str) -> Output {
        Output { status, stdout: stdout.to_owned(), stderr: stderr.to_owned() }
    }

    #[test]
    fn a_revoked_certificate_is_named() {
        assert_eq!(parse(&said(0, "serial=0af3\n", "")).unwrap(), "0af3");
        for (output, why) in [
            (said(0, "", ""), "the server does not say which one"),
            (said(0, "serial=x\n", ""), "the server does not say which one"),
            (said(1, "", "there is none yet\n"), "there is none yet"),
            (said(124, "", ""), "the server says nothing, and ended with 124"),
        ] {
            assert_eq!(parse(&output).unwrap_err().to_string(), why);
        }
    }

    #[test]
    fn the_command_says_what_it_is() {
        let command = revoke().to_string();
        assert!(command.starts_with("sh -c '# Revokes the certificate"), "{command}");
    }
}
