//! The step that replaces a gateway's token. The server does it by itself, so that no token leaves it; here it is told to.

use anyhow::{Context as _, Result};

use super::World;
use super::instance::{Done, told};
use super::line::{Line, target};
use crate::host::rotate::{self, Rotated};
use crate::model::instance::{Instance, Outcome};

/// Has the token replaced and the old one proved dead. Where the connection breaks, the server goes on, and the next attempt
/// waits there for it; a rotation that had come to its end already is then done once more, which costs one more restart.
pub(super) async fn rotate(instance: &Instance, world: &World) -> Result<Done> {
    world.doing(instance, "replacing its token");
    let target = target(instance, world)?;
    let mut line = Line::new(&target);
    let output = world.stop.or(line.long(&rotate::rotate(), rotate::LIMIT)).await?;
    let Rotated { refusal, down } = rotate::parse(&output).context("the token is not replaced for good")?;
    let line = format!("token replaced, the old one is refused ({refusal}); {}", told(down));
    Ok(Done::new(Outcome::Rotated, line))
}
