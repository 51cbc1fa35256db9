//! What a host tells of itself, asked over SSH in one command that changes nothing.

use std::time::Duration;

use crate::model::audit::Facts;
use crate::ssh::{Command, Session, SshError, Target};

/// The questions. The gateway's command line needs some seconds for each of them.
const QUESTIONS: &str = include_str!("../../templates/audit.sh");
/// Longest wait for all answers: the command line takes six seconds on two idle cores, and over a minute where they are busy.
const LIMIT: Duration = Duration::from_secs(180);

/// The command.
pub fn questions() -> Command {
    Command::new("sh").args(["-c", QUESTIONS])
}

/// Asks a host. Its key is compared with the pinned one before anything is said.
///
/// # Errors
/// What SSH says.
pub async fn ask(target: &Target) -> Result<Facts, SshError> {
    let session = Session::connect(target).await?;
    let output = session.run(&questions(), LIMIT).await;
    session.close().await;
    Ok(Facts::parse(&output?.stdout))
}
