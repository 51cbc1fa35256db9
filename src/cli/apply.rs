//! `clawberth apply`

use super::context::Context;
use super::rollout::{Begin, How, Wanted, Which, begin};
use super::{Failure, Status};
use crate::config::{Flags, Settings};
use crate::model::refusal::Refusal;

/// Bring the policies of clawberth.toml to the gateways, in waves, without taking a working one down
///
/// Each gateway's own release says first whether it knows all of it. What a user has set in the dashboard stays, unless the
/// policy names it. The first instance goes alone; `clawberth update --status`, --pause, --resume and --abort are for this, too.
#[derive(Debug, clap::Args)]
pub(super) struct Apply {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    how: How,
}

impl Apply {
    pub(super) async fn run(self, flags: &Flags, context: &mut Context) -> Result<Status, Failure> {
        let settings = Settings::load(flags, &context.env, &context.cwd)?;
        if self.which.is_none() {
            let hint = "name them, or say --all, or --selector KEY=VALUE";
            return Err(Refusal::new("no instances are named", hint).into());
        }
        let Self { which, how } = &self;
        begin(Begin { which, how, settings: &settings, change: Wanted::Policies }, context).await
    }
}
