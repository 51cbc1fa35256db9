//! Steps of an update of the operating system.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use super::instance::Done;
use super::line::{COMMAND, Line, target};
use super::{World, polling};
use crate::host::system::{self, Boot};
use crate::model::instance::{Instance, Outcome};

/// Longest wait for a server that starts anew.
const START: Duration = Duration::from_secs(300);

pub(super) async fn upgrade(instance: &Instance, world: &World) -> Result<Done> {
    world.doing(instance, "installing the security updates of the system");
    let target = target(instance, world)?;
    let output = Line::new(&target).long(&system::upgrade(), system::UPGRADE).await?;
    ensure!(output.status == 0, "the system's updates failed: {}", output.stderr.trim());
    Ok(Done::new(Outcome::Upgraded, "the system has its security updates"))
}

/// Once, and only where it is asked for: what asks for it is gone after the start.
pub(super) async fn reboot(instance: &Instance, world: &World) -> Result<Done> {
    let target = target(instance, world)?;
    let mut line = Line::new(&target);
    let before = boot(&mut line).await?;
    if !before.required {
        return Ok(Done::new(Outcome::Rebooted, "no start is needed"));
    }
    world.doing(instance, "starting the server anew");
    let told = line.long(&system::reboot(), COMMAND).await?;
    ensure!(told.status == 0, "the server does not start anew: {}", told.stderr.trim());
    let mut pauses = polling(START);
    while boot(&mut line).await?.id == before.id {
        pauses.pause().await.context("the server has not started anew")?;
    }
    Ok(Done::new(Outcome::Rebooted, "started anew"))
}

async fn boot(line: &mut Line<'_>) -> Result<Boot> {
    system::parse_boot(&line.long(&system::boot(), COMMAND).await?)
}
