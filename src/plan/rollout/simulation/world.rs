use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::dice::Dice;
use super::scenario::{Fate, Outcome, Scenario, begun};
use crate::model::name::InstanceName;
use crate::model::rollout::{Event, Fact, Host, OnFailure, Request, Rollout, State, Status, Verdict};
use crate::plan::rollout::{Decision, Reason, next};

/// The hosts of a scenario, the controller that changes them, and what disturbs it.
pub(super) struct World {
    rollout: Option<Rollout>,
    fates: Vec<Fate>,
    acknowledges: bool,
    /// None: nothing disturbs it.
    disturbance: Option<Dice>,
    rough: bool,
    now: Timestamp,
    in_hand: BTreeSet<InstanceName>,
    /// When the hosts that the controller has in hand are done.
    ends: BTreeMap<InstanceName, Timestamp>,
    /// Hosts of which the outcome of the change is known.
    concluded: BTreeSet<InstanceName>,
    /// Since when each host that was touched is as it is.
    settled: BTreeMap<InstanceName, Timestamp>,
    paused: bool,
    aborted: bool,
    interruptions: usize,
    heard: usize,
    /// Hosts were found down that nothing was done to: no planner can prevent that.
    fell: bool,
}

impl World {
    pub(super) fn new(scenario: &Scenario, disturbance: Option<Dice>) -> Self {
        Self {
            rollout: Some(scenario.rollout.clone()),
            fates: scenario.fates.clone(),
            acknowledges: scenario.acknowledges,
            rough: scenario.rough && disturbance.is_some(),
            disturbance,
            now: begun(),
            in_hand: BTreeSet::new(),
            ends: BTreeMap::new(),
            concluded: BTreeSet::new(),
            settled: BTreeMap::new(),
            paused: false,
            aborted: false,
            interruptions: 0,
            heard: 0,
            fell: false,
        }
    }

    /// Goes on until nothing more is to be done.
    pub(super) fn run(mut self) -> Rollout {
        let bound = 40 + 8 * self.fates.len();
        for step in 0.. {
            assert!(step < bound + 4 * self.interruptions, "does not end: {:#?}", self.rollout());
            self.disturb();
            match next(self.rollout(), &self.in_hand, self.now) {
                Decision::Start(names) => self.start(&names),
                Decision::Revert(names) => self.revert(&names),
                Decision::Wait(reason, until) => self.wait(reason, until),
                Decision::Finish(verdict) => {
                    self.hear(Event::Ended);
                    if !self.goes_on_after(verdict) {
                        break;
                    }
                }
            }
            self.check_always();
        }
        self.check_end();
        self.rollout.unwrap()
    }

    fn hear(&mut self, event: Event) {
        let twice = self.heard.is_multiple_of(16);
        self.heard += 1;
        let before = self.rollout.take().unwrap();
        let after =
            before.after(event.clone(), self.now).unwrap_or_else(|error| panic!("{event:?}: {error}"));
        if twice {
            let again = after.clone().after(event, self.now);
            assert_eq!(again.as_ref(), Ok(&after), "the same event twice");
        }
        self.rollout = Some(after);
    }

    fn learn(&mut self, name: &InstanceName, fact: Fact) {
        self.hear(Event::Host(name.clone(), fact));
        self.settled.insert(name.clone(), self.now);
    }

    fn start(&mut self, names: &[InstanceName]) {
        assert!(!names.is_empty());
        for name in names {
            assert!(!self.ends.contains_key(name), "{name} is in hand already");
            assert!(!self.concluded.contains(name), "{name} is changed twice");
            if self.status(name) == &Status::Waiting {
                self.check_start(name);
            }
            self.hear(Event::Host(name.clone(), Fact::Started));
            self.in_hand.insert(name.clone());
            self.ends.insert(name.clone(), self.now + SignedDuration::from_secs(self.fate(name).seconds));
            if self.is_killed() {
                return;
            }
        }
    }

    fn revert(&mut self, names: &[InstanceName]) {
        assert!(!names.is_empty());
        for name in names {
            let fresh = matches!(self.status(name), Status::Updated { .. });
            assert!(
                !fresh || self.rollout().state == State::Stopped,
                "an updated host goes back for nothing"
            );
            self.hear(Event::Host(name.clone(), Fact::Recalled));
            self.concluded.insert(name.clone());
            self.in_hand.insert(name.clone());
            self.ends.insert(name.clone(), self.now + SignedDuration::from_secs(self.fate(name).seconds));
            if self.is_killed() {
                return;
            }
        }
    }

