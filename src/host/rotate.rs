//! The replacement of a gateway's token, as its server does it in one command.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::model::audit::Facts;
use crate::ssh::{Command, Output};

/// What is run there.
const SCRIPT: &str =
    concat!(include_str!("../../templates/token.sh"), include_str!("../../templates/rotate.sh"));
/// Longest wait for its end: somebody else's work there (900 s), the gateway's own (330 s), its start (300 s), the proof.
pub const LIMIT: Duration = Duration::from_secs(900 + 330 + 300 + 300);

/// How it went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rotated {
    /// With which word the gateway refused the old token.
    pub refusal: String,
    /// From the order to restart until the gateway was ready, as the server measured.
    pub down: Duration,
}

/// The command. It may be run again after any failure, and goes on then.
pub fn rotate() -> Command {
    Command::new("sh").args(["-c", SCRIPT])
}

/// Reads the answer to [`rotate`].
///
/// # Errors
/// What the server says of a failure, or an answer that does not show that the old token is dead and the new one works.
pub fn parse(output: &Output) -> Result<Rotated> {
    let facts = facts(output)?;
    let down = one(&facts, "down_ms")?;
    let down = down.parse().context("the server does not say how long nobody was answered")?;
    Ok(Rotated { refusal: refusal(&facts)?, down: Duration::from_millis(down) })
}

/// What the server says it has come to.
pub(super) fn facts(output: &Output) -> Result<Facts> {
    if output.status == 0 {
        return Ok(Facts::parse(&output.stdout));
    }
    match output.stderr.trim() {
        "" => bail!("the server says nothing, and ended with {}", output.status),
        said => bail!("{said}"),
    }
}

/// With which word the gateway refuses the old token, where it accepts the new one.
pub(super) fn refusal(facts: &Facts) -> Result<String> {
    match (one(facts, "old")?, one(facts, "new")?) {
        (refusal, "hello-ok") => Ok(refusal.to_owned()),
        (_, answer) => bail!("the new token is answered with {answer}"),
    }
}

pub(super) fn one<'a>(facts: &'a Facts, key: &str) -> Result<&'a str> {
    facts.one(key).with_context(|| format!("the server does not say what {key} is"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(status: u32, stdout: &str, stderr: &str) -> Output {
        Output { status, stdout: stdout.to_owned(), stderr: stderr.to_owned() }
    }

    #[test]
    fn the_old_token_s_end_has_to_be_told() {
        let whole = "kept=1\ndown_ms=8123\nold=AUTH_TOKEN_MISMATCH\nnew=hello-ok\n";
        let rotated = parse(&said(0, whole, "")).unwrap();
        assert_eq!(rotated.refusal, "AUTH_TOKEN_MISMATCH");
        assert_eq!(rotated.down, Duration::from_millis(8123));
        for line in ["down_ms=8123\n", "old=AUTH_TOKEN_MISMATCH\n", "new=hello-ok\n"] {
            assert!(parse(&said(0, &whole.replace(line, ""), "")).is_err(), "without {line}");
        }
        assert!(parse(&said(0, &whole.replace("hello-ok", "AUTH_TOKEN_MISMATCH"), "")).is_err());
    }

    #[test]
    fn a_failure_is_told_in_the_server_s_words() {
        let error = parse(&said(1, "kept=0\n", "the set-up runs\n")).unwrap_err();
        assert_eq!(error.to_string(), "the set-up runs");
        assert_eq!(
            parse(&said(255, "", "")).unwrap_err().to_string(),
            "the server says nothing, and ended with 255"
        );
    }

    #[test]
    fn the_command_fits_into_one_argument_and_names_no_token() {
        let command = rotate().to_string();
        assert!(command.contains("# Replaces the gateway"), "{command}");
        // Linux takes 128 KiB in one argument, and sshd makes one of it
        assert!(command.len() < 64 << 10, "{} bytes", command.len());
    }
}
