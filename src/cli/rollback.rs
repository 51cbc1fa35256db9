//! `clawberth rollback`

use super::context::Context;
use super::rollout::{Begin, How, Wanted, Which, begin};
use super::{Failure, Status};
use crate::config::{Flags, Settings};
use crate::model::refusal::Refusal;
use crate::model::release::OpenClawVersion;

/// Take instances back to a release that their servers keep, with the state that it had
///
/// What was written since then is set aside on the server, with the release that ran. It goes in waves, as an update does, and
/// `clawberth update --status`, --pause, --resume and --abort are for it, too.
#[derive(Debug, clap::Args)]
pub(super) struct Rollback {
    #[command(flatten)]
    which: Which,
    /// The OpenClaw release [the one that they ran before]
    #[arg(long, value_name = "VERSION")]
    to: Option<OpenClawVersion>,
    /// Also to a release with holes that are known and used
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    how: How,
}

impl Rollback {
    pub(super) async fn run(self, flags: &Flags, context: &mut Context) -> Result<Status, Failure> {
        let settings = Settings::load(flags, &context.env, &context.cwd)?;
        if self.which.is_none() {
            let hint = "name them, or say --all, or --selector KEY=VALUE";
            return Err(Refusal::new("no instances are named", hint).into());
        }
        let Self { which, to, force, how } = &self;
        let change = Wanted::Before { to: *to, force: *force };
        begin(Begin { which, how, settings: &settings, change }, context).await
    }
}
