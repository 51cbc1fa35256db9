//! Points names at servers, and takes them away.

use std::time::Duration;

use anyhow::{Context, Result};

use super::World;
use super::instance::Done;
use crate::hcloud::{Record, RecordType};
use crate::model::fleet::INSTANCE;
use crate::model::instance::{Instance, Outcome};

/// Seconds that resolvers may keep our records: short, since a new server has a new address.
const TTL: u32 = 60;
/// Longest wait for a change of the zone.
const CHANGE: Duration = Duration::from_secs(120);

pub(super) async fn name(zone: &str, instance: &Instance, world: &World) -> Result<Done> {
    let server = instance.stage.server().context("a server has its address before its name")?;
    let mut wanted = vec![(RecordType::A, server.ipv4.to_string())];
    wanted.extend(server.ipv6.map(|v6| (RecordType::Aaaa, v6.to_string())));
    for (kind, value) in wanted {
        let what = || format!("cannot set {} of {}.{zone}", kind.as_str(), instance.name);
        set(zone, kind, value, instance, world).await.with_context(what)?;
    }
    Ok(Done::new(Outcome::Named, format!("{}.{zone} points at the server", instance.name)))
}

async fn set(zone: &str, kind: RecordType, value: String, instance: &Instance, world: &World) -> Result<()> {
    let label = instance.name.as_str();
    let records = [Record { value }];
    let action = match world.cloud.rrset(zone, label, kind).await? {
        Some(found) if found.records == records => return Ok(()),
        Some(_) => world.cloud.set_records(zone, label, kind, &records).await?,
        None => {
            let mut labels = world.store.fleet().labels();
            labels.insert(INSTANCE.to_owned(), label.to_owned());
            world.cloud.create_rrset(zone, (label, kind), TTL, &records, &labels).await?
        }
    };
    world.cloud.wait_for(vec![action], CHANGE).await?;
    Ok(())
}

pub(super) async fn unname(zone: &str, instance: &Instance, world: &World) -> Result<Done> {
    let mut actions = Vec::new();
    for kind in [RecordType::A, RecordType::Aaaa] {
        actions.extend(world.cloud.delete_rrset(zone, instance.name.as_str(), kind).await?);
    }
    world.cloud.wait_for(actions, CHANGE).await?;
    Ok(Done::new(Outcome::Unnamed, format!("{}.{zone} removed", instance.name)))
}
