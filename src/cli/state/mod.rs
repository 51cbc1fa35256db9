//! `clawberth state …`

mod backup;
mod check;
mod copy;
mod export;
mod history;
mod import;

use super::context::Context;
use super::{Failure, Status};
use crate::config::{Flags, Settings};
use crate::model::refusal::Refusal;
use crate::store::Store;

/// Look at the state itself, keep it, check it, or move it
#[derive(Debug, clap::Args)]
pub(super) struct State {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Export(export::Export),
    Import(import::Import),
    Check(check::Check),
    Backup(backup::Backup),
    History(history::History),
    Copy(copy::Copy),
}

impl State {
    pub(super) async fn run(self, flags: &Flags, context: &mut Context) -> Result<Status, Failure> {
        let settings = Settings::load(flags, &context.env, &context.cwd)?;
        match self.command {
            Command::Export(command) => command.run(&settings, context).await,
            Command::Import(command) => command.run(&settings, context).await,
            Command::Check(command) => command.run(&settings, context).await,
            Command::Backup(command) => command.run(&settings, context).await,
            Command::History(command) => command.run(&settings, context).await,
            Command::Copy(command) => command.run(&settings, context).await,
        }
    }
}

/// The state as it is at this moment, whoever writes meanwhile.
async fn snapshot(settings: &Settings) -> Result<Store, Failure> {
    let store = Store::open_snapshot(&settings.state).await?;
    let hint = "name it with --state; `clawberth deploy NAME` begins one";
    Ok(store.ok_or_else(|| Refusal::new(format!("there is no state in {}", settings.state), hint))?)
}
