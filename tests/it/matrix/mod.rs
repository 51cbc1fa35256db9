//! Every step of every plan × every failure: killed at each point, or failed by each fault, then one unattended
//! command, then `destroy --all`; and nothing is left anywhere, and nothing was ever made twice.
//!
//! So that it all ends in some minutes, only the first scene that has a step plays it in full: every kill with every way to go
//! on, and every fault of the API with one of them in turn; of a step's requests that change nothing, beside others, only the
//! faults that are told apart there. In other scenes the same step is killed in its middle.
//!
//! It is generated: each scene is run once undisturbed, and what it wrote into its journal are the steps that are
//! killed and failed. `MATRIX=TEXT` plays only the cells with that text in their names.

mod before;
mod cell;
mod fault;
mod ground;
mod host;
mod scene;
mod update;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Display};
use std::time::Instant;

use anyhow::Result;
use cell::{Cell, Place, Played, Trouble};
use clawberth::apply::Point;
use clawberth::plan::{FleetStep, ImageStep, Step};
use ground::Ground;
use scene::SCENES;

use crate::bed::{Cloud, Request, side_by_side};
use crate::postgres::Server;

/// Cells at a time. They mostly wait.
const SIDE_BY_SIDE: usize = 24;
/// Steps that only talk to the server that becomes an image, whose name no script can know beforehand.
const ON_BUILDERS: [&str; 4] = ["trust-builder", "fill-builder", "scrub-builder", "prove-builder"];
/// Steps that are only written down.
const ONLY_WRITTEN: [&str; 5] = ["claim", "condemn", "note-key", "use-key", "settle-keys"];
/// More than there are cells: each has a project of its own.
const PROJECTS: usize = 3000;

#[test]
fn every_step_survives_every_failure() {
    play(None);
}

/// Here each step is killed at its points in the first scene that has it, with the ways to go on in turn; the first of its requests
/// meets those faults of the API that leave one of the two places behind. The steps of updates are killed in their middle, and meet no
/// other failure.
#[test]
fn every_step_survives_every_failure_on_postgresql() {
    let Some(server) = Server::shared() else { return };
    play(Some(server));
}

fn play(postgres: Option<Server>) {
    let is_whole = postgres.is_none();
    let mut hosts = host::cells();
    let script: String = hosts.iter().map(host::HostCell::script).collect();
    let cloud = Cloud::up(PROJECTS, &(before::script().unwrap() + &script)).unwrap();
    host::nothing_is_missing().unwrap();
    fault::nothing_is_missing(&cloud.operator().unwrap().api).unwrap();
    let ground = Ground::new(cloud, postgres);
    let mut report = Report { failed: Vec::new(), lines: Vec::new(), since: Instant::now() };

    let learned = side_by_side(SIDE_BY_SIDE, SCENES.iter().collect(), |scene| {
        Place::of(scene, &ground).inspect_err(|error| eprintln!("=== {}\n{error:#}", scene.name))
    });
    let named = learned.into_iter().map(|(scene, places)| (format!("{}/undisturbed", scene.name), places));
    let places: Vec<Place> =
        report.take("undisturbed", named.collect()).into_iter().flat_map(|(_, p)| p).collect();
    let seen: BTreeSet<&str> = places.iter().map(|place| place.step.as_str()).collect();
    let all: BTreeSet<&str> =
        Step::WORDS.iter().chain(FleetStep::WORDS).chain(ImageStep::WORDS).copied().collect();
    report.require(seen == all, || format!("the scenes take the steps {seen:?}, and there are {all:?}"));

    // hosts that hang are waited for, and nothing is to wait for that
    if !is_whole {
        hosts.retain(|cell| !cell.is_update());
    }
    let all = hosts.into_iter().map(Work::Host).chain(kills(&places, is_whole).into_iter().map(Work::Step));
    let played = side_by_side(SIDE_BY_SIDE, wanted(all.collect()), |work| work.play(&ground));
    let requests = requests_of_steps(&played);
    report.take_cells("kills, and faults of hosts", played);
    let without = places.iter().filter(|place| !requests.contains_key(&place.step));
    let without: BTreeSet<&str> = without.map(|place| place.step.as_str()).collect();
    let expected: BTreeSet<&str> = host::steps().chain(ONLY_WRITTEN).chain(ON_BUILDERS).collect();
    report.require(without == expected, || format!("the steps {without:?} asked the API for nothing"));

    let mut cells = faults(&places, &requests);
    if !is_whole {
        let mut known = BTreeSet::new();
        cells.retain(|cell| !update::has(&cell.place.step));
        cells.retain(|cell| cell.is_on_postgres() && known.insert(cell.without_its_route()));
    }
    let cells = cells.into_iter().map(Work::Step).collect();
    let played = side_by_side(SIDE_BY_SIDE, wanted(cells), |work| work.play(&ground));
    report.take_cells("faults of the API", played);
    report.conclude();
}

/// A cell of either kind.
enum Work {
    Host(host::HostCell),
    Step(Cell),
}

impl Work {
    fn play(&self, ground: &Ground) -> Result<Played> {
        let played = match self {
            Self::Host(cell) => cell.play(ground).map(|()| Played { requests: Vec::new(), impatient: false }),
            Self::Step(cell) => cell.play(ground),
        };
        // the others go on for minutes
        played.inspect_err(|error| eprintln!("=== {self}\n{error:#}"))
    }
}

impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(cell) => cell.fmt(f),
            Self::Step(cell) => cell.fmt(f),
        }
    }
}

