//! `clawberth pool drain`

use super::super::context::Context;
use super::super::destroy::Which;
use super::super::{Failure, Status};
use crate::config::Flags;

/// Remove all standbys, as `destroy` does
#[derive(Debug, clap::Args)]
pub(super) struct Drain {
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

impl Drain {
    pub(super) async fn run(self, flags: &Flags, context: &mut Context) -> Result<Status, Failure> {
        Which::Standbys.destroy(self.yes, flags, context).await
    }
}
