//! What is set on a server from outside: its labels and its firewall.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};

use super::instance::Done;
use super::{World, adopt};
use crate::model::instance::{Instance, Outcome};

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