    /// Until the first host is done, or something else may happen.
    fn wait(&mut self, reason: Reason, until: Option<Timestamp>) {
        let first = self.ends.values().min().copied();
        assert_eq!(reason == Reason::InFlight, first.is_some(), "{reason:?}");
        assert!(until.is_none_or(|until| until > self.now), "waits for {until:?}, which is over");
        match first.into_iter().chain(until).min() {
            Some(time) => self.now = time,
            None => {
                assert_eq!((reason, self.paused), (Reason::Paused, true), "waits for nothing");
                self.ask(Request::Resume);
            }
        }
        let done: Vec<_> =
            self.ends.iter().filter(|(_, end)| **end <= self.now).map(|(n, _)| n.clone()).collect();
        for name in done {
            self.ends.remove(&name);
            self.in_hand.remove(&name);
            let fate = self.fate(&name);
            let returning = *self.status(&name) == Status::Returning;
            let fact = match (returning, fate.change, fate.returns) {
                (true, _, true) => Fact::Returned,
                (true, _, false) => Fact::Down("it does not come back".into()),
                (false, Outcome::Works, _) => Fact::Updated,
                (false, Outcome::Fails, _) => Fact::Reverted("it is not ready".into()),
                (false, Outcome::FailsAndStaysDown, _) => Fact::Down("it is gone".into()),
            };
            self.learn(&name, fact);
            self.concluded.insert(name);
        }
    }

    fn ask(&mut self, request: Request) {
        self.hear(Event::Asked(request));
        self.paused = request == Request::Pause;
        self.aborted |= request == Request::Abort;
    }

    /// Somebody sees to the failed hosts, where the rollout stopped.
    fn goes_on_after(&mut self, verdict: Verdict) -> bool {
        if verdict != Verdict::Stopped || !self.acknowledges {
            return false;
        }
        let failed: Vec<_> = self.failed().cloned().collect();
        for name in &failed {
            self.hear(Event::Host(name.clone(), Fact::Acknowledged));
        }
        if self.rollout().settings.on_failure == OnFailure::Stop {
            self.ask(Request::Resume);
        }
        self.interruptions += 1;
        !failed.is_empty()
    }

    fn disturb(&mut self) {
        self.is_killed();
        let Some(dice) = &mut self.disturbance else { return };
        let (pauses, resumes) = (dice.percent(3), dice.percent(30));
        let (aborts, falls, skips) = (dice.percent(2), dice.percent(3), dice.percent(3));
        let victim = dice.below(self.fates.len() as u64) as usize;
        let state = self.rollout().state;
        if self.paused && resumes && state == State::Paused {
            self.interruptions += 1;
            self.ask(Request::Resume);
        } else if pauses && state == State::Running {
            self.interruptions += 1;
            self.ask(Request::Pause);
        }
        if !self.rough || matches!(state, State::Finished(_)) {
            return;
        }
        if aborts {
            self.interruptions += 1;
            self.ask(Request::Abort);
        }
        let host = self.rollout().hosts[victim].clone();
        let stands = matches!(host.status, Status::Waiting | Status::Updated { .. });
        if falls && stands {
            self.fell = true;
            self.learn(&host.name, Fact::Down("found down".into()));
            self.concluded.insert(host.name);
        } else if skips && host.status == Status::Waiting {
            self.hear(Event::Host(host.name, Fact::Skipped("does not answer".into())));
        }
    }

    /// The controller is killed, and started again: what was in hand is not any more.
    fn is_killed(&mut self) -> bool {
        let Some(dice) = &mut self.disturbance else { return false };
        if !dice.percent(5) {
            return false;
        }
        if dice.percent(5) {
            let text = serde_json::to_string(self.rollout()).unwrap();
            self.rollout = Some(serde_json::from_str(&text).unwrap());
        }
        self.interruptions += 1;
        self.ends.clear();
        self.in_hand.clear();
        true
    }

    fn rollout(&self) -> &Rollout {
        self.rollout.as_ref().unwrap()
    }

    fn fate(&self, name: &InstanceName) -> Fate {
        self.fates[name.as_str().trim_start_matches('h').parse::<usize>().unwrap()]
    }

