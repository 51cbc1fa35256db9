//! What is set on a server from outside: its labels, its firewall and its protection.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};

use super::instance::Done;
use super::line::server;
use super::{World, adopt};
use crate::hcloud::Error;
use crate::model::fleet::{FleetId, NEXT_HOST_KEY, OPENCLAW};
use crate::model::instance::{Instance, Outcome};
use crate::model::refusal::Refusal;
use crate::model::release::OpenClawVersion;
use crate::observe;

/// Longest wait for a firewall or a protection to be applied, and for other work on the server to end.
const GUARD: Duration = Duration::from_secs(180);

pub(super) async fn label(
    id: u64,
    labels: &BTreeMap<String, String>,
    instance: &Instance,
    world: &World,
) -> Result<Done> {
    world.doing(instance, "setting the server's labels");
    let set = || world.cloud.set_server_labels(id, labels);
    adopt::when_free(GUARD, set).await.with_context(|| format!("cannot set the labels of server {id}"))?;
    Ok(Done::new(Outcome::Labelled, "labels set"))
}

/// Gives a server that had another name before its instance's name and labels.
pub(super) async fn rename(instance: &Instance, world: &World) -> Result<Done> {
    world.doing(instance, "giving the server its name");
    let (fleet, known) = (world.store.fleet(), server(instance)?);
    let what = || format!("cannot give server {} its name", known.id);
    let found = world.cloud.server(known.id).await.with_context(what)?.context("the server is gone")?;
    let wanted = fleet.server_labels(&instance.name, &instance.spec, &known.keys_for_labels());
    let (labels, _) = observe::server(&found).relabelled(&wanted);
    let name = fleet.server_name(&instance.name);
    if (&name, &labels) != (&found.name, &found.labels) {
        let rename = || world.cloud.rename_server(known.id, &name, &labels);
        adopt::when_free(GUARD, rename).await.map_err(|error| taken(error, &name)).with_context(what)?;
    }
    Ok(Done::new(Outcome::Renamed, format!("server {} is {name}", known.id)))
}

/// Names are unique: somebody else's server may have this one.
fn taken(error: anyhow::Error, name: &str) -> anyhow::Error {
    match error.downcast_ref::<Error>().and_then(Error::code) {
        Some("uniqueness_error") => {
            let hint = "rename or delete that server in the console, and run the command again";
            Refusal::new(format!("another server is called {name}"), hint).into()
        }
        _ => error,
    }
}

pub(super) async fn guard(id: u64, instance: &Instance, world: &World) -> Result<Done> {
    world.doing(instance, "applying the firewall");
    let firewall = world.common().await?.firewall;
    let apply = || world.cloud.apply_firewall(firewall, id);
    let what = || format!("cannot apply the firewall to server {id}");
    let actions = adopt::when_free(GUARD, apply).await.with_context(what)?;
    world.cloud.wait_for(actions, GUARD).await.with_context(what)?;
    Ok(Done::new(Outcome::Guarded, "firewall applied"))
}

pub(super) async fn protect(id: u64, instance: &Instance, world: &World) -> Result<Done> {
    world.doing(instance, "protecting the server from deletion");
    protection(&[id], true, world).await.with_context(|| format!("cannot protect server {id}"))?;
    Ok(Done::new(Outcome::Protected, "protected from deletion"))
}

/// Sets the protection of servers, or takes it off. Those that are gone are fine.
pub(super) async fn protection(ids: &[u64], protected: bool, world: &World) -> Result<()> {
    let mut actions = Vec::new();
    for id in ids {
        actions.extend(adopt::when_free(GUARD, || world.cloud.protect_server(*id, protected)).await?);
    }
    Ok(world.cloud.wait_for(actions, GUARD).await?)
}

/// Sets the one label that names the release, and leaves the others as they are.
pub(super) async fn relabel(version: OpenClawVersion, instance: &Instance, world: &World) -> Result<()> {
    let say = |labels: &mut BTreeMap<String, String>| {
        labels.insert(OPENCLAW.to_owned(), version.to_string());
    };
    change_labels(say, instance, world).await
}

/// Sets the labels that name the server's host keys, and leaves the others as they are.
pub(super) async fn label_host_key(instance: &Instance, world: &World) -> Result<Done> {
    let keys = server(instance)?.keys_for_labels();
    let say = |labels: &mut BTreeMap<String, String>| {
        labels.remove(NEXT_HOST_KEY);
        labels.extend(FleetId::key_labels(&keys));
    };
    change_labels(say, instance, world).await?;
    Ok(Done::new(Outcome::HostKeyLabelled, "host key labelled"))
}

/// Changes some labels, unless they are as they should be.
async fn change_labels(
    change: impl FnOnce(&mut BTreeMap<String, String>),
    instance: &Instance,
    world: &World,
) -> Result<()> {
    world.doing(instance, "setting the server's labels");
    let id = server(instance)?.id;
    let what = || format!("cannot set the labels of server {id}");
    let found = world.cloud.server(id).await.with_context(what)?.context("the server is gone")?;
    let mut labels = found.labels.clone();
    change(&mut labels);
    if labels != found.labels {
        let set = || world.cloud.set_server_labels(id, &labels);
        adopt::when_free(GUARD, set).await.with_context(what)?;
    }
    Ok(())
}
