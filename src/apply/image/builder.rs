//! The builder: created once, switched off, removed.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};

use super::super::adopt::{self, Made};
use super::super::create::{Newborn, somewhere};
use super::super::instance::Done;
use super::super::line::server;
use super::super::{World, delete, polling};
use crate::hcloud::Server as CloudServer;
use crate::model::fleet::{OP, OpId};
use crate::model::image::BUILDER;
use crate::model::instance::{Instance, Outcome, Server};
use crate::model::refusal::Refusal;
use crate::observe;
use crate::plan::Order;
use crate::render;
use crate::ssh::KeyPair;

/// Longest wait for other work on a server to end, and for it to be asked to switch off.
const UNLOCKED: Duration = Duration::from_secs(180);
/// Longest wait until it is off: systemd gives a service 90 s.
const OFF: Duration = Duration::from_secs(150);

/// The host keys that this run has injected, by the create that did.
type Injected = Mutex<BTreeMap<String, String>>;

pub(super) async fn create(order: &Order, builder: &Instance, world: &World) -> Result<Done> {
    let injected = Injected::default();
    let place = |location| place(order, location, builder, &injected, world);
    let (found, host_key) = somewhere(order, builder, world, place).await?;
    let facts = observe::server(&found);
    let Some(ipv4) = facts.ipv4 else { bail!("server {} has no IPv4 address", found.id) };
    let line = format!("server created ({}, {ipv4})", facts.location);
    let (id, ipv6, location) = (found.id, facts.ipv6, facts.location);
    let (next_host_key, own_host_key, birth_key, admitted, standby) = (None, false, None, None, None);
    let made = Server {
        id,
        ipv4,
        ipv6,
        location,
        host_key,
        next_host_key,
        own_host_key,
        birth_key,
        admitted,
        standby,
    };
    Ok(Done::new(Outcome::Created(made), line))
}

/// One location: sends the create until its fate is known. What an earlier run made is removed: nobody knows its host key.
async fn place(
    order: &Order,
    location: &str,
    builder: &Instance,
    injected: &Injected,
    world: &World,
) -> Result<(CloudServer, String)> {
    let known = |server: &CloudServer| {
        let all = injected.lock().unwrap_or_else(PoisonError::into_inner);
        server.labels.get(OP).and_then(|op| all.get(op).cloned())
    };
    let send = || async move {
        let fleet = world.store.fleet();
        let op = OpId::from_bytes(world.entropy.id());
        let host_key = world.entropy.with(|rng| KeyPair::generate(rng, ""))?;
        let public = host_key.public_text()?;
        injected.lock().unwrap_or_else(PoisonError::into_inner).insert(op.to_string(), public);
        let mut labels = fleet.labels();
        labels.insert(OP.to_owned(), op.to_string());
        labels.insert(BUILDER.to_owned(), builder.spec.release.openclaw.to_string());
        let newborn = Newborn { name: fleet.builder_name(), labels, host_key, kind: render::Kind::Builder };
        let request = newborn.request(order, location, builder, world).await?;
        Ok(world.cloud.create_server(&request).await)
    };
    for _ in 0..2 {
        let (Made::New(made) | Made::Found(made)) = adopt::once(send, || find(world)).await?;
        match known(&made) {
            Some(host_key) => return Ok((made, host_key)),
            None => delete::servers(&[made.id], world).await?,
        }
    }
    bail!("somebody else makes servers with the name {}", world.store.fleet().builder_name())
}

/// Looks up the unique name: ours, absent, or somebody else's.
async fn find(world: &World) -> Result<Option<CloudServer>> {
    let fleet = world.store.fleet();
    let name = fleet.builder_name();
    match world.cloud.server_by_name(&name).await? {
        Some(found) if !(fleet.owns(&found.labels) && found.labels.contains_key(BUILDER)) => {
            let hint = format!("rename or delete server {} in the console", found.id);
            let why = format!("server {} has that name, but not the labels of this fleet", found.id);
            Err(Refusal::new(format!("the name {name} is taken"), hint).because(why).into())
        }
        // lists still show for a while what was deleted
        Some(found) => Ok(world.cloud.server(found.id).await?),
        None => Ok(None),
    }
}

/// Removes these, and whatever has the builder's name and is ours. A snapshot of it stays.
pub(super) async fn remove(ids: &[u64], builder: &Instance, world: &World) -> Result<String> {
    world.doing(builder, "deleting its server");
    let own = builder.stage.server().map(|server| server.id);
    let mut all: Vec<u64> = ids.iter().copied().chain(own).collect();
    if all.is_empty() {
        // one of which no answer came
        match find(world).await {
            Err(error) if error.is::<Refusal>() => {}
            found => all.extend(found?.map(|found| found.id)),
        }
    }
    delete::servers(&all, world).await.context("cannot delete the server of an image")?;
    Ok(if all.is_empty() { "no server was left" } else { "server deleted" }.to_owned())
}

/// Its system switches itself off, so that all it has written is on the disk.
pub(super) async fn stop(builder: &Instance, world: &World) -> Result<String> {
    world.doing(builder, "waiting until it is off");
    let id = server(builder)?.id;
    let asked = adopt::when_free(UNLOCKED, || world.cloud.shut_down(id)).await?;
    world.cloud.wait_for(vec![asked], UNLOCKED).await?;
    world.stop.or(until_off(id, world)).await?;
    Ok("server off".to_owned())
}

async fn until_off(id: u64, world: &World) -> Result<()> {
    let mut pauses = polling(OFF);
    loop {
        let found = world.cloud.server(id).await?;
        ensure!(found.is_some(), "server {id} is gone");
        if found.is_some_and(|server| server.status == "off") {
            return Ok(());
        }
        pauses.pause().await.with_context(|| format!("server {id} does not switch itself off"))?;
    }
}
