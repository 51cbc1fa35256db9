//! One cell of the matrix: a step of a scene, and what goes wrong there.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clawberth::apply::Point;

use super::fault::Fault;
use super::ground::Ground;
use super::scene::{Scene, Sequel};
use serde_json::Value;

use crate::bed::{Ended, Halt, Operator, Request, Running, Step};

/// How long a fault lasts that does not end by itself.
const OUTAGE: Duration = Duration::from_secs(5);
/// How long a command that met a fault may take; then its operator loses patience, and kills it.
const PATIENCE: Duration = Duration::from_secs(30);

/// A step of a scene.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) scene: &'static Scene,
    pub(super) step: String,
    /// A step can be taken several times in one command.
    nth: usize,
}

/// What goes wrong.
#[derive(Clone)]
pub(super) enum Trouble {
    /// The process is killed.
    Kill(Point),
    /// A request of the step meets a fault: the first one, or all for a while.
    Fault { fault: Fault, route: String, lasts: bool },
}

/// A cell.
pub(super) struct Cell {
    pub(super) place: Place,
    pub(super) trouble: Trouble,
    pub(super) sequel: &'static Sequel,
}

/// What there is to tell of a cell that was played well.
pub(super) struct Played {
    /// The requests of the command up to the moment when things went wrong.
    pub(super) requests: Vec<Request>,
    /// Whether the command met a fault and came to no end.
    pub(super) impatient: bool,
}

impl Place {
    /// Runs a scene undisturbed, and gives the places of all its steps.
    pub(super) fn of(scene: &'static Scene, ground: &Ground) -> Result<Vec<Self>> {
        let operator = ground.player()?;
        scene.set_up(&operator)?;
        let known = operator.journal()?.len();
        let ended = operator.run(scene.command, scene.variables)?;
        ensure!(ended.code == Some(scene.code()), "{ended}");
        let mut times: BTreeMap<String, usize> = BTreeMap::new();
        let mut places = Vec::new();
        for Step { step, .. } in operator.journal()?.into_iter().skip(known) {
            let nth = times.entry(step.clone()).or_default();
            *nth += 1;
            places.push(Self { scene, step, nth: *nth });
        }
        clear(&operator)?;
        Ok(places)
    }

    /// Starts the command, and gives it when it has stopped at a point of this step.
    fn stopped(&self, point: Point, operator: &Operator<'_>) -> Result<Running> {
        let Self { scene, step, nth } = self;
        let mut running = operator.start_to(scene.command, step, point, scene.variables)?;
        for _ in 1..*nth {
            running.until_stopped()?;
            running.go_on()?;
        }
        running.until_stopped()?;
        Ok(running)
    }
}

impl Cell {
    /// The step and what goes wrong, whichever request meets it.
    pub(super) fn without_its_route(&self) -> String {
        match &self.trouble {
            Trouble::Kill(point) => format!("{} {}", self.place.step, point.word()),
            Trouble::Fault { fault, .. } => format!("{} {}", self.place.step, fault.name),
        }
    }

    /// Whether it is played on PostgreSQL: no outages, which take long.
    pub(super) fn is_on_postgres(&self) -> bool {
        matches!(&self.trouble, Trouble::Fault { lasts: false, fault, .. } if fault.on_postgres)
    }

    /// Plays it.
    pub(super) fn play(&self, ground: &Ground) -> Result<Played> {
        let operator = ground.player()?;
        let Place { scene, .. } = self.place;
        scene.set_up(&operator)?;
        let known = operator.requests()?.len();
        let (point, story) = match &self.trouble {
            Trouble::Kill(point) => (*point, None),
            Trouble::Fault { fault, .. } => (Point::AfterIntent, Some(fault)),
        };
        let running = self.place.stopped(point, &operator)?;
        let requests = operator.requests()?.split_off(known);
        let ended = match &self.trouble {
            Trouble::Kill(_) => running.kill()?,
            Trouble::Fault { fault, route, lasts } => {
                suffer(running, fault.at(route, *lasts), *lasts, &operator)?
            }
        };
        let met =
            || operator.requests().is_ok_and(|all| all.iter().skip(known).any(|one| !one.fault.is_empty()));
        ensure!(story.is_none() || met(), "no request met the fault; {ended}");
        let rest = scene.go_on(self.sequel, &operator).and_then(|()| clear(&operator));
        rest.with_context(|| format!("{ended}--- and then"))?;
        let impatient = story.is_some() && ended.code.is_none();
        Ok(Played { requests, impatient })
    }
}

/// Lets a stopped command go on into a fault, to its end.
fn suffer(mut running: Running, fault: Value, lasts: bool, operator: &Operator<'_>) -> Result<Ended> {
    let mut fault = Some(operator.api.fault(fault)?);
    running.go_on()?;
    let ended = loop {
        match running.halt(if lasts && fault.is_some() { OUTAGE } else { PATIENCE })? {
            // the same step once more
            Halt::Stopped => running.go_on()?,
            Halt::Ended => break running.end(Duration::ZERO)?,
            Halt::TooLate => match fault.take() {
                Some(over) if lasts => operator.api.lift(over)?,
                over => {
                    fault = over;
                    break running.kill()?;
                }
            },
        }
    };
    fault.map_or(Ok(()), |fault| operator.api.lift(fault))?;
    Ok(ended)
}

/// Removes everything, and sees that nothing is left, and that nothing had been made twice.
pub(super) fn clear(operator: &Operator<'_>) -> Result<()> {
    operator.ok(&["destroy", "--all", "--yes"])?;
    if !operator.all("/images?type=snapshot", "images")?.is_empty() {
        operator.ok(&["image", "prune", "--all", "--yes"])?;
    }
    operator.clean_slate()?;
    let doubles = operator.doubles()?;
    ensure!(doubles.is_empty(), "made while the first still lived: {doubles:?}");
    Ok(())
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scene, step, nth } = self;
        write!(f, "{}/{step}", scene.name)?;
        if *nth > 1 { write!(f, "#{nth}") } else { Ok(()) }
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, trouble, sequel } = self;
        match trouble {
            Trouble::Kill(point) => write!(f, "{place}/kill {}/{}", point.word(), sequel.name),
            Trouble::Fault { fault, route, lasts } => {
                let how_long = if *lasts { "for a while" } else { "once" };
                write!(f, "{place}/{} {how_long} at {route}/{}", fault.name, sequel.name)
            }
        }
    }
}
