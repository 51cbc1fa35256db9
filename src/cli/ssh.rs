//! `clawberth ssh`

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};

use super::context::Context;
use super::fleet::{Fleet, beside};
use super::{Failure, Status};
use crate::config::{Flags, Settings};
use crate::model::instance::{Instance, Server};
use crate::model::name::InstanceName;
use crate::model::refusal::Refusal;
use crate::ssh::{self, SshError};

/// Log in to an instance's server as root, or run a command there
///
/// OpenSSH's client does the talking; it accepts only the host key that is pinned to the server.
#[derive(Debug, clap::Args)]
pub(super) struct Ssh {
    /// Name of the instance
    name: InstanceName,
    /// Command and arguments to run there; each argument arrives as it is
    #[arg(last = true, value_name = "CMD")]
    command: Vec<String>,
}

impl Ssh {
    pub(super) async fn run(self, flags: &Flags, context: &mut Context) -> Result<Status, Failure> {
        let settings = Settings::load(flags, &context.env, &context.cwd)?;
        let fleet = Fleet::find(&settings, context).await?;
        let instance = fleet.instance(&self.name)?;
        let target = fleet.target(instance)?;
        let identity = fleet.identity(&settings)?;
        let known_hosts = beside(&settings, &fleet.id, "known_hosts")?;
        write(&known_hosts, &self::known_hosts(&fleet.instances))?;
        let mut client = tokio::process::Command::new("ssh");
        let option = |key: &str, value: &dyn std::fmt::Display| format!("-o{key}={value}");
        client
            .arg("-F/dev/null")
            .arg("-i")
            .arg(&identity)
            .arg(option("IdentitiesOnly", &"yes"))
            .arg(option("UserKnownHostsFile", &format!("\"{}\"", known_hosts.display())))
            .arg(option("GlobalKnownHostsFile", &"/dev/null"))
            .arg(option("StrictHostKeyChecking", &"yes"))
            .arg(option("HostKeyAlias", &alias(instance)))
            .arg(option("HostKeyAlgorithms", &"ssh-ed25519"))
            .arg(option("LogLevel", &"ERROR"))
            .arg(format!("{}@{}", target.user, target.address));
        if let Some((program, arguments)) = self.command.split_first() {
            let command = ssh::Command::new(program).args(arguments.iter().map(String::as_str));
            client.arg("--").arg(command.to_string());
        }
        let code = ended(client).await?;
        // OpenSSH would advise to forget the pinned key. This asks only where it failed: sshd takes who comes and does not log
        // in for a nuisance, and after some it answers nobody from there for a while
        if code == FAILED
            && let Err(error @ SshError::WrongHostKey { .. }) = ssh::Session::greet(&target).await
        {
            return Err(anyhow::Error::new(error).context(format!("cannot log in to {}", self.name)).into());
        }
        Ok(Status::Remote(code))
    }
}

/// OpenSSH's own exit status, where no command's was heard.
const FAILED: u8 = 255;

/// Runs the client to its end. What the terminal's keys mean is its business; who ends this ends the client.
async fn ended(mut client: tokio::process::Command) -> Result<u8, Failure> {
    let what = "cannot start ssh";
    let (_interrupt, _quit) =
        (signal(SignalKind::interrupt()).context(what)?, signal(SignalKind::quit()).context(what)?);
    let mut terminate = signal(SignalKind::terminate()).context(what)?;
    let mut client = match client.kill_on_drop(true).spawn() {
        Ok(client) => client,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(Refusal::new("no ssh program", "install it: `apt-get install openssh-client`").into());
        }
        Err(error) => return Err(anyhow::Error::new(error).context(what).into()),
    };
    let status = tokio::select! {
        status = client.wait() => status.context("cannot wait for ssh")?,
        _ = terminate.recv() => return Ok(FAILED),
    };
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(FAILED))
}

/// The name under which the key of this very server is known: an address may belong to another one later.
pub(super) fn alias(instance: &Instance) -> String {
    format!("clawberth-{}", instance.stage.server().map_or(0, |server| server.id))
}

/// The pinned keys of all servers, by [`alias`].
pub(super) fn known_hosts(instances: &[Instance]) -> String {
    let of_one = |instance: &Instance| {
        let keys = instance.stage.server().map(Server::host_keys).unwrap_or_default();
        keys.iter().map(|key| format!("{} {key}\n", alias(instance))).collect::<String>()
    };
    instances.iter().map(of_one).collect()
}

/// Writes a file that only its owner reads, whole or not at all.
pub(super) fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let mut new = path.as_os_str().to_owned();
    new.push(format!(".{}", std::process::id()));
    let what = || format!("cannot write {}", path.display());
    let mut options = std::fs::OpenOptions::new();
    let file = options.write(true).create(true).truncate(true).mode(0o600).open(&new);
    let written = file.and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&new, path)
    });
    Ok(written.with_context(what)?)
}
