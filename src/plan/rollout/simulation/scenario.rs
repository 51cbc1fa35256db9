use jiff::Timestamp;

use super::dice::Dice;
use crate::model::rollout::{Change, OnFailure, Rollout, RolloutId, Settings};
use crate::plan::rollout::{Candidate, arrange};

/// What is going to happen to a fleet, decided beforehand.
#[derive(Clone)]
pub(super) struct Scenario {
    pub(super) rollout: Rollout,
    /// By the number in the host's name.
    pub(super) fates: Vec<Fate>,
    /// Whether somebody sees to failed hosts and lets the rollout go on.
    pub(super) acknowledges: bool,
    /// Whether also happens what changes how it ends: an abort, hosts that are found down, hosts that are left out.
    pub(super) rough: bool,
}

/// What becomes of a host when it is changed, and when it is taken back.
#[derive(Clone, Copy)]
pub(super) struct Fate {
    pub(super) change: Outcome,
    pub(super) returns: bool,
    pub(super) seconds: i64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Works,
    Fails,
    FailsAndStaysDown,
}

const WAVES: [&str; 6] = ["1,5,25%,100%", "1,100%", "100%", "2", "1,2,3", "40%"];
const BUDGETS: [&str; 6] = ["1", "2", "3", "20%", "5%", "100%"];
const BAKES: [&str; 3] = ["0s", "60s", "5m"];
const WINDOWS: [&str; 3] = ["Tue 03:00-05:00", "Mon-Fri 22:00-04:00", "daily 00:00-00:01"];

impl Scenario {
    pub(super) fn new(dice: &mut Dice) -> Self {
        let hosts = if dice.percent(2) { 10 + dice.below(50) } else { 1 + dice.below(9) };
        let settings = Settings {
            waves: dice.choose(&WAVES).parse().unwrap(),
            bake: dice.choose(&BAKES).parse().unwrap(),
            max_parallel: dice.choose(&[1, 2, 3, 10]).try_into().unwrap(),
            budget: dice.choose(&BUDGETS).parse().unwrap(),
            on_failure: dice.choose(&[OnFailure::Stop, OnFailure::RevertWave, OnFailure::RevertAll]),
            window: dice.percent(20).then(|| dice.choose(&WINDOWS).parse().unwrap()),
        };
        let candidate = |number| Candidate {
            name: format!("h{number}").parse().unwrap(),
            location: ["fsn1", "nbg1", "hel1"][number as usize % 3].to_owned(),
        };
        let arranged = arrange((0..hosts).map(candidate).collect(), &settings.waves);
        let id = RolloutId::from_bytes([0; 8]);
        let bad = dice.choose(&[0, 5, 20, 50, 100]);
        Self {
            rollout: Rollout::new(id, Change::Os, settings, arranged, begun()),
            fates: (0..hosts).map(|_| Fate::new(dice, bad)).collect(),
            acknowledges: dice.percent(50),
            rough: dice.percent(30),
        }
    }
}

impl Fate {
    fn new(dice: &mut Dice, bad: u64) -> Self {
        let change = match (dice.percent(bad), dice.percent(30)) {
            (false, _) => Outcome::Works,
            (true, false) => Outcome::Fails,
            (true, true) => Outcome::FailsAndStaysDown,
        };
        // some are slow by hours
        let seconds = if dice.percent(5) { 10_000 } else { 1 + dice.below(90) as i64 };
        Self { change, returns: !dice.percent(20), seconds }
    }
}

pub(super) fn begun() -> Timestamp {
    "2026-11-24T02:00:00Z".parse().unwrap()
}
