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
        State::Stopped => {
            backward(rollout, left(Status::Running).collect(), left(Status::Returning).collect())
        }
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
    take_back(rollout, reverts)
}

/// These, as long as there are any; the end is when nothing is in flight any more.
fn take_back(rollout: &Rollout, reverts: Vec<InstanceName>) -> Decision {
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
    take_back(rollout, reverts)
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
    let before = rollout.hosts.iter().filter(|host| (1..first).contains(&host.wave));
    let good_since = before.filter_map(|host| host.status.since()).max();
    let bake = SignedDuration::try_from(rollout.settings.bake.duration()).unwrap_or(SignedDuration::MAX);
    let baked = good_since.map(|since| since.checked_add(bake).unwrap_or(Timestamp::MAX));
    if let Some(baked) = baked.filter(|baked| *baked > now) {
        return Some((Reason::Baking, baked));
    }
    let window = rollout.settings.window.as_ref().filter(|window| !window.is_open(now))?;
    Some((Reason::OutsideWindow, window.opens_after(now)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::rollout::{Change, Event, Fact, OnFailure, Request, RolloutId, Settings};

    fn at(text: &str) -> Timestamp {
        format!("2026-11-24T{text}Z").parse().unwrap()
    }

    /// Hosts in waves of two, of which three may fail.
    fn rollout(change: impl FnOnce(&mut Settings)) -> Rollout {
        let mut settings = Settings { budget: "3".parse().unwrap(), ..Settings::of_a_fleet(4) };
        change(&mut settings);
        let hosts = ["a", "b", "c", "d"].into_iter().zip([1, 1, 2, 2]);
        let hosts = hosts.map(|(name, wave)| Host::waiting(name.parse().unwrap(), wave)).collect();
        Rollout::new(RolloutId::from_bytes([1; 8]), Change::Os, settings, hosts, at("00:00:00"))
    }

    fn after(rollout: Rollout, names: &str, facts: &[Fact]) -> Rollout {
        let names = names.split_whitespace().map(|name| name.parse::<InstanceName>().unwrap());
        let event =
            |name: InstanceName| facts.iter().map(move |fact| Event::Host(name.clone(), fact.clone()));
        names.flat_map(event).fold(rollout, |rollout, event| rollout.after(event, at("01:00:00")).unwrap())
    }

    fn told(rollout: &Rollout, in_hand: &str, time: &str) -> String {
        let in_hand = in_hand.split_whitespace().map(|name| name.parse().unwrap()).collect();
        let list = |names: Vec<InstanceName>| names.iter().map(|n| n.as_str()).collect::<Vec<_>>().join(" ");
        match next(rollout, &in_hand, at(time)) {
            Decision::Start(names) => format!("start {}", list(names)),
            Decision::Revert(names) => format!("revert {}", list(names)),
            Decision::Wait(reason, until) => {
                let until = until.map(|until| format!(" until {until}")).unwrap_or_default();
                format!("wait {reason:?}{until}")
            }
            Decision::Finish(verdict) => format!("finish {verdict:?}"),
        }
    }

    const WORKS: &[Fact] = &[Fact::Started, Fact::Updated];

    #[test]
    fn one_alone_then_the_wave_then_after_the_bake_the_next_one() {
        let fresh = rollout(|_| {});
        assert_eq!(told(&fresh, "", "01:00:00"), "start a");
        let one = after(fresh, "a", &[Fact::Started]);
        assert_eq!(told(&one, "a", "01:00:00"), "wait InFlight");
        let proven = after(one, "a", &[Fact::Updated]);
        assert_eq!(told(&proven, "", "01:00:00"), "start b");
        let wave = after(proven, "b", WORKS);
        assert_eq!(told(&wave, "", "01:00:59"), "wait Baking until 2026-11-24T01:01:00Z");
        assert_eq!(told(&wave, "", "01:01:00"), "start c d");
        let done = after(wave, "c d", WORKS);
        assert_eq!(told(&done, "", "01:01:00"), "finish Updated");
    }

    #[test]
    fn what_a_killed_controller_left_comes_first_also_outside_the_window_and_paused() {
        let closed = rollout(|settings| settings.window = Some("Tue 00:00-00:30".parse().unwrap()));
        let left = after(after(closed, "a", WORKS), "b", &[Fact::Started]);
        assert_eq!(told(&left, "", "01:00:00"), "start b");
        assert_eq!(told(&left, "b", "01:00:00"), "wait InFlight until 2026-12-01T00:00:00Z");
        let paused = left.after(Event::Asked(Request::Pause), at("01:00:00")).unwrap();
        assert_eq!(told(&paused, "", "01:00:00"), "start b");
        let ended = after(paused, "b", &[Fact::Updated]);
        assert_eq!(told(&ended, "", "01:00:00"), "wait Paused");
    }

    #[test]
    fn after_a_failure_the_wave_goes_back_as_far_as_there_is_room() {
        let down = Fact::Down("it is gone".into());
        let one = rollout(|settings| {
            settings.budget = "2".parse().unwrap();
            settings.on_failure = OnFailure::RevertAll;
        });
        let one = after(after(one, "a b", WORKS), "c", &[Fact::Started, down.clone()]);
        let stopped = after(one, "d", &[Fact::Started, Fact::Reverted("it is not ready".into())]);
        assert_eq!(told(&stopped, "", "02:00:00"), "revert b");
        let gone = after(stopped, "b", &[Fact::Recalled, down]);
        assert_eq!(told(&gone, "", "02:00:00"), "finish Stopped");
        let seen = after(gone, "b", &[Fact::Acknowledged]);
        assert_eq!(told(&seen, "", "02:00:00"), "revert a");
        let back = after(seen, "a", &[Fact::Recalled, Fact::Returned]);
        assert_eq!(told(&back, "", "02:00:00"), "finish WentBack");
    }

    #[test]
    fn an_abort_takes_back_what_is_in_flight_also_what_is_in_hand() {
        let running = after(after(rollout(|_| {}), "a", WORKS), "b", &[Fact::Started]);
        let aborting = running.after(Event::Asked(Request::Abort), at("01:00:00")).unwrap();
        assert_eq!(told(&aborting, "b", "01:00:00"), "revert b");
        let recalled = after(aborting, "b", &[Fact::Recalled]);
        assert_eq!(told(&recalled, "b", "01:00:00"), "wait InFlight");
        assert_eq!(told(&recalled, "", "01:00:00"), "revert b");
        assert_eq!(told(&after(recalled, "b", &[Fact::Returned]), "", "01:00:00"), "finish Aborted");
    }
}
