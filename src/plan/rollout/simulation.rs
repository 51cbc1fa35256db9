//! Rollouts of made-up fleets, without any host: hosts that fail, are slow or do not come back; controllers that are
//! killed; people who pause, abort and see to what failed.

use std::panic::catch_unwind;

use self::dice::Dice;
use self::scenario::Scenario;
use self::world::World;
use crate::model::rollout::Rollout;

mod dice;
mod scenario;
mod world;

/// Most are played twice, undisturbed and not: more than 100,000 rollouts.
const SCENARIOS: u64 = 62_000;

/// How it ended for each host, without the times.
fn ends(rollout: &Rollout) -> Vec<(&str, &'static str, bool)> {
    rollout.hosts.iter().map(|host| (host.name.as_str(), host.status.word(), host.acknowledged)).collect()
}

/// Plays a scenario; how many rollouts that were.
fn play(seed: u64) -> usize {
    let mut dice = Dice::new(seed);
    let scenario = Scenario::new(&mut dice);
    let disturbed = World::new(&scenario, Some(dice)).run();
    if scenario.rough {
        return 1;
    }
    let undisturbed = World::new(&scenario, None).run();
    assert_eq!(ends(&disturbed), ends(&undisturbed), "a kill or a pause changed how it ended");
    assert_eq!(disturbed.state, undisturbed.state);
    2
}

/// The budget is never passed, every run ends, and a resume equals no interruption; see `world.rs` for all that must hold.
#[test]
fn a_hundred_thousand_rollouts() {
    let threads = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    let part = |thread: u64| {
        let seeds = (thread..SCENARIOS).step_by(threads as usize);
        seeds.map(|seed| catch_unwind(|| play(seed)).unwrap_or_else(|_| panic!("seed {seed}"))).sum::<usize>()
    };
    let played = std::thread::scope(|scope| {
        let parts: Vec<_> = (0..threads).map(|thread| scope.spawn(move || part(thread))).collect();
        parts.into_iter().map(|part| part.join().unwrap()).sum::<usize>()
    });
    assert!(played >= 100_000, "{played}");
}
