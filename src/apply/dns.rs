//! Points names at servers, and takes them away.

use std::time::Duration;

use anyhow::{Context, Result};

use super::World;
use super::adopt::{self, Made};
use super::instance::Done;
use crate::hcloud::{Record, RecordType, Rrset};
use crate::model::fleet::INSTANCE;
use crate::model::instance::{Instance, Outcome};
use crate::model::refusal::Refusal;

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
    let records = &[Record { value }];
    let find = || ours(zone, label, kind, world);
    if find().await?.is_none() {
        let mut labels = world.store.fleet().labels();
        labels.insert(INSTANCE.to_owned(), label.to_owned());
        let labels = &labels;
        let send = || async move {
            let made = world.cloud.create_rrset(zone, (label, kind), TTL, records, labels).await;
            Ok(made.map(Some))
        };
        let made = adopt::once(send, || async move { Ok(find().await?.map(|_| None)) }).await?;
        if let Made::New(Some(action)) = made {
            world.cloud.wait_for(vec![action], CHANGE).await?;
        }
    }
    match find().await? {
        Some(found) if found.records == *records => Ok(()),
        Some(_) | None => {
            let change = || world.cloud.set_records(zone, label, kind, records);
            let action = adopt::when_free(CHANGE, change).await?;
            Ok(world.cloud.wait_for(vec![action], CHANGE).await?)
        }
    }
}

/// The record set, absent, or somebody else's, which is never touched.
async fn ours(zone: &str, name: &str, kind: RecordType, world: &World) -> Result<Option<Rrset>> {
    match world.cloud.rrset(zone, name, kind).await? {
        Some(found) if !world.store.fleet().owns(&found.labels) => {
            let kind = kind.as_str();
            let hint =
                format!("remove the record {kind} of {name}.{zone} in the console, or choose another name");
            let why = format!("its record set {name}/{kind} has not the labels of this fleet");
            Err(Refusal::new(format!("{name}.{zone} is taken"), hint).because(why).into())
        }
        found => Ok(found),
    }
}

pub(super) async fn unname(zone: &str, instance: &Instance, world: &World) -> Result<Done> {
    remove(zone, instance.name.as_str(), world).await?;
    Ok(Done::new(Outcome::Unnamed, format!("{}.{zone} removed", instance.name)))
}

/// Removes the addresses of a name, as far as they are ours.
pub(super) async fn remove(zone: &str, name: &str, world: &World) -> Result<()> {
    let mut actions = Vec::new();
    for kind in [RecordType::A, RecordType::Aaaa] {
        let found = world.cloud.rrset(zone, name, kind).await?;
        if found.is_some_and(|found| world.store.fleet().owns(&found.labels)) {
            let gone = || world.cloud.delete_rrset(zone, name, kind);
            actions.extend(adopt::when_free(CHANGE, gone).await?);
        }
    }
    world.cloud.wait_for(actions, CHANGE).await?;
    Ok(())
}