/// Every step × every point × every way to go on, in the first scene that has the step. Where it comes once more, it is killed
/// in its middle, and the ways to go on take turns: between two steps all is the same, whichever they are.
fn kills(places: &[Place], is_whole: bool) -> Vec<Cell> {
    let mut cells = Vec::new();
    let mut known = BTreeSet::new();
    for (number, place) in places.iter().enumerate() {
        let sequels = place.scene.sequels();
        let cell = |point, sequel| Cell { place: place.clone(), trouble: Trouble::Kill(point), sequel };
        let is_first = known.insert(&place.step);
        let points: Vec<Point> = match (is_whole, is_first) {
            (false, false) => Vec::new(),
            (true, true) => Point::ALL.into(),
            (false, true) if !update::has(&place.step) => Point::ALL.into(),
            (true, false) | (false, true) => vec![Point::AfterIntent, Point::AfterAct],
        };
        if is_whole && is_first {
            cells.extend(points.iter().flat_map(|point| sequels.iter().map(move |way| cell(*point, way))));
        } else {
            let turns = sequels.iter().cycle().skip(number % 2);
            cells.extend(points.into_iter().zip(turns).map(|(point, way)| cell(point, way)));
        }
    }
    cells
}

/// Every step × every fault that its requests can meet, in the first scene that has the step: once, and as an outage. Of two
/// ways to go on each cell takes the next one in turn.
fn faults(places: &[Place], requests: &BTreeMap<String, BTreeSet<String>>) -> Vec<Cell> {
    let mut cells = Vec::new();
    let mut done = BTreeSet::new();
    let all = fault::all();
    for place in places.iter().filter(|place| done.insert(&place.step)) {
        let mut sequels = place.scene.sequels().iter().cycle();
        for route in requests.get(&place.step).into_iter().flatten() {
            for fault in all.iter().filter(|fault| (fault.meets)(route)) {
                let is_minor = route.starts_with("GET ") && requests[&place.step].len() > 1;
                if is_minor && !fault.of_looks {
                    continue;
                }
                for lasts in [(fault.outage && !is_minor).then_some(true), Some(false)].into_iter().flatten()
                {
                    let trouble = Trouble::Fault { fault: fault.clone(), route: route.clone(), lasts };
                    let cell = |sequel| Cell { place: place.clone(), trouble, sequel };
                    cells.extend(sequels.next().map(cell));
                }
            }
        }
    }
    // those that wait begin first
    cells.sort_by_key(|cell| matches!(cell.trouble, Trouble::Fault { lasts: false, .. }));
    cells
}

/// What each step asks the API for: what had been asked after it and not yet before it.
fn requests_of_steps(played: &[(Work, Result<Played>)]) -> BTreeMap<String, BTreeSet<String>> {
    let mut requests: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let at = |wanted: Point| {
        played.iter().filter_map(move |(work, result)| match (work, result) {
            (Work::Step(cell), Ok(played)) if matches!(cell.trouble, Trouble::Kill(at) if at == wanted) => {
                Some((&cell.place, &played.requests))
            }
            _ => None,
        })
    };
    for (place, after) in at(Point::AfterAct) {
        let same = |(other, _): &(&Place, _)| other.to_string() == place.to_string();
        let Some((_, before)) = at(Point::AfterIntent).find(same) else { continue };
        let mut left: Vec<String> = after.iter().map(Request::what).collect();
        for what in before.iter().map(Request::what) {
            if let Some(place) = left.iter().position(|other| *other == what) {
                left.remove(place);
            }
        }
        // of several scenes the first one counts
        requests.entry(place.step.clone()).or_insert_with(|| left.into_iter().collect());
    }
    requests.retain(|_, asked| !asked.is_empty());
    requests
}

/// The cells that were asked for; of the kills also those that tell what a step asks for.
fn wanted<T: Display>(cells: Vec<T>) -> Vec<T> {
    let Ok(text) = std::env::var("MATRIX") else { return cells };
    let is_wanted = |name: &str| {
        let place = name.split_once("/kill after-").map(|(place, _)| place);
        name.contains(&text) || place.is_some_and(|place| text.starts_with(place))
    };
    cells.into_iter().filter(|cell| is_wanted(&cell.to_string())).collect()
}

/// How it went.
struct Report {
    failed: Vec<String>,
    lines: Vec<String>,
    since: Instant,
}

impl Report {
    /// Takes the failures out; what went well.
    fn take<T>(&mut self, what: &str, results: Vec<(String, Result<T>)>) -> Vec<(String, T)> {
        let (all, failed) = (results.len(), self.failed.len());
        let mut well = Vec::new();
        for (name, result) in results {
            match result {
                Ok(value) => well.push((name, value)),
                Err(_) => self.failed.push(name),
            }
        }
        let took = self.since.elapsed().as_secs_f64();
        self.since = Instant::now();
        let failed = self.failed.len() - failed;
        self.lines.push(format!("{what}: {all} cells, {failed} failed, {took:.0} s"));
        eprintln!("{what}: {all} cells, {failed} failed, {took:.0} s");
        well
    }

    /// The same for cells, of which no more is wanted than a word about those that came to no end.
    fn take_cells(&mut self, what: &str, played: Vec<(Work, Result<Played>)>) {
        let named = played.into_iter().map(|(work, result)| (work.to_string(), result)).collect();
        for (name, _) in self.take(what, named).iter().filter(|(_, played)| played.impatient) {
            eprintln!("came to no end: {name}");
        }
    }

    fn require(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds && std::env::var_os("MATRIX").is_none() {
            self.failed.push(what());
        }
    }

    fn conclude(self) {
        let Self { failed, lines, .. } = self;
        assert!(failed.is_empty(), "{}\n{}\n{} failed", failed.join("\n"), lines.join("\n"), failed.len());
    }
}
