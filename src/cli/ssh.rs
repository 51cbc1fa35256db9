//! `clawberth ssh`

use std::io::Write;
use std::os::unix::process::CommandExt;

use anyhow::Context as _;

use super::context::Context;
use super::fleet::{Fleet, beside, key_path};
use super::{Failure, Status};
use crate::config::{Flags, Settings};
use crate::model::instance::Instance;
use crate::model::name::InstanceName;
use crate::model::refusal::Refusal;
use crate::ssh;

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
        let known_hosts = beside(&settings, &fleet.id, "known_hosts")?;
        write_known_hosts(&known_hosts, &fleet.instances)?;
        let mut client = std::process::Command::new("ssh");
        let option = |key: &str, value: &dyn std::fmt::Display| format!("-o{key}={value}");
        client
            .arg("-F/dev/null")
            .arg("-i")
            .arg(key_path(&settings, &fleet.id)?)
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
        // on success this process is the client
        let error = client.exec();
        if error.kind() == std::io::ErrorKind::NotFound {
            return Err(Refusal::new("no ssh program", "install it: `apt-get install openssh-client`").into());
        }
        Err(anyhow::Error::new(error).context("cannot start ssh").into())
    }
}

/// The name under which the key of this very server is known: an address may belong to another one later.
fn alias(instance: &Instance) -> String {
    format!("clawberth-{}", instance.stage.server().map_or(0, |server| server.id))
}

fn write_known_hosts(path: &std::path::Path, instances: &[Instance]) -> Result<(), Failure> {
    let new = path.with_extension(format!("known_hosts.{}", std::process::id()));
    let what = || format!("cannot write {}", path.display());
    let mut file = std::fs::File::create(&new).with_context(what)?;
    for instance in instances {
        if let Some(server) = instance.stage.server() {
            for key in server.host_keys() {
                writeln!(file, "{} {key}", alias(instance)).with_context(what)?;
            }
        }
    }
    std::fs::rename(&new, path).with_context(what)?;
    Ok(())
}
