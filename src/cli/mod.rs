//! The command line: one file per command.

mod access;
mod apply;
mod audit;
mod change;
mod context;
mod deploy;
mod destroy;
mod error;
mod exec;
mod fleet;
mod image;
mod init;
mod keys;
mod lab;
mod list;
mod open;
mod own_key;
mod pool;
mod reconcile;
mod record;
mod releases;
mod rollback;
mod rollout;
mod rotate;
mod secrets;
mod show;
mod ssh;
mod ssh_config;
mod state;
mod update;
mod walk;

use std::error::Error as _;
use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::config::{Flags, VARIABLES};
use crate::model::name::InvalidName;
use crate::model::refusal::Refusal;
use context::Context;
pub use error::{Failure, Status};

/// One command from nothing to a dedicated server that runs the OpenClaw gateway, and one back.
///
/// Each instance is a Hetzner Cloud server of its own, with its own certificate; only port 443 is open to the world.
#[derive(Debug, Parser)]
#[command(name = "clawberth", version, propagate_version = false, disable_help_subcommand = true)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// What every command takes.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Options of every command")]
struct Global {
    /// Read this file instead of ./clawberth.toml or the one in the user's configuration folder
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<std::path::PathBuf>,
    /// Keep the state in this file, or in a PostgreSQL database: postgres://USER@HOST/DATABASE
    #[arg(long, global = true, value_name = "FILE|URL")]
    state: Option<String>,
    /// Answer in JSON
    #[arg(long, global = true)]
    json: bool,
    /// Tell nothing but the answer and errors
    #[arg(long, short, global = true)]
    quiet: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    Init(init::Init),
    Deploy(deploy::Deploy),
    List(list::List),
    Show(show::Show),
    Ssh(ssh::Ssh),
    Exec(exec::Exec),
    SshConfig(ssh_config::SshConfig),
    Open(open::Open),
    Releases(releases::Releases),
    Update(update::Update),
    Rollback(rollback::Rollback),
    Apply(apply::Apply),
    Access(access::Access),
    Rotate(rotate::Rotate),
    Keys(keys::Keys),
    Audit(audit::Audit),
    Image(image::Image),
    Pool(pool::Pool),
    Destroy(destroy::Destroy),
    State(state::State),
    Reconcile(reconcile::Reconcile),
    Lab(lab::Lab),
}

impl Global {
    fn flags(&self) -> Flags {
        Flags { config: self.config.clone(), state: self.state.clone(), ..Flags::default() }
    }
}

/// Runs one command line in one environment.
pub(crate) fn run(
    args: impl IntoIterator<Item = OsString>,
    env: impl IntoIterator<Item = (OsString, OsString)>,
) -> ExitCode {
    let args: Vec<OsString> = args.into_iter().collect();
    let cli = match parse(&args) {
        Ok(cli) => cli,
        Err(shown) => {
            if let Some(refusal) = refusal(&shown) {
                return error::print_bare(&refusal.into());
            }
            let code = if shown.use_stderr() { Status::Usage } else { Status::Success };
            // help goes to stdout, usage errors to stderr; a closed stream changes nothing
            let _ = shown.print();
            return code.into();
        }
    };
    let mut context = match Context::new(&cli.global, &args, env) {
        Ok(context) => context,
        Err(failure) => return error::print_bare(&failure),
    };
    let outcome = runtime().and_then(|runtime| runtime.block_on(dispatch(cli, &mut context)));
    match outcome {
        Ok(status) => status.into(),
        Err(failure) => error::print(&failure, &mut context.ui),
    }
}

fn parse(args: &[OsString]) -> Result<Cli, clap::Error> {
    let matches = Cli::command().after_long_help(variables()).try_get_matches_from(args)?;
    Cli::from_arg_matches(&matches)
}

/// What is wrong with a name is told as every other refusal is; the rest of bad usage is told by clap.
fn refusal(usage: &clap::Error) -> Option<Refusal> {
    usage.source()?.downcast_ref::<InvalidName>().map(InvalidName::refusal)
}

fn variables() -> String {
    let width = 26;
    let lines = VARIABLES.iter().map(|(name, use_of)| format!("  {name:<width$} {use_of}"));
    format!("Environment:\n{}", lines.collect::<Vec<_>>().join("\n"))
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::from(anyhow::Error::new(error).context("cannot start the runtime")))
}

async fn dispatch(cli: Cli, context: &mut Context) -> Result<Status, Failure> {
    let flags = cli.global.flags();
    match cli.command {
        Command::Init(command) => command.run(&flags, context),
        Command::Deploy(command) => command.run(flags, context).await,
        Command::List(command) => command.run(&flags, context).await,
        Command::Show(command) => command.run(&flags, context).await,
        Command::Ssh(command) => command.run(&flags, context).await,
        Command::Exec(command) => command.run(&flags, context).await,
        Command::SshConfig(command) => command.run(&flags, context).await,
        Command::Open(command) => command.run(&flags, context).await,
        Command::Releases(command) => command.run(&flags, context).await,
        Command::Rotate(command) => command.run(&flags, context).await,
        Command::Keys(command) => command.run(&flags, context).await,
        Command::Audit(command) => command.run(&flags, context).await,
        Command::Image(command) => command.run(flags, context).await,
        Command::Pool(command) => command.run(flags, context).await,
        Command::Update(command) => command.run(flags, context).await,
        Command::Rollback(command) => command.run(&flags, context).await,
        Command::Apply(command) => command.run(&flags, context).await,
        Command::Access(command) => command.run(&flags, context).await,
        Command::Lab(command) => {
            command.run(cli.global.json, context.ui.stdout()).await?;
            Ok(Status::Success)
        }
        Command::Reconcile(command) => command.run(&flags, context).await,
        Command::Destroy(command) => command.run(&flags, context).await,
        Command::State(command) => command.run(&flags, context).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}
