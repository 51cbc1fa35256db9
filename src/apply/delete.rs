//! Removes servers and their addresses.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::{Context, Result};

use super::instance::Done;
use super::{World, adopt, create, guard};
use crate::hcloud::Action;
use crate::model::instance::{Instance, Outcome};
use crate::model::refusal::Refusal;

/// Longest wait for other work on a server to end; the longest is a create, which takes a minute at most.
const UNLOCKED: Duration = Duration::from_secs(180);
/// Longest wait for a delete action.
const GONE: Duration = Duration::from_secs(300);

pub(super) async fn delete(ids: &[u64], instance: &Instance, world: &World) -> Result<Done> {
    world.doing(instance, "deleting the server");
    let known = instance.stage.server();
    let mut all: Vec<u64> = ids.iter().copied().chain(known.map(|server| server.id)).collect();
    all.sort_unstable();
    all.dedup();
    // once the server is gone, nothing tells this any more
    let left = match known {
        Some(server) if !goes_along(server.ipv4, world).await? => Some(server.ipv4),
        Some(_) | None => None,
    };
    servers(&all, world).await.with_context(|| format!("cannot delete the server of {}", instance.name))?;
    if let Some(ipv4) = left {
        address(ipv4, world).await?;
    }
    let line = if all.is_empty() { "no server to delete" } else { "server deleted" };
    Ok(Done::new(Outcome::Deleted, line))
}

/// What is protected cannot be deleted.
pub(super) async fn unprotect(ids: &[u64], instance: &Instance, world: &World) -> Result<Done> {
    world.doing(instance, "taking the deletion protection off");
    let what = || format!("cannot take the deletion protection off the server of {}", instance.name);
    guard::protection(ids, false, world).await.with_context(what)?;
    Ok(Done::new(Outcome::Unprotected, "deletion protection taken off"))
}

/// Deletes servers and waits until Hetzner has done it. Those that are gone already are fine.
pub(super) async fn servers(ids: &[u64], world: &World) -> Result<()> {
    let mut actions = Vec::new();
    for id in ids {
        actions.extend(one(*id, world).await?);
    }
    world.cloud.wait_for(actions, GONE).await?;
    Ok(())
}

/// Asks for the deletion; while something is still being done to the server, such as its create, asks again.
async fn one(id: u64, world: &World) -> Result<Option<Action>> {
    adopt::when_free(UNLOCKED, || world.cloud.delete_server(id)).await
}

/// Looks the unique name up for as long as lists may hide what an interrupted create made, and deletes that.
pub(super) async fn sweep(time: Duration, instance: &Instance, world: &World) -> Result<Done> {
    world.doing(instance, "looking for what an interrupted create left");
    // somebody else's server of that name is none of ours to delete
    let ours = || async move {
        match create::find(instance, world).await {
            Err(error) if error.is::<Refusal>() => Ok(None),
            found => found,
        }
    };
    let found = world.stop.or(adopt::until_seen(ours, time)).await?;
    let line = if found.is_some() { "server of an interrupted create deleted" } else { "no server was left" };
    servers(&found.iter().map(|server| server.id).collect::<Vec<_>>(), world).await?;
    Ok(Done::new(Outcome::Swept, line))
}

/// Deletes addresses that no server has any more.
pub(super) async fn addresses(ids: &[u64], world: &World) -> Result<()> {
    for id in ids {
        adopt::when_free(UNLOCKED, || world.cloud.delete_primary_ip(*id)).await?;
    }
    Ok(())
}

/// Whether an address goes with its server by itself, as far as lists show: one look at all of them, instead of one for each.
async fn goes_along(ipv4: Ipv4Addr, world: &World) -> Result<bool> {
    let look = async || -> Result<BTreeSet<String>> {
        let all = world.cloud.all_primary_ips().await.context("cannot see the addresses of the project")?;
        Ok(all.into_iter().filter(|ip| ip.auto_delete && ip.assignee_id.is_some()).map(|ip| ip.ip).collect())
    };
    Ok(world.going.get_or_try_init(look).await?.contains(&ipv4.to_string()))
}

/// One that does not go with its server costs money, so it is removed too.
async fn address(ipv4: Ipv4Addr, world: &World) -> Result<()> {
    match world.cloud.primary_ip_by_address(&ipv4.to_string()).await? {
        Some(ip) if ip.assignee_id.is_none() => {
            addresses(&[ip.id], world).await.with_context(|| format!("cannot delete the address {ipv4}"))
        }
        Some(_) | None => Ok(()),
    }
}
