//! A host's turn in a rollout: forward, and back again where that fails; or back, where it is told to.

use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, ensure};

use crate::apply::instance::under_lease;
use crate::apply::{Interrupted, World, update};
use crate::host::outside::Gate;
use crate::model::event::What;
use crate::model::instance::{Instance, Stage};
use crate::model::name::InstanceName;
use crate::model::rollout::Change;
use crate::plan::update::{Turn, back, forward};
use crate::store::{Lease, StoreError};

/// Where a host goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Forward,
    Back,
}

/// How a turn ended.
#[derive(Debug)]
pub(super) enum Ending {
    /// It is where it was to go; for how long nobody was answered, and what is left to be mended.
    Done(Option<Duration>, Option<anyhow::Error>),
    /// It failed, and what served before serves again.
    Reverted(anyhow::Error),
    /// It failed, and nobody has seen it serve since.
    Down(anyhow::Error),
    /// It was told to stop.
    CutShort,
    /// It cannot be written down what happens.
    Broken(anyhow::Error),
}

/// Gives a host its turn, under its lease.
pub(super) async fn take(
    name: &InstanceName,
    way: Way,
    change: &Change,
    bake: Duration,
    world: &World,
) -> Ending {
    let watch = world.clock.start();
    let ending = match lease(name, world).await {
        Ok(lease) => {
            let ending = under(&lease, name, way, change, bake, world).await;
            // one that cannot be freed ends by itself
            let _ = lease.release().await;
            ending
        }
        Err(error) => Ending::Broken(error.into()),
    };
    let told = match &ending {
        Ending::Done(..) => What::Finished(done(way, change), watch.elapsed()),
        Ending::Reverted(error) => What::Failed(format!("{error:#}; what served before serves again")),
        Ending::Down(error) => What::Failed(format!("{error:#}; IT DOES NOT SERVE")),
        Ending::CutShort | Ending::Broken(_) => return ending,
    };
    world.say(name.as_str(), told);
    ending
}

async fn lease(name: &InstanceName, world: &World) -> Result<Lease, StoreError> {
    let waits = |held: &crate::store::Held| {
        let by = held.by.as_ref().map(|by| format!(" for {by}")).unwrap_or_default();
        world.say(name.as_str(), What::Doing(format!("waiting{by}")));
    };
    world.store.lease(name.as_str(), &world.clock.now(), waits).await
}

fn done(way: Way, change: &Change) -> String {
    match (way, change.version()) {
        (Way::Back, _) => "went back".to_owned(),
        (Way::Forward, Some(version)) => format!("runs OpenClaw {version}"),
        (Way::Forward, None) => "has its system's updates".to_owned(),
    }
}

async fn under(
    lease: &Lease,
    name: &InstanceName,
    way: Way,
    change: &Change,
    bake: Duration,
    world: &World,
) -> Ending {
    let mut instance = match find(name, world).await {
        Ok(Some(instance)) => instance,
        Ok(None) => return Ending::Reverted(anyhow!("it was removed meanwhile")),
        Err(error) => return Ending::Broken(error),
    };
    let gone = walk(way, &mut instance, change, bake, lease, world).await;
    let error = match gone {
        Ok(downtime) => return Ending::Done(downtime, None),
        Err(error) if error.is::<Interrupted>() => return Ending::CutShort,
        Err(error) if is_of_the_state(&error) => return Ending::Broken(error),
        Err(error) => error,
    };
    if way == Way::Forward && change.version() == Some(instance.spec.release.openclaw) {
        // it was confirmed: what comes after that does not matter to its user
        return Ending::Done(None, Some(error));
    }
    let returned = match way {
        Way::Forward => walk(Way::Back, &mut instance, change, bake, lease, world).await.map(drop),
        Way::Back => Err(anyhow!("it does not go back")),
    };
    match returned {
        Ok(()) => Ending::Reverted(error),
        Err(back) if back.is::<Interrupted>() => Ending::CutShort,
        Err(back) if is_of_the_state(&back) => Ending::Broken(back),
        Err(_) if serves(&instance, world).await => Ending::Reverted(error),
        Err(back) => Ending::Down(error.context(format!("it did not come back ({back:#})"))),
    }
}

async fn find(name: &InstanceName, world: &World) -> Result<Option<Instance>> {
    let instances = world.store.instances().await?;
    Ok(instances.into_iter().find(|instance| instance.name == *name))
}

/// Takes the steps of one way, as what stands there asks for them.
async fn walk(
    way: Way,
    instance: &mut Instance,
    change: &Change,
    bake: Duration,
    lease: &Lease,
    world: &World,
) -> Result<Option<Duration>> {
    ensure!(matches!(instance.stage, Stage::Serving(_)), "it is {}, not serving", instance.stage.word());
    world.doing(instance, "looking at its releases");
    let seen = update::releases(instance, world).await.context("it cannot be seen what it runs")?;
    let recorded = instance.spec.release.clone();
    let turn = Turn { recorded: &recorded, seen: &seen, bake };
    let steps = match way {
        Way::Forward => forward(change, turn)?,
        Way::Back => back(change, turn)?,
    };
    under_lease(instance, steps, lease, world).await
}

fn is_of_the_state(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| cause.is::<StoreError>())
}

/// Whether the gateway serves what the state says, seen from outside: the server itself may be out of reach.
async fn serves(instance: &Instance, world: &World) -> bool {
    match Gate::of(instance, world.acme_root.as_deref()) {
        Ok(Some(gate)) => gate.check_once().await.iter().all(|(_, found)| found.is_ok()),
        Ok(None) | Err(_) => false,
    }
}
