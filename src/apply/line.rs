//! The way to a server: one connection for many commands, made anew where it breaks.

use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};

use super::{World, polling};
use crate::backoff::Backoff;
use crate::host::update::Part;
use crate::model::instance::{Instance, Server};
use crate::ssh::{Command, Output, Session, SshError, Target};

/// Longest run of one small remote command.
pub(super) const COMMAND: Duration = Duration::from_secs(60);
/// The port of SSH.
const SSH_PORT: u16 = 22;
/// How long a server may be out of reach before it is given up. One that updates itself has helped itself by then.
const LOST: Duration = Duration::from_secs(150);
/// How often one part of an update may lose its connection.
const BREAKS: u32 = 5;

/// One connection for many commands, made anew where it breaks.
pub(super) struct Line<'a> {
    target: &'a Target,
    session: Option<Session>,
}

impl<'a> Line<'a> {
    pub(super) fn new(target: &'a Target) -> Self {
        Self { target, session: None }
    }

    /// Runs a small command, again and again while there is no answer and time is left.
    pub(super) async fn run(&mut self, command: &Command, pauses: &mut Backoff) -> Result<Output> {
        loop {
            match self.try_run(command, "", COMMAND).await {
                Ok(output) => return Ok(output),
                Err(error) => again(error, pauses).await?,
            }
        }
    }

    async fn connect(&mut self, pauses: &mut Backoff) -> Result<()> {
        while self.session.is_none() {
            match Session::connect(self.target).await {
                Ok(session) => self.session = Some(session),
                Err(error) => again(error, pauses).await?,
            }
        }
        Ok(())
    }

    /// Runs a part of an update to its end. It is an "ensure": where the connection breaks it is run again, and waits there for
    /// itself.
    pub(super) async fn part(&mut self, part: Part) -> Result<Output> {
        self.long(&part.command(), part.limit()).await.with_context(|| part.to_string())
    }

    /// Runs a command that may take long, and may be run twice.
    pub(super) async fn long(&mut self, command: &Command, limit: Duration) -> Result<Output> {
        self.fed(command, "", limit).await
    }

    /// The same for one that reads this from its standard input.
    pub(super) async fn fed(&mut self, command: &Command, input: &str, limit: Duration) -> Result<Output> {
        for _ in 0..BREAKS {
            // before the command, so that its time does not count
            self.connect(&mut polling(LOST)).await?;
            match self.try_run(command, input, limit).await {
                Ok(output) => return Ok(output),
                Err(error @ SshError::TooSlow { .. }) => return Err(error.into()),
                Err(_) => {}
            }
        }
        Err(anyhow!("the connection broke {BREAKS} times"))
    }

    async fn try_run(&mut self, command: &Command, input: &str, limit: Duration) -> Result<Output, SshError> {
        let session = match self.session.take() {
            Some(session) => session,
            None => Session::connect(self.target).await?,
        };
        let output = session.run_with(command, input, limit).await?;
        self.session = Some(session);
        Ok(output)
    }
}

/// Waits for the next attempt, where there is hope and time is left.
async fn again(error: SshError, pauses: &mut Backoff) -> Result<()> {
    if error.is_final() {
        return Err(error.into());
    }
    match pauses.pause().await {
        Ok(()) => Ok(()),
        Err(late) => Err(anyhow!(error).context(format!("no SSH any more: {late}"))),
    }
}

pub(super) fn server(instance: &Instance) -> Result<&Server> {
    instance.stage.server().context("the instance has no server at this stage")
}

pub(super) fn target(instance: &Instance, world: &World) -> Result<Target> {
    let server = server(instance)?;
    Ok(Target {
        address: server.ipv4.into(),
        port: SSH_PORT,
        user: "root".to_owned(),
        keys: world.keys.all(),
        host_keys: server.host_keys().into_iter().map(str::to_owned).collect(),
        signer: server.signer().map(str::to_owned),
    })
}
