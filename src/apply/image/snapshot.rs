//! The snapshot of a builder's disk.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::super::adopt::{self, Made};
use super::super::line::server;
use super::super::{World, polling};
use crate::hcloud::Begun;
use crate::model::fleet::{OP, OpId};
use crate::model::image::Recipe;
use crate::model::instance::Instance;

/// Longest wait for a snapshot. Hetzner names no time; some minutes are usual.
const WHOLE: Duration = Duration::from_secs(45 * 60);

/// Makes it, and waits until it is whole. It says of itself by what it was made, and by which request: where no answer to that
/// comes, it is looked for.
pub(super) async fn take(builder: &Instance, recipe: &Recipe, world: &World) -> Result<u64> {
    world.doing(builder, "making the snapshot");
    let (id, fleet) = (server(builder)?.id, world.store.fleet());
    let op = OpId::from_bytes(world.entropy.id());
    let labels = labels(recipe, &op, world);
    let text = format!("clawberth: {} on {}", builder.spec.release, recipe.base);
    let (labels, text) = (&labels, &text);
    let send = || async move { Ok(world.cloud.take_snapshot(id, text, labels).await) };
    let selector = &format!("{},{OP}={op}", fleet.selector());
    let look = || async move {
        let found = world.cloud.snapshots(selector).await?.into_iter().next();
        Ok(found.map(|image| Begun { image, action: None }))
    };
    let (Made::New(begun) | Made::Found(begun)) = adopt::once(send, look).await?;
    if let Some(action) = begun.action {
        world.cloud.wait_for(vec![action], WHOLE).await?;
    }
    until_whole(begun.image.id, world).await?;
    one_alone(begun.image.id, selector, world).await?;
    Ok(begun.image.id)
}

/// No name makes a snapshot unique: where a request was done although its answer said otherwise, there is another one of the same.
async fn one_alone(id: u64, selector: &str, world: &World) -> Result<()> {
    for other in world.cloud.snapshots(selector).await?.iter().filter(|image| image.id != id) {
        adopt::when_free(WHOLE, || world.cloud.delete_image(other.id)).await?;
    }
    Ok(())
}

fn labels(recipe: &Recipe, op: &OpId, world: &World) -> BTreeMap<String, String> {
    let mut labels = world.store.fleet().labels();
    labels.extend(recipe.labels());
    labels.insert(OP.to_owned(), op.to_string());
    labels
}

/// Waits until all of a snapshot is there. One that fails goes away.
pub(super) async fn until_whole(id: u64, world: &World) -> Result<()> {
    let mut pauses = polling(WHOLE);
    loop {
        let found = world.cloud.image(id).await?;
        let image = found.with_context(|| format!("Hetzner could not make snapshot {id}: it is gone"))?;
        if image.status == "available" {
            return Ok(());
        }
        pauses.pause().await.with_context(|| format!("snapshot {id} is {}", image.status))?;
    }
}
