//! Programs of the host that the lab runs: `ip`, `nft`, `mount`, `mmdebstrap`, `npm`.

use std::ffi::OsStr;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::time::timeout;

/// What a change of network, mounts or rules may take; it takes milliseconds.
const QUICK: Duration = Duration::from_secs(30);

/// Runs `ip` with words separated by spaces. Every word is made by the lab itself.
pub(super) async fn ip(words: &str) -> Result<String> {
    run("ip", words.split_whitespace(), QUICK).await
}

/// Loads nft commands in one transaction, in a network namespace or (`None`) on the host.
pub(super) async fn nft(namespace: Option<&str>, commands: &str) -> Result<()> {
    let mut command = match namespace {
        None => Command::new("nft"),
        Some(name) => inside(name, "nft"),
    };
    command.args(["-f", "-"]);
    finish(command, "nft", Some(commands), QUICK).await.map(drop)
}

/// Runs a shell line in a network namespace; arguments arrive as `$1`, `$2` …
pub(super) async fn shell_inside(namespace: &str, script: &str) -> Result<String> {
    let mut command = inside(namespace, "sh");
    command.args(["-c", script]);
    finish(command, "sh", None, QUICK).await
}

/// Runs a program and returns what it printed. An error carries what it complained about.
pub(super) async fn run<A: AsRef<OsStr>>(
    program: &str,
    arguments: impl IntoIterator<Item = A>,
    limit: Duration,
) -> Result<String> {
    let mut command = Command::new(program);
    command.args(arguments);
    finish(command, program, None, limit).await
}

/// The same for a program that needs a moment only.
pub(super) async fn quick<A: AsRef<OsStr>>(
    program: &str,
    arguments: impl IntoIterator<Item = A>,
) -> Result<String> {
    run(program, arguments, QUICK).await
}

fn inside(namespace: &str, program: &str) -> Command {
    let mut command = Command::new("nsenter");
    command.arg(format!("--net=/run/netns/{namespace}")).arg(program);
    command
}

async fn finish(mut command: Command, name: &str, input: Option<&str>, limit: Duration) -> Result<String> {
    let stdin = if input.is_some() { Stdio::piped() } else { Stdio::null() };
    let piped = command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.kill_on_drop(true).spawn().with_context(|| format!("cannot run {name}"))?;
    let work = async {
        if let (Some(text), Some(mut pipe)) = (input, child.stdin.take()) {
            pipe.write_all(text.as_bytes()).await?;
        }
        child.wait_with_output().await
    };
    let output = timeout(limit, work).await;
    let output = output.with_context(|| format!("{} still ran after {limit:?}", told(&command)))??;
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr);
        bail!("{}: {} ({})", told(&command), last_lines(&complaint, 5), output.status);
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn told(command: &Command) -> String {
    let std = command.as_std();
    let words = std::iter::once(std.get_program()).chain(std.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}

/// The last lines of a text that say something, for an error.
pub(super) fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let from = lines.len().saturating_sub(count);
    lines.get(from..).unwrap_or_default().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_error_carries_command_complaint_and_status() {
        let error = quick("sh", ["-c", "echo no such thing >&2; exit 3"]).await.unwrap_err();
        assert_eq!(error.to_string(), "sh -c echo no such thing >&2; exit 3: no such thing (exit status: 3)");
    }

    #[tokio::test]
    async fn a_program_that_hangs_is_given_up() {
        let error = run("sleep", ["60"], Duration::from_millis(50)).await.unwrap_err();
        assert!(error.to_string().starts_with("sleep 60 still ran after"), "{error}");
    }
}
