use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use crate::model::name::InstanceName;
use crate::model::rollout::{Host, Rollout, State, Status, Verdict};

/// What is to be done next in a rollout.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a decision does nothing until it is carried out"]
pub enum Decision {
    /// Start these; also those of which a controller that was killed did not learn what came of them.
    Start(Vec<InstanceName>),
    /// Take these back; those that are being changed are cut short.
    Revert(Vec<InstanceName>),
    /// Nothing, before something is heard of the hosts in flight or this time has come.
    Wait(Reason, Option<Timestamp>),
    /// Nothing any more.
    Finish(Verdict),
}

/// Why nothing can be done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Hosts are in flight, and no further one may be.
    InFlight,
    /// The last wave has not been good for long enough.
    Baking,
    /// It is not the time to start hosts.
    OutsideWindow,
    /// Somebody paused it.
    Paused,
}

/// Decides what is to be done next. `in_hand` are the hosts in flight that this process works on: others in flight were left
/// by one that was killed, and are asked again.
pub fn next(rollout: &Rollout, in_hand: &BTreeSet<InstanceName>, now: Timestamp) -> Decision {
    let left = |status: Status| {
        let lost = move |host: &&Host| host.status == status && !in_hand.contains(&host.name);
        rollout.hosts.iter().filter(lost).map(|host| host.name.clone())
    };
    match rollout.state {
        State::Running => forward(rollout, left(Status::Running).collect(), now),
        State::Paused => paused(rollout, left(Status::Running).collect()),
        State::Stopped => backward(rollout, left(Status::Running).collect(), left(Status::Returning).collect()),
        State::Aborting => abort(rollout, left(Status::Returning).collect()),
        State::Finished(verdict) => Decision::Finish(verdict),
    }
}

fn forward(rollout: &Rollout, mut starts: Vec<InstanceName>, now: Timestamp) -> Decision {
    let closed = closed(rollout, now);
    if closed.is_none() {
        let room = rollout.allowance().saturating_sub(rollout.exposed()).min(parallel(rollout));
        starts.extend(wave(rollout).take(room).map(|host| host.name.clone()));
    }
    let waits = rollout.hosts.iter().any(|host| host.status == Status::Waiting);
    match (starts.is_empty(), rollout.in_flight() > 0, waits) {
        (false, ..) => Decision::Start(starts),
        (true, true, _) => Decision::Wait(Reason::InFlight, closed.map(|(_, until)| until)),
        (true, false, true) => match closed {
            Some((reason, until)) => Decision::Wait(reason, Some(until)),
            // cannot be: a rollout whose budget is used up is stopped
            None => Decision::Finish(Verdict::Stopped),
        },
        (true, false, false) => Decision::Finish(rollout.verdict()),
    }
}

fn paused(rollout: &Rollout, lost: Vec<InstanceName>) -> Decision {
    if !lost.is_empty() {
        Decision::Start(lost)
    } else if rollout.in_flight() > 0 {
        Decision::Wait(Reason::InFlight, None)
    } else if rollout.hosts.iter().any(|host| host.status == Status::Waiting) {
        Decision::Wait(Reason::Paused, None)
    } else {
        Decision::Finish(rollout.verdict())
    }
}

/// What was started ends; what has to go back does, as far as the hosts that are down leave room for it.
fn backward(rollout: &Rollout, lost: Vec<InstanceName>, mut reverts: Vec<InstanceName>) -> Decision {
    if !lost.is_empty() {
        return Decision::Start(lost);
    }
    let room = rollout.budget().saturating_sub(rollout.dark()).min(parallel(rollout));
    reverts.extend(rollout.to_return().take(room).map(|host| host.name.clone()));
    if !reverts.is_empty() {
        Decision::Revert(reverts)
    } else if rollout.in_flight() > 0 {
        Decision::Wait(Reason::InFlight, None)
    } else {
        Decision::Finish(rollout.verdict())
    }
}

/// What is in flight goes back. It counts as in flight already, so this needs no room.
fn abort(rollout: &Rollout, mut reverts: Vec<InstanceName>) -> Decision {
    let running = rollout.hosts.iter().filter(|host| host.status == Status::Running);
    reverts.extend(running.map(|host| host.name.clone()));
    if !reverts.is_empty() {
        Decision::Revert(reverts)
    } else if rollout.in_flight() > 0 {
        Decision::Wait(Reason::InFlight, None)
    } else {
        Decision::Finish(rollout.verdict())
    }
}

/// How many more hosts may be in flight.
fn parallel(rollout: &Rollout) -> usize {
    let most = usize::try_from(rollout.settings.max_parallel.get()).unwrap_or(usize::MAX);
    most.saturating_sub(rollout.in_flight())
}

/// The hosts that wait in the first wave that is not done.
fn wave(rollout: &Rollout) -> impl Iterator<Item = &Host> {
    let first = unsettled(rollout);
    rollout.hosts.iter().filter(move |host| host.status == Status::Waiting && Some(host.wave) == first)
}

fn unsettled(rollout: &Rollout) -> Option<usize> {
    rollout.hosts.iter().filter(|host| !host.status.is_settled()).map(|host| host.wave).min()
}

/// Why no host may start now whatever the budget, and until when.
fn closed(rollout: &Rollout, now: Timestamp) -> Option<(Reason, Timestamp)> {
    let first = unsettled(rollout)?;
    let before = rollout.hosts.iter().filter(|host| host.wave < first);
    let good_since = before.filter_map(|host| host.status.since()).max();
    let bake = SignedDuration::try_from(rollout.settings.bake.duration()).unwrap_or(SignedDuration::MAX);
    let baked = good_since.map(|since| since.checked_add(bake).unwrap_or(Timestamp::MAX));
    if let Some(baked) = baked.filter(|baked| *baked > now) {
        return Some((Reason::Baking, baked));
    }
    let window = rollout.settings.window.as_ref().filter(|window| !window.is_open(now))?;
    Some((Reason::OutsideWindow, window.opens_after(now)))
}
