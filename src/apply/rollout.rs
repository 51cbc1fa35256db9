//! Drives a rollout: asks what is next, has it done, and writes down what came of it, before anything else happens.

mod turn;

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;
use jiff::Timestamp;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::{Point, Stopper, World};
use crate::model::event::What;
use crate::model::name::InstanceName;
use crate::model::rollout::{Event, Fact, Rollout, Status};
use crate::plan::rollout::{Decision, Reason, next};
use crate::store::Lease;
use turn::{Ending, HostTurn, Way};

/// How often it is looked whether somebody asks something, and whether a time has come.
const POLL: Duration = Duration::from_secs(1);

/// What came of driving a rollout.
#[derive(Debug)]
#[must_use = "a report may hold failures"]
pub struct Driven {
    /// Where the rollout stands.
    pub rollout: Rollout,
    /// What was seen of the hosts that were worked on, in the order in which they ended.
    pub hosts: Vec<HostReport>,
    /// Why it was left before its end.
    pub left: Option<Left>,
}

/// Why a rollout was left before its end; it can be gone on with.
#[derive(Debug)]
pub enum Left {
    /// The user stopped it.
    Interrupted,
    /// Somebody paused it.
    Paused,
    /// It cannot be written down what happens.
    Failed(anyhow::Error),
}

/// What was seen of a host.
#[derive(Debug)]
pub struct HostReport {
    /// Whose it is.
    pub name: InstanceName,
    /// What went wrong; of one that is where it was to go, what is left to be mended.
    pub error: Option<anyhow::Error>,
}

/// A rollout in the hands of this process.
struct Driver<'a> {
    rollout: Rollout,
    lease: &'a Lease,
    world: &'a World,
    /// Each with how it ended, and for how long nobody was answered, where that was watched.
    turns: JoinSet<(HostTurn, Ending, Option<Duration>)>,
    in_hand: BTreeMap<InstanceName, Stopper>,
    hosts: Vec<HostReport>,
    /// What was last said about why nothing happens.
    told: String,
}

/// Drives a rollout to its end, or until it is paused or stopped; what is in flight ends first. The lease is that of
/// [`crate::store::ROLLOUT`], and the rollout is saved.
pub async fn drive(rollout: Rollout, lease: &Lease, world: &World) -> Driven {
    let (turns, in_hand) = (JoinSet::new(), BTreeMap::new());
    let mut driver = Driver { rollout, lease, world, turns, in_hand, hosts: Vec::new(), told: String::new() };
    let left = driver.run().await.unwrap_or_else(|error| Some(Left::Failed(error)));
    Driven { rollout: driver.rollout, hosts: driver.hosts, left }
}

