//! The steps by which a standby becomes somebody's: it is theirs in the state first, and then nothing of what it was is left on it.

use anyhow::{Context as _, Result};

use super::World;
use super::instance::Done;
use super::line::{Line, server, target};
use crate::host::renew;
use crate::model::instance::{Instance, Outcome};
use crate::store::Intent;

/// What comes of a claim; it is written down by [`take`].
pub(super) fn claim(standby: &Instance, instance: &Instance, world: &World) -> Result<Done> {
    world.doing(instance, format!("claiming {}", standby.name));
    let server = server(standby)?.clone();
    let line = format!("claimed {} ({}, {})", standby.name, server.location, server.ipv4);
    Ok(Done::new(Outcome::Claimed { server, standby: standby.name.clone() }, line))
}

/// Writes a claim down: in one transaction the standby is gone and its server is the instance's. Nobody has to wait any longer for who
/// else may have wanted that standby.
pub(super) async fn take(
    standby: &Instance,
    intent: Intent,
    instance: &Instance,
    world: &World,
) -> Result<()> {
    let (lease, claimed) = (world.lease(&instance.name)?, world.lease(&standby.name)?);
    lease.advance_claiming(intent, instance, (&standby.name, claimed), &world.clock.now()).await?;
    // one that cannot be freed ends by itself
    let _ = claimed.release().await;
    Ok(())
}

/// Leaves nothing of the standby on its server: the host's name, the gateway's token, and whoever was signed in.
pub(super) async fn renew(instance: &Instance, world: &World) -> Result<Done> {
    world.doing(instance, "renewing its token");
    let target = target(instance, world)?;
    let name = world.store.fleet().server_name(&instance.name);
    let mut line = Line::new(&target);
    let output = world.stop.or(line.long(&renew::renew(&name), renew::LIMIT)).await?;
    let renewed = renew::parse(&output).context("it is still the standby that it was")?;
    let line = format!("token renewed, the standby's is refused ({})", renewed.refusal);
    Ok(Done::new(Outcome::Renewed, line))
}
