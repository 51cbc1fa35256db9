//! Rollouts of made-up fleets, without any host: hosts that fail, are slow or do not come back; controllers that are
//! killed; people who pause, abort and see to what failed.

use self::dice::Dice;
use self::scenario::Scenario;
use self::world::World;
use crate::model::rollout::Rollout;

mod dice;
mod scenario;
mod world;

const RUNS: u64 = 100_000;

/// How it ended for each host, without the times.
fn ends(rollout: &Rollout) -> Vec<(&str, &'static str, bool)> {
    let end = |host| {
        let crate::model::rollout::Host { name, status, acknowledged, .. }: &crate::model::rollout::Host = host;
        (name.as_str(), status.word(), *acknowledged)
    };
    rollout.hosts.iter().map(end).collect()
}

fn play(seed: u64) {
    let mut dice = Dice::new(seed);
    let scenario = Scenario::new(&mut dice);
    let disturbed = World::new(&scenario, Some(dice)).run();
    if !scenario.rough {
        let undisturbed = World::new(&scenario, None).run();
        assert_eq!(ends(&disturbed), ends(&undisturbed), "a kill or a pause changed how it ended");
        assert_eq!(disturbed.state, undisturbed.state);
    }
}

/// The budget is never passed, every run ends, and a resume equals no interruption; see `world.rs` for all that must hold.
#[test]
fn a_hundred_thousand_rollouts() {
    let threads = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    std::thread::scope(|scope| {
        for thread in 0..threads {
            scope.spawn(move || {
                for seed in (thread..RUNS).step_by(threads as usize) {
                    let played = std::panic::catch_unwind(|| play(seed));
                    assert!(played.is_ok(), "seed {seed}");
                }
            });
        }
    });
}