impl Driver<'_> {
    async fn run(&mut self) -> Result<Option<Left>> {
        loop {
            self.heed().await?;
            let stops = self.world.stop.check().is_err();
            let in_hand = self.in_hand.keys().cloned().collect();
            match next(&self.rollout, &in_hand, self.now()) {
                Decision::Finish(_) => {
                    self.learn(Event::Ended).await?;
                    return Ok(None);
                }
                _ if stops && self.in_hand.is_empty() => return Ok(Some(Left::Interrupted)),
                Decision::Start(_) | Decision::Revert(_) if stops => self.wait(None).await?,
                Decision::Start(names) => {
                    for name in names {
                        self.fact(&name, Fact::Started).await?;
                        self.begin(name, Way::Forward);
                    }
                }
                Decision::Revert(names) => {
                    for name in names {
                        self.fact(&name, Fact::Recalled).await?;
                        match self.in_hand.get(&name) {
                            Some(stopper) => stopper.stop(),
                            None => self.begin(name, Way::Back),
                        }
                    }
                }
                Decision::Wait(Reason::Paused, _) if self.in_hand.is_empty() => {
                    return Ok(Some(Left::Paused));
                }
                Decision::Wait(reason, until) => {
                    self.tell(reason, until);
                    self.wait(until).await?;
                }
            }
        }
    }

    fn now(&self) -> Timestamp {
        self.world.clock.timestamp()
    }

    /// Does what somebody asked for from elsewhere; what cannot be had is told, and forgotten.
    async fn heed(&mut self) -> Result<()> {
        let Some(asked) = self.world.store.asked(&self.rollout.id).await? else { return Ok(()) };
        match self.rollout.clone().after(Event::Asked(asked.request), self.now()) {
            Ok(after) => self.save(after).await?,
            Err(impossible) => self.world.say("fleet", What::Failed(impossible.to_string())),
        }
        Ok(self.lease.heeded(asked).await?)
    }

    async fn fact(&mut self, name: &InstanceName, fact: Fact) -> Result<()> {
        self.learn(Event::Host(name.clone(), fact)).await
    }

    async fn learn(&mut self, event: Event) -> Result<()> {
        let word = match &event {
            Event::Host(_, fact) => fact.word(),
            Event::Asked(request) => request.word(),
            Event::Ended => "ended",
        };
        let after = self.rollout.clone().after(event, self.now())?;
        self.world.halt.here(word, Point::AfterAct);
        self.save(after).await?;
        self.world.halt.here(word, Point::AfterOutcome);
        Ok(())
    }

    async fn save(&mut self, after: Rollout) -> Result<()> {
        if after != self.rollout {
            self.lease.save_rollout(Some(&self.rollout), &after).await?;
            self.rollout = after;
        }
        Ok(())
    }

    /// Gives a host its turn. It ends by itself, or at a step's end when it is recalled; a ^C does not cut it short.
    fn begin(&mut self, name: InstanceName, way: Way) {
        let (stopper, stop) = Stopper::new();
        self.in_hand.insert(name.clone(), stopper);
        let turn = HostTurn {
            name,
            way,
            change: self.rollout.change.clone(),
            bake: self.rollout.settings.bake.duration(),
            world: World { stop, ..self.world.clone() },
        };
        self.turns.spawn(async move {
            let (ending, unanswered) = turn.take().await;
            (turn, ending, unanswered)
        });
    }

    /// Waits until a host's turn has ended, or for a moment.
    async fn wait(&mut self, until: Option<Timestamp>) -> Result<()> {
        let left = until.map(|until| self.now().duration_until(until));
        let left = left.and_then(|left| Duration::try_from(left).ok()).unwrap_or(POLL);
        if self.turns.is_empty() {
            sleep(left.min(POLL)).await;
            return Ok(());
        }
        tokio::select! {
            Some(ended) = self.turns.join_next() => {
                let (turn, ending, unanswered) = ended?;
                self.in_hand.remove(&turn.name);
                if let Some(time) = unanswered {
                    let mut after = self.rollout.clone();
                    after.unanswered(&turn.name, time);
                    self.save(after).await?;
                }
                self.ended(turn.name, turn.way, ending).await
            }
            () = sleep(left.min(POLL)) => Ok(()),
        }
    }

    async fn ended(&mut self, name: InstanceName, way: Way, ending: Ending) -> Result<()> {
        let host = self.rollout.hosts.iter().find(|host| host.name == name);
        let is_recalled = way == Way::Forward && host.is_some_and(|host| host.status == Status::Returning);
        let (fact, error) = match ending {
            Ending::Broken(error) => return Err(error),
            Ending::CutShort => return Ok(()),
            Ending::Done(error) if way == Way::Forward => (Fact::Updated, error),
            Ending::Done(error) => (Fact::Returned, error),
            Ending::Reverted(error) => (Fact::Reverted(short(&error)), Some(error)),
            Ending::Down(error) => (Fact::Down(short(&error)), Some(error)),
        };
        // where it was told to go back meanwhile, that is what it does next
        if !is_recalled || matches!(fact, Fact::Down(_)) {
            self.fact(&name, fact).await?;
        }
        self.hosts.push(HostReport { name, error });
        Ok(())
    }

    fn tell(&mut self, reason: Reason, until: Option<Timestamp>) {
        let until = until.map(|until| format!(" until {}", until.strftime("%F %T UTC"))).unwrap_or_default();
        let what = match reason {
            Reason::InFlight => return,
            Reason::Baking => format!("the last wave has to be good{until}"),
            Reason::OutsideWindow => format!("waiting for the window,{until}"),
            Reason::Paused => "paused; what is in flight ends".to_owned(),
        };
        if what != self.told {
            self.world.say("fleet", What::Did(what.clone(), Duration::ZERO));
            self.told = what;
        }
    }
}

/// What went wrong, in one line.
fn short(error: &anyhow::Error) -> String {
    let mut causes: Vec<String> = error.chain().map(ToString::to_string).collect();
    causes.dedup_by(|cause, above| above.contains(cause.as_str()));
    causes.join(": ")
}
