use jiff::Timestamp;

use super::{Fact, OnFailure, Request, Rollout, State, Status, Verdict};
use crate::model::name::InstanceName;

/// Something that happens in a rollout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Something came to be known of a host.
    Host(InstanceName, Fact),
    /// Somebody asks something of it.
    Asked(Request),
    /// There is nothing left to do, and nothing in flight.
    Ended,
}

/// An event that cannot be in this rollout: a fault of the program, or something asked for that cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Impossible(String);

impl Rollout {
    /// The rollout after an event. One that comes twice changes nothing.
    ///
    /// It stops by itself when as many hosts have failed as may ([`Rollout::allowance`]), and refuses to start a host
    /// when that could make more fail.
    ///
    /// # Errors
    /// [`Impossible`] where the event cannot be.
    pub fn after(mut self, event: Event, now: Timestamp) -> Result<Self, Impossible> {
        let done = match event {
            Event::Host(name, fact) => self.learn(&name, fact, now),
            Event::Asked(request) => self.hear(request),
            Event::Ended => self.end(),
        };
        done.map(|()| self).map_err(Impossible)
    }

    fn learn(&mut self, name: &InstanceName, fact: Fact, now: Timestamp) -> Result<(), String> {
        let may_start = self.state == State::Running && self.exposed() < self.allowance();
        let over = self.is_over();
        let may_return = matches!(self.state, State::Stopped | State::Aborting);
        let host = self.hosts.iter_mut().find(|host| host.name == *name);
        let host = host.ok_or_else(|| format!("{name} is not in this rollout"))?;
        let word = fact.word();
        if fact == Fact::Started && host.status == Status::Waiting && !may_start {
            return Err(format!(
                "{name} cannot start: the rollout is {}, or could pass its budget",
                self.state
            ));
        }
        if fact == Fact::Recalled && host.status != Status::Returning && !may_return {
            return Err(format!("{name} cannot go back while the rollout is {}", self.state));
        }
        let acknowledged = fact == Fact::Acknowledged || host.acknowledged;
        let before = host.status.clone();
        let after = before.clone().after(fact, now);
        host.status = after.ok_or_else(|| format!("a host that is {before} cannot become {word}"))?;
        if over && host.status != before {
            return Err(format!("{name} cannot become {word}: the rollout is over"));
        }
        host.acknowledged = acknowledged && host.status == before;
        if matches!(self.state, State::Running | State::Paused) && self.failed() >= self.allowance() {
            self.state = State::Stopped;
        }
        Ok(())
    }

    fn hear(&mut self, request: Request) -> Result<(), String> {
        let stops = self.settings.on_failure == OnFailure::Stop;
        let may_go_on = stops && self.failed() < self.allowance();
        let refused = || {
            let why = match (self.state, request) {
                (State::Stopped, Request::Resume) if !stops => "its hosts go back".to_owned(),
                (State::Stopped, Request::Resume) => {
                    let (failed, may) = (self.failed(), self.allowance());
                    format!("{failed} hosts failed that nobody has acknowledged, and {may} may")
                }
                (state, _) => format!("it is {state}"),
            };
            format!("cannot {} the rollout: {why}", request.word())
        };
        self.state = self.state.after(request, may_go_on).ok_or_else(refused)?;
        Ok(())
    }

    fn end(&mut self) -> Result<(), String> {
        let verdict = self.verdict();
        let left = |status: fn(&Status) -> bool| self.hosts.iter().any(|host| status(&host.status));
        let unfinished = match self.state {
            State::Finished(_) => return Ok(()),
            State::Running | State::Paused => left(|status| !status.is_settled()),
            State::Stopped | State::Aborting => left(Status::is_in_flight),
        };
        if unfinished {
            return Err(format!("a rollout that is {} cannot end with hosts left", self.state));
        }
        if verdict == Verdict::Stopped {
            return Ok(());
        }
        for host in self.hosts.iter_mut().filter(|host| host.status == Status::Waiting) {
            let why =
                if verdict == Verdict::Aborted { "the rollout was aborted" } else { "the rollout went back" };
            host.status = Status::Skipped { why: why.to_owned() };
        }
        self.state = State::Finished(verdict);
        Ok(())
    }
}
