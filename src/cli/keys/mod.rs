//! `clawberth keys …`

mod add;
mod list;
mod remove;
mod rotate;

use super::change::{Change, Changed, change};
use super::context::Context;
use super::fleet::Fleet;
use super::{Failure, Status, walk};
use crate::apply::Report;
use crate::config::{Flags, Settings};
use crate::hcloud::Client;
use crate::model::instance::Instance;
use crate::model::operator_key::Admitted;
use crate::plan::Plan;
use crate::ssh::PublicLine;
use crate::ui::counted;

/// Which keys log in to the servers of the fleet, and change that
///
/// The fleet's own key, by which every command logs in, lies beside the state, or is in an ssh-agent. Keys of other people and programs can log in beside
/// it. A change reaches all servers; cut off anywhere, or where a server is not reached, the same command goes on.
#[derive(Debug, clap::Args)]
pub(super) struct Keys {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    List(list::List),
    Add(add::Add),
    Remove(remove::Remove),
    Rotate(rotate::Rotate),
}

impl Keys {
    pub(super) async fn run(self, flags: &Flags, context: &mut Context) -> Result<Status, Failure> {
        let settings = Settings::load(flags, &context.env, &context.cwd)?;
        match self.command {
            Command::List(command) => command.run(&settings, context).await,
            Command::Add(command) => command.run(&settings, context).await,
            Command::Remove(command) => command.run(&settings, context).await,
            Command::Rotate(command) => command.run(&settings, context).await,
        }
    }
}

/// How a change came out.
enum Came {
    /// All is as it was to be; whether anything was done for that.
    Through(bool),
    /// It is not, and whoever asked was told why.
    Short(Status),
}

/// Plans, asks, walks, and tells what went wrong.
async fn carry_out(
    command: &impl Change,
    client: &Client,
    settings: &Settings,
    context: &mut Context,
) -> Result<Came, Failure> {
    Ok(match change(command, client, settings, context).await? {
        Changed::Nothing(_) => Came::Through(false),
        Changed::Declined => Came::Short(Status::Failed),
        Changed::Walked(_, report) => match conclude(report, context) {
            Status::Success => Came::Through(true),
            status => Came::Short(status),
        },
    })
}

fn conclude(report: Report, context: &mut Context) -> Status {
    let status = walk::conclude(report, context);
    if status == Status::Failed {
        context.ui.note("the keys that were in force stay so until every server was reached");
    }
    status
}

/// Asks, unless that was answered beforehand.
fn agreed(yes: bool, what: &str, context: &mut Context) -> Result<bool, Failure> {
    if yes { Ok(true) } else { context.agreed(&format!("{what}?"), what, "say --yes") }
}

/// As OpenSSH shows it; where it is none, as it is.
fn fingerprint(public: &str) -> String {
    PublicLine::parse(public).map_or_else(|_| public.to_owned(), |line| line.fingerprint)
}

/// What the servers let in, by instance.
fn servers(fleet: &Fleet) -> impl Iterator<Item = (&Instance, &Admitted)> {
    fleet.instances.iter().filter_map(|one| Some((one, &one.stage.server()?.admitted)))
}

/// Of how many servers something is done.
fn counted_servers(plan: &Plan) -> String {
    counted(plan.subjects().count(), "server")
}
