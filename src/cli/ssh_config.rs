//! `clawberth ssh-config`

use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::context::Context;
use super::fleet::{Fleet, beside};
use super::ssh::{alias, known_hosts, write};
use super::{Failure, Status};
use crate::config::{Flags, Settings};
use crate::model::instance::{Instance, Server};

/// Print a configuration for OpenSSH: `ssh NAME`, scp, rsync and Ansible then accept only the pinned host keys
///
/// Use it with `ssh -F FILE`, or write it and put `Include DIR/config` at the top of ~/.ssh/config. It knows the servers of
/// now: after a deploy or destroy, run this again.
#[derive(Debug, clap::Args)]
pub(super) struct SshConfig {
    /// Write `config` and `known_hosts` into this folder instead
    #[arg(long, value_name = "DIR")]
    write: Option<PathBuf>,
}

impl SshConfig {
    pub(super) async fn run(self, flags: &Flags, context: &mut Context) -> Result<Status, Failure> {
        let settings = Settings::load(flags, &context.env, &context.cwd)?;
        let fleet = Fleet::find(&settings, context).await?;
        let key = fleet.identity(&settings)?;
        let by_agent = fleet.own()?.file.is_none();
        let known = match &self.write {
            Some(folder) => context.cwd.join(folder).join("known_hosts"),
            None => beside(&settings, &fleet.id, "known_hosts")?,
        };
        let servers = fleet.instances.iter().filter_map(|one| Some((one, one.stage.server()?)));
        let hosts = servers.map(|(instance, server)| host(instance, server, &key, &known, by_agent));
        let config = hosts.collect::<Vec<_>>().join("\n");
        let Some(folder) = self.write.map(|folder| context.cwd.join(folder)) else {
            if fleet.is_written() {
                write(&known, &known_hosts(&fleet.instances))?;
            }
            context.ui.answer(config.trim_end())?;
            return Ok(Status::Success);
        };
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        // the keys first: a configuration without them would refuse every server
        write(&known, &known_hosts(&fleet.instances))?;
        let path = folder.join("config");
        write(&path, &config)?;
        context.ui.note(&format!("written; next: `ssh -F {} NAME`", path.display()));
        Ok(Status::Success)
    }
}

/// One server. The name of its key goes by its id, because its address may belong to another one later.
fn host(instance: &Instance, server: &Server, key: &Path, known: &Path, by_agent: bool) -> String {
    let (name, address, alias) = (&instance.name, server.ipv4, alias(instance));
    let (key, known) = (quoted(key), quoted(known));
    // the one of whoever runs OpenSSH: sockets change with each login
    let agent = if by_agent { "    IdentityAgent SSH_AUTH_SOCK\n" } else { "" };
    format!(
        "Host {name}
    HostName {address}
    User root
    IdentityFile {key}
{agent}    IdentitiesOnly yes
    UserKnownHostsFile {known}
    GlobalKnownHostsFile /dev/null
    StrictHostKeyChecking yes
    HostKeyAlias {alias}
    HostKeyAlgorithms ssh-ed25519
"
    )
}

/// A path as OpenSSH's configuration takes it: in quotes, and `%` begins no token.
fn quoted(path: &Path) -> String {
    format!("\"{}\"", path.display().to_string().replace('%', "%%"))
}
