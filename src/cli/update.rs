//! `clawberth update`

use super::context::Context;
use super::deploy;
use super::rollout::{Begin, Control, How, Wanted, Which, begin, control};
use super::{Failure, Status};
use crate::config::{Flags, Settings};
use crate::model::refusal::Refusal;
use crate::model::rollout::Change;

/// Bring instances to another OpenClaw release, in waves, without taking a working one down
///
/// Each server rehearses the release on a copy of its state before it switches, and goes back by itself where that does not
/// work. The first instance goes alone.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("control").args(["status", "pause", "resume", "abort"]).multiple(false))]
pub(super) struct Update {
    #[command(flatten)]
    which: Which,
    /// The OpenClaw release: an exact version, or "latest" of the npm registry [the newest tested one]
    #[arg(long, value_name = "VERSION", conflicts_with = "os")]
    version: Option<String>,
    /// Instead of a release, install the security updates of the operating system
    #[arg(long)]
    os: bool,
    /// Show where the last rollout stands
    #[arg(long)]
    status: bool,
    /// Begin with no further instance; what is in flight ends
    #[arg(long)]
    pause: bool,
    /// Go on with a rollout that was paused, stopped, or left by a ^C or a crash
    #[arg(long)]
    resume: bool,
    /// With --resume: the instances that failed are seen to, and no longer count
    #[arg(long, requires = "resume")]
    acknowledge: bool,
    /// End a rollout: what is in flight goes back
    #[arg(long)]
    abort: bool,
    #[command(flatten)]
    how: How,
}

impl Update {
    pub(super) async fn run(self, flags: Flags, context: &mut Context) -> Result<Status, Failure> {
        let flags = Flags { version: self.version.clone(), ..flags };
        let settings = Settings::load(&flags, &context.env, &context.cwd)?;
        match (self.control(), self.which.is_none()) {
            (Some(what), true) => control(what, &settings, context).await,
            (Some(_), false) => {
                let hint = "leave the instances out: it is about the rollout that was begun";
                Err(Refusal::new("this is for a whole rollout", hint).into())
            }
            (None, true) => {
                let hint = "name them, or say --all, or --selector KEY=VALUE";
                Err(Refusal::new("no instances are named", hint).into())
            }
            (None, false) => {
                let change = match self.os {
                    true => Change::Os,
                    false => Change::Release { release: deploy::choose(&settings, context).await? },
                };
                let (which, how) = (&self.which, &self.how);
                let change = Wanted::Change(Box::new(change));
                begin(Begin { which, how, settings: &settings, change }, context).await
            }
        }
    }

    fn control(&self) -> Option<Control> {
        let acknowledge = self.acknowledge;
        let all = [
            (self.status, Control::Status),
            (self.pause, Control::Pause),
            (self.resume, Control::Resume { acknowledge }),
            (self.abort, Control::Abort),
        ];
        all.into_iter().find(|(is_asked, _)| *is_asked).map(|(_, control)| control)
    }
}
