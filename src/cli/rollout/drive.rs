//! Drives a rollout under the eyes of the user, and tells what came of it.

use std::collections::{BTreeMap, BTreeSet};

use super::begin::under_way;
use super::control::Start;
use super::report;
use crate::apply::{self, Driven, Left, Secrets, World};
use crate::cli::change::waiting;
use crate::cli::context::Context;
use crate::cli::fleet::Fleet;
use crate::cli::walk::{self, Hold};
use crate::cli::{Failure, Status};
use crate::config::Settings;
use crate::hcloud::Client;
use crate::model::instance::Instance;
use crate::model::name::InstanceName;
use crate::model::refusal::Refusal;
use crate::model::rollout::{self, Event, Fact, Impossible, Rollout, State, Verdict};
use crate::store::{Lease, ROLLOUT, Store};

/// Drives it while nobody else does.
pub(super) async fn drive(
    rollout: Rollout,
    start: Start,
    fleet: Fleet,
    client: &Client,
    settings: &Settings,
    context: &mut Context,
) -> Result<Status, Failure> {
    let (store, keys) = fleet.open(settings, context).await?;
    let lease = store.lease(ROLLOUT, &context.clock.now(), |held| context.ui.note(&waiting(held))).await?;
    let begun = match start.under(rollout, &store, &lease, context).await {
        Ok(begun) => begun,
        Err(failure) => {
            // leases that cannot be freed end by themselves
            let _ = store.close().await;
            return Err(failure);
        }
    };
    let secrets = Secrets::new(context.secrets.clone(), &keys.key).await?;
    let hold = Hold { store: store.clone(), keys, leases: BTreeMap::new(), secrets };
    let subjects: Vec<String> = begun.hosts.iter().map(|host| host.name.to_string()).collect();
    let work = async |world: &World| apply::drive(begun, &lease, world).await;
    let driven = walk::watched(&subjects, hold, client, settings, context, work).await;
    let _ = store.close().await;
    conclude(driven, context)
}

impl Start {
    /// Takes the rollout as it is now that it is ours, and writes down what begins.
    async fn under(
        self,
        rollout: Rollout,
        store: &Store,
        lease: &Lease,
        context: &Context,
    ) -> Result<Rollout, Failure> {
        let newest = store.newest_rollout().await?;
        let now = context.clock.timestamp();
        if self == Self::New {
            // somebody may have been faster
            if let Some(other) = newest.filter(|newest| !newest.is_over()) {
                return Err(under_way(&other).into());
            }
            lease.save_rollout(None, &rollout).await?;
            return Ok(rollout);
        }
        let is_same = |newest: &Rollout| newest.id == rollout.id;
        let before = newest.filter(is_same).ok_or_else(|| {
            Refusal::new("the rollout is gone", "`clawberth update --status` shows the last one")
        })?;
        let mut after = before.clone();
        for event in removed(&before, &store.instances().await?).into_iter().chain(self.events(&before)) {
            after = after.after(event, now).map_err(|why| impossible(&why, &before))?;
        }
        if after != before {
            lease.save_rollout(Some(&before), &after).await?;
        }
        // what was asked for before this was asked is over
        if let Some(asked) = store.asked(&after.id).await? {
            lease.heeded(asked).await?;
        }
        Ok(after)
    }
}

/// The hosts that wait and that are no more.
fn removed(rollout: &Rollout, instances: &[Instance]) -> Vec<Event> {
    let names: BTreeSet<&InstanceName> = instances.iter().map(|instance| &instance.name).collect();
    let waits = rollout.hosts.iter().filter(|host| host.status == rollout::Status::Waiting);
    let gone = waits.filter(|host| !names.contains(&host.name));
    gone.map(|host| Event::Host(host.name.clone(), Fact::Skipped("it was removed".to_owned()))).collect()
}

fn impossible(why: &Impossible, rollout: &Rollout) -> Refusal {
    let hint = match rollout.state {
        State::Stopped => "--acknowledge says that you have seen to those that failed",
        State::Running | State::Paused | State::Aborting | State::Finished(_) => {
            "`clawberth update --status` shows it"
        }
    };
    Refusal::new(why.to_string(), hint)
}

/// Tells what came of it.
fn conclude(driven: Driven, context: &mut Context) -> Result<Status, Failure> {
    let Driven { rollout, hosts, left } = driven;
    report::answer(&rollout, context)?;
    let is_well = hosts.iter().all(|host| host.error.is_none());
    for host in hosts {
        if let Some(error) = host.error {
            let failure = Failure::from(error.context(host.name.to_string()));
            context.ui.complain(&failure.lines());
        }
    }
    let again = "run `clawberth update --resume` to go on";
    Ok(match (left, rollout.state) {
        (Some(Left::Interrupted), _) => {
            context.ui.complain(&format!("stopped; everything so far is written down\nhint: {again}"));
            Status::Interrupted
        }
        (Some(Left::Paused), _) => {
            context.ui.note(&format!("paused\nhint: {again}"));
            Status::Success
        }
        (Some(Left::Failed(error)), _) => {
            let mut failure = Failure::from(error);
            failure.hint = crate::cli::error::hint(&failure.error).or_else(|| Some(again.to_owned()));
            return Err(failure);
        }
        (None, State::Finished(Verdict::Updated)) if is_well => Status::Success,
        (None, _) => {
            context.ui.complain(&report::advice(&rollout));
            Status::Failed
        }
    })
}
