//! What is set on a server from outside: its labels and its firewall.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};

use super::instance::Done;
use super::line::server;
use super::{World, adopt};
use crate::model::fleet::OPENCLAW;
use crate::model::instance::{Instance, Outcome};
use crate::model::release::OpenClawVersion;

/// Longest wait for a firewall to be applied, and for other work on the server to end.
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

pub(super) async fn guard(id: u64, instance: &Instance, world: &World) -> Result<Done> {
    world.doing(instance, "applying the firewall");
    let firewall = world.common().await?.firewall;
    let apply = || world.cloud.apply_firewall(firewall, id);
    let what = || format!("cannot apply the firewall to server {id}");
    let actions = adopt::when_free(GUARD, apply).await.with_context(what)?;
    world.cloud.wait_for(actions, GUARD).await.with_context(what)?;
    Ok(Done::new(Outcome::Guarded, "firewall applied"))
}

/// Sets the one label that names the release, and leaves the others as they are.
pub(super) async fn relabel(version: OpenClawVersion, instance: &Instance, world: &World) -> Result<()> {
    world.doing(instance, "setting the server's labels");
    let id = server(instance)?.id;
    let what = || format!("cannot set the labels of server {id}");
    let found = world.cloud.server(id).await.with_context(what)?.context("the server is gone")?;
    let mut labels = found.labels;
    if labels.insert(OPENCLAW.to_owned(), version.to_string()).as_deref() == Some(&version.to_string()) {
        return Ok(());
    }
    let set = || world.cloud.set_server_labels(id, &labels);
    adopt::when_free(GUARD, set).await.with_context(what)?;
    Ok(())
}