    fn status(&self, name: &InstanceName) -> &Status {
        &self.rollout().hosts.iter().find(|host| host.name == *name).unwrap().status
    }

    fn count(&self, is: impl Fn(&Status) -> bool) -> usize {
        self.rollout().hosts.iter().filter(|host| !host.acknowledged && is(&host.status)).count()
    }

    fn failed(&self) -> impl Iterator<Item = &InstanceName> {
        let failed = |status: &Status| matches!(status, Status::Down { .. } | Status::Reverted { .. });
        let counts = move |host: &&Host| failed(&host.status) && !host.acknowledged;
        self.rollout().hosts.iter().filter(counts).map(|host| &host.name)
    }

    fn budget(&self) -> usize {
        self.rollout().settings.budget.of(self.fates.len())
    }
}

/// What must hold.
impl World {
    fn check_start(&self, name: &InstanceName) {
        let host = self.rollout().hosts.iter().find(|host| host.name == *name).unwrap();
        let in_flight = self.count(|status| matches!(status, Status::Running | Status::Returning));
        let untried = self.count(|status| matches!(status, Status::Updated { .. })) == 0;
        let budget = if untried { 1 } else { self.budget() };
        assert!(self.failed().count() + in_flight < budget, "{name} starts beyond the budget");
        assert!(!self.paused && !self.aborted, "{name} starts while nothing may");
        let settings = &self.rollout().settings;
        assert!(settings.window.as_ref().is_none_or(|window| window.is_open(self.now)), "outside the window");
        for earlier in self.rollout().hosts.iter().filter(|other| other.wave < host.wave) {
            assert!(
                !matches!(earlier.status, Status::Waiting | Status::Running | Status::Returning),
                "{name} starts before the wave of {}",
                earlier.name
            );
            let bake = SignedDuration::try_from(settings.bake.duration()).unwrap();
            let good = self.settled.get(&earlier.name).is_none_or(|since| *since + bake <= self.now);
            assert!(good, "{name} starts before {} is baked", earlier.name);
        }
    }

    fn check_always(&mut self) {
        let in_flight = self.count(|status| matches!(status, Status::Running | Status::Returning));

        assert!(in_flight <= self.rollout().settings.max_parallel.get() as usize, "too many in flight");
        if self.fell {
            return;
        }
        let budget = self.budget();
        let down = self.count(|status| matches!(status, Status::Down { .. }));
        assert!(down + in_flight <= budget, "more may be down at once than the budget");
        let changes = self.failed().filter(|name| self.fate(name).change != Outcome::Works).count();
        let running = self.count(|status| *status == Status::Running);
        assert!(changes + running <= budget, "more changes may fail than the budget");
    }

    fn check_end(&self) {
        let none = |what: &str, is: &dyn Fn(&Status) -> bool| {
            let found = self.rollout().hosts.iter().find(|host| is(&host.status));
            assert!(found.is_none(), "{what}: {:#?}", self.rollout());
        };
        none("in flight at the end", &Status::is_in_flight);
        none(
            "left out without a reason",
            &|status| matches!(status, Status::Skipped { why } if why.is_empty()),
        );
        let waiting = |status: &Status| *status == Status::Waiting;
        let updated = |status: &Status| matches!(status, Status::Updated { .. });
        let failed = |status: &Status| matches!(status, Status::Down { .. } | Status::Reverted { .. });
        let skipped = |status: &Status| matches!(status, Status::Skipped { .. });
        let all = self.fates.iter();
        match self.rollout().state {
            State::Finished(Verdict::Updated) => {
                none("forgotten", &|status| !updated(status) && !skipped(status));
                assert!(self.rough || all.clone().all(|fate| fate.change == Outcome::Works));
            }
            State::Finished(Verdict::Incomplete) => none("forgotten", &waiting),
            State::Finished(Verdict::WentBack) => {
                none("forgotten", &waiting);
                if self.rollout().settings.on_failure == OnFailure::RevertAll {
                    none("left updated", &updated);
                }
            }
            State::Finished(Verdict::Aborted) => assert!(self.aborted),
            State::Stopped => assert!(self.failed().count() >= 1),
            state => panic!("ended while {state}"),
        }
        let nothing_works = all.clone().all(|fate| fate.change != Outcome::Works);
        if nothing_works && !self.rough && !self.acknowledges {
            assert_eq!(self.count(failed), 1, "a change that works nowhere is tried once");
        }
    }
}
