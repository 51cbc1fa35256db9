//! The time that buckets live in: as fast as real time, or faster.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

/// A clock that starts at zero and goes `speed` times as fast as real time.
pub(super) struct Clock {
    start: Instant,
    speed: NonZeroU32,
}

impl Clock {
    pub(super) fn new(speed: NonZeroU32) -> Self {
        Self { start: Instant::now(), speed }
    }

    pub(super) fn now(&self) -> Duration {
        self.start.elapsed() * self.speed.get()
    }

    /// How many real seconds to wait until that much has passed, rounded up.
    pub(super) fn real_seconds(&self, time: Duration) -> u64 {
        let real = time / self.speed.get();
        real.as_secs() + u64::from(real.subsec_nanos() > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_shrinks_with_the_speed_and_is_long_enough() {
        let clock = |speed: u32| Clock::new(NonZeroU32::new(speed).unwrap());
        let wait = Duration::from_secs(120_960);
        assert_eq!(clock(1).real_seconds(wait), 120_960);
        assert_eq!(clock(3600).real_seconds(wait), 34, "33.6 s");
        assert_eq!(clock(u32::MAX).real_seconds(wait), 1);
    }
}
