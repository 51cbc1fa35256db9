//! `clawberth pool …`

mod drain;
mod fill;
mod status;

use super::context::Context;
use super::{Failure, Status};
use crate::config::Flags;

/// Servers that serve already, of which `deploy` makes a user's in seconds
///
/// A standby is a server as any other, with a gateway that runs and a certificate for its address, but nobody's: it has no policy, and
/// cannot be opened. `deploy` takes one that fits by itself, where no domain is asked for. It is paid for as any other, and updated as
/// any other.
#[derive(Debug, clap::Args)]
pub(super) struct Pool {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Fill(fill::Fill),
    Status(status::PoolStatus),
    Drain(drain::Drain),
}

impl Pool {
    pub(super) async fn run(self, flags: Flags, context: &mut Context) -> Result<Status, Failure> {
        match self.command {
            Command::Fill(command) => command.run(flags, context).await,
            Command::Status(command) => command.run(&flags, context).await,
            Command::Drain(command) => command.run(&flags, context).await,
        }
    }
}
