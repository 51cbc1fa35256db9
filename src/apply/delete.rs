//! Removes servers and their addresses.

use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::{Context, Result};

use super::World;
use super::instance::Done;
use crate::model::instance::{Instance, Outcome};

/// Longest wait for a delete action.
const GONE: Duration = Duration::from_secs(300);

pub(super) async fn delete(ids: &[u64], instance: &Instance, world: &World) -> Result<Done> {
    world.doing(instance, "deleting the server");
    let known = instance.stage.server();
    let mut all: Vec<u64> = ids.iter().copied().chain(known.map(|server| server.id)).collect();
    all.sort_unstable();
    all.dedup();
    servers(&all, world).await.with_context(|| format!("cannot delete the server of {}", instance.name))?;
    if let Some(server) = known {
        address(server.ipv4, world).await?;
    }
    let line = if all.is_empty() { "no server to delete" } else { "server deleted" };
    Ok(Done::new(Outcome::Deleted, line))
}

/// Deletes servers and waits until Hetzner has done it. Those that are gone already are fine.
pub(super) async fn servers(ids: &[u64], world: &World) -> Result<()> {
    let mut actions = Vec::new();
    for id in ids {
        actions.extend(world.cloud.delete_server(*id).await?);
    }
    world.cloud.wait_for(actions, GONE).await?;
    Ok(())
}

/// An address goes with its server; one that was left behind costs money, so it is removed too.
async fn address(ipv4: Ipv4Addr, world: &World) -> Result<()> {
    match world.cloud.primary_ip_by_address(&ipv4.to_string()).await? {
        Some(ip) if ip.assignee_id.is_none() => world
            .cloud
            .delete_primary_ip(ip.id)
            .await
            .with_context(|| format!("cannot delete the address {ipv4}")),
        Some(_) | None => Ok(()),
    }
}
