//! Commands from a point of view: a stranger's or the operator's, with the lab's DNS.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::{Context, Error, Result, bail};

use super::dir::LabDir;
use super::platform;
use super::supervisor::Kind;

/// Where a command runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Viewpoint {
    /// A stranger on the Internet.
    World,
    /// The operator's own computer: this host.
    Admin,
}

/// The lab's resolver over the host's, in a mount namespace that nobody else sees; then the command.
const WITH_RESOLVER: &str = r#"mount --bind "$0" /etc/resolv.conf && exec "$@""#;

/// Becomes the command; its exit code is this process's. Returns only if it could not be run.
pub fn exec(dir: &LabDir, from: Viewpoint, command: &[OsString]) -> Error {
    match prepared(dir, from, command) {
        Ok(mut program) => Error::from(program.exec()).context("cannot run the command"),
        Err(error) => error,
    }
}

fn prepared(dir: &LabDir, from: Viewpoint, command: &[OsString]) -> Result<Command> {
    let record = dir.record()?.filter(|_| dir.answers());
    if record.as_ref().is_some_and(|record| record.kind() == Kind::Scripted) {
        bail!(
            "scripted hosts have no viewpoints, they are on this computer's loopback: run the command itself"
        );
    }
    platform::check()?;
    let slot = record.and_then(|record| record.slot);
    let slot = slot.context("no lab with machines runs here: run `clawberth lab up`")?;
    let resolver = dir.file("resolv.conf");
    std::fs::write(&resolver, format!("nameserver {}\n", slot.services().0))?;
    let mut words: Vec<OsString> = Vec::new();
    if from == Viewpoint::World {
        words.extend(["nsenter".into(), format!("--net=/run/netns/{}", slot.world()).into()]);
    }
    words.extend(
        ["unshare", "--mount", "--propagation", "private", "sh", "-c", WITH_RESOLVER].map(OsString::from),
    );
    words.push(resolver.into());
    words.extend(command.iter().cloned());
    let (program, arguments) = words.split_first().context("there is no command to run")?;
    let mut program = Command::new(program);
    program.args(arguments);
    Ok(program)
}
