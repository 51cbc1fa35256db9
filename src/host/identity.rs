//! Which server this is, in its own words.

use anyhow::{Result, ensure};

use crate::ssh::{Command, Output};

/// Asks for the server's id as Hetzner gave it to cloud-init.
pub fn server_id() -> Command {
    Command::new("cat").arg("/var/lib/cloud/data/instance-id")
}

/// Reads the answer to [`server_id`].
///
/// # Errors
/// Where cloud-init has not written it yet.
pub fn parse_server_id(output: &Output) -> Result<String> {
    let id = output.stdout.trim();
    ensure!(
        output.status == 0 && !id.is_empty(),
        "the server does not know its id yet: {}",
        output.stderr.trim()
    );
    Ok(id.to_owned())
}
