//! A host's turn in a rollout: forward, and back again where that fails; or back, where it is told to.

use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, ensure};

use crate::apply::instance::under_lease;
use crate::apply::{Interrupted, World, update};
use crate::host::outside::Gate;
use crate::model::event::What;
use crate::model::instance::{Instance, Stage};
use crate::model::name::InstanceName;
use crate::model::release::Release;
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
    /// It is where it was to go; what is left to be mended.
    Done(Option<anyhow::Error>),
    /// It failed, and what served before serves again.
    Reverted(anyhow::Error),
    /// It failed, and nobody has seen it serve since.
    Down(anyhow::Error),
    /// It was told to stop.
    CutShort,
    /// It cannot be written down what happens.
    Broken(anyhow::Error),
}

/// A host's turn.
pub(super) struct HostTurn {
    pub(super) name: InstanceName,
    pub(super) way: Way,
    pub(super) change: Change,
    /// How long a wave has to be good.
    pub(super) bake: Duration,
    /// Stops when the host is recalled.
    pub(super) world: World,
}

impl HostTurn {
    /// Has it, under the host's lease; how it ended, and for how long nobody was answered, where that was watched.
    pub(super) async fn take(&self) -> (Ending, Option<Duration>) {
        let mut unanswered = None;
        let watch = self.world.clock.start();
        let ending = match self.world.wait_for(self.name.as_str(), self.name.as_str()).await {
            Ok(lease) => {
                let ending = self.under(&lease, &mut unanswered).await;
                // one that cannot be freed ends by itself
                let _ = lease.release().await;
                ending
            }
            Err(error) => Ending::Broken(error.into()),
        };
        let told = match &ending {
            Ending::Done(..) => What::Finished(self.done(), watch.elapsed()),
            Ending::Reverted(error) => What::Failed(format!("{error:#}; what served before serves again")),
            Ending::Down(error) => What::Failed(format!("{error:#}; IT DOES NOT SERVE")),
            Ending::CutShort | Ending::Broken(_) => return (ending, unanswered),
        };
        self.world.say(self.name.as_str(), told);
        (ending, unanswered)
    }

    fn done(&self) -> String {
        match (self.way, &self.change) {
            (Way::Back, _) => "went back".to_owned(),
            (
                Way::Forward,
                Change::Release { release: Release { openclaw, .. } } | Change::Rollback { to: openclaw },
            ) => {
                format!("runs OpenClaw {openclaw}")
            }
            (Way::Forward, Change::Os) => "has its system's updates".to_owned(),
            (Way::Forward, Change::Policy { .. }) => "has its policy".to_owned(),
        }
    }

    async fn under(&self, lease: &Lease, unanswered: &mut Option<Duration>) -> Ending {
        let mut instance = match self.find().await {
            Ok(Some(instance)) => instance,
            Ok(None) => return Ending::Reverted(anyhow!("it was removed meanwhile")),
            Err(error) => return Ending::Broken(error),
        };
        let error = match self.walk(self.way, &mut instance, lease, unanswered).await {
            Ok(()) => return Ending::Done(None),
            Err(error) if error.is::<Interrupted>() => return Ending::CutShort,
            Err(error) if is_of_the_state(&error) => return Ending::Broken(error),
            Err(error) => error,
        };
        if self.way == Way::Forward && self.change.version() == Some(instance.spec.release.openclaw) {
            // it was confirmed: what comes after that does not matter to its user
            return Ending::Done(Some(error));
        }
        let returned = match self.way {
            Way::Forward => self.walk(Way::Back, &mut instance, lease, unanswered).await,
            Way::Back => Err(anyhow!("it does not go back")),
        };
        match returned {
            Ok(()) => Ending::Reverted(error),
            Err(back) if back.is::<Interrupted>() => Ending::CutShort,
            Err(back) if is_of_the_state(&back) => Ending::Broken(back),
            Err(_) if self.serves(&instance).await => Ending::Reverted(error),
            Err(back) => Ending::Down(error.context(format!("it did not come back ({back:#})"))),
        }
    }

    async fn find(&self) -> Result<Option<Instance>> {
        let instances = self.world.store.instances().await?;
        Ok(instances.into_iter().find(|instance| instance.name == self.name))
    }

    /// Takes the steps of one way, as what stands there asks for them.
    async fn walk(
        &self,
        way: Way,
        instance: &mut Instance,
        lease: &Lease,
        unanswered: &mut Option<Duration>,
    ) -> Result<()> {
        let stage = &instance.stage;
        ensure!(matches!(stage, Stage::Serving(_)), "it is {}, not serving", stage.word());
        self.world.doing(instance, "looking at its releases");
        let seen = update::releases(instance, &self.world).await.context("it cannot be seen what it runs")?;
        let recorded = instance.spec.release.clone();
        let turn = Turn { name: &self.name, recorded: &recorded, seen: &seen, bake: self.bake };
        let steps = match way {
            Way::Forward => forward(&self.change, turn)?,
            Way::Back => back(&self.change, turn)?,
        };
        under_lease(instance, steps, lease, &self.world, unanswered).await
    }

    /// Whether the gateway serves what the state says, seen from outside: the server itself may be out of reach.
    async fn serves(&self, instance: &Instance) -> bool {
        match Gate::of(instance, self.world.acme_root.as_deref()) {
            Ok(Some(gate)) => gate.check_once().await.iter().all(|(_, found)| found.is_ok()),
            Ok(None) | Err(_) => false,
        }
    }
}

fn is_of_the_state(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| cause.is::<StoreError>())
}
