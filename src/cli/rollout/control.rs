//! What can be done with a rollout that was begun.

use std::collections::BTreeSet;

use super::drive::drive;
use super::report;
use crate::cli::change::waiting;
use crate::cli::context::Context;
use crate::cli::fleet::{Fleet, cloud, look};
use crate::cli::{Failure, Status, secrets};
use crate::config::Settings;
use crate::model::name::InstanceName;
use crate::model::refusal::Refusal;
use crate::model::rollout::{Change, Event, Fact, OnFailure, Request, Rollout, State};
use crate::store::{Held, ROLLOUT, ROLLOUT_REQUEST, Store};

/// What is to be done with the last rollout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Control {
    /// Show it.
    Status,
    /// Start no further host.
    Pause,
    /// Go on; whoever says so may have seen to the failed ones.
    Resume { acknowledge: bool },
    /// Start no further host, and take back those in flight.
    Abort,
}

/// How a process comes to drive a rollout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    New,
    Resume { acknowledge: bool },
    Abort,
}

/// Does it, or asks the process that drives the rollout for it.
pub(in crate::cli) async fn control(
    control: Control,
    settings: &Settings,
    context: &mut Context,
) -> Result<Status, Failure> {
    let fleet = Fleet::find(settings, context).await?;
    let (store, rollout) = last(&fleet).await?;
    let driver = store.held().await?.into_iter().find(|held| held.subject == ROLLOUT);
    let start = match (control, driver) {
        (Control::Status, driver) => {
            report::answer(&rollout, context)?;
            if let Some(by) = driver.and_then(|held| held.by) {
                context.ui.note(&format!("{by} is at it"));
            }
            return Ok(Status::Success);
        }
        (Control::Resume { .. }, Some(driver)) => return Err(driven(&driver).into()),
        (Control::Pause, Some(driver)) => {
            return ask(Request::Pause, &rollout, &driver, fleet, settings, context).await;
        }
        (Control::Abort, Some(driver)) => {
            return ask(Request::Abort, &rollout, &driver, fleet, settings, context).await;
        }
        (Control::Pause, None) => return pause(&rollout, fleet, settings, context).await,
        (Control::Resume { acknowledge }, None) => Start::Resume { acknowledge },
        (Control::Abort, None) => Start::Abort,
    };
    let client = cloud(settings, context)?;
    if start != Start::Abort {
        // as it begins; what goes back can do without
        look(&client, &fleet, &BTreeSet::new()).await?;
    }
    if let (Change::Policy { policies, .. }, Start::Resume { .. }) = (&rollout.change, start) {
        let names: Vec<&InstanceName> = rollout.hosts.iter().map(|host| &host.name).collect();
        context.secrets =
            secrets::read(names.into_iter().map(|name| policies.of(name)), settings, context).await?;
    }
    drive(rollout, start, fleet, &client, settings, context).await
}

/// The last rollout.
async fn last(fleet: &Fleet) -> Result<(&Store, Rollout), Failure> {
    let none = || Refusal::new("no rollout was begun yet", "`clawberth update --all` begins one");
    let store = fleet.store().ok_or_else(none)?;
    let rollout = store.newest_rollout().await?.ok_or_else(none)?;
    Ok((store, rollout))
}

fn driven(driver: &Held) -> Refusal {
    let by = driver.by.as_ref().map_or_else(|| "another process".to_owned(), ToString::to_string);
    Refusal::new(
        format!("{by} drives the rollout already"),
        "`clawberth update --status` shows how far it is",
    )
}

/// Writes it down for the process that drives.
async fn ask(
    request: Request,
    rollout: &Rollout,
    driver: &Held,
    fleet: Fleet,
    settings: &Settings,
    context: &mut Context,
) -> Result<Status, Failure> {
    possible(rollout, Event::Asked(request), context)?;
    let (store, _) = fleet.open(settings, context).await?;
    let now = context.clock.now();
    let lease = store.lease(ROLLOUT_REQUEST, &now, |held| context.ui.note(&waiting(held))).await?;
    lease.ask(&rollout.id, request, &now).await?;
    store.close().await?;
    let by = driver.by.as_ref().map_or_else(|| "the process that drives it".to_owned(), ToString::to_string);
    context.ui.note(&format!("asked {by}; `clawberth update --status` shows what comes of it"));
    Ok(Status::Success)
}

async fn pause(
    rollout: &Rollout,
    fleet: Fleet,
    settings: &Settings,
    context: &mut Context,
) -> Result<Status, Failure> {
    let after = possible(rollout, Event::Asked(Request::Pause), context)?;
    let (store, _) = fleet.open(settings, context).await?;
    let lease = store.lease(ROLLOUT, &context.clock.now(), |held| context.ui.note(&waiting(held))).await?;
    lease.save_rollout(Some(rollout), &after).await?;
    store.close().await?;
    context.ui.note("paused; `clawberth update --resume` goes on");
    Ok(Status::Success)
}

fn possible(rollout: &Rollout, event: Event, context: &Context) -> Result<Rollout, Refusal> {
    let hint = "`clawberth update --status` shows it";
    rollout.clone().after(event, context.clock.timestamp()).map_err(|why| Refusal::new(why.to_string(), hint))
}

impl Start {
    /// What is to happen first to a rollout that was begun before.
    pub(super) fn events(self, rollout: &Rollout) -> Vec<Event> {
        match self {
            Self::New => Vec::new(),
            Self::Abort => vec![Event::Asked(Request::Abort)],
            Self::Resume { acknowledge } => {
                let failed = rollout.hosts.iter().filter(|host| acknowledge && host.status.is_failed());
                let mut events: Vec<Event> =
                    failed.map(|host| Event::Host(host.name.clone(), Fact::Acknowledged)).collect();
                let goes_back = rollout.settings.on_failure != OnFailure::Stop;
                match rollout.state {
                    // what goes back, goes on going back
                    State::Aborting | State::Running => {}
                    State::Stopped if goes_back => {}
                    State::Stopped | State::Paused | State::Finished(_) => {
                        events.push(Event::Asked(Request::Resume));
                    }
                }
                events
            }
        }
    }
}
