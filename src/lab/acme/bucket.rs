//! One token bucket, as Let's Encrypt's Boulder keeps it: the moment when it is full again says all. Pure.

use std::time::Duration;

/// Full at first; each take empties it by one, each `refill` fills it by one. Moments count from any one moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bucket {
    capacity: u32,
    refill: Duration,
    full_at: Duration,
}

impl Bucket {
    /// A full one.
    pub(super) fn new(capacity: u32, refill: Duration) -> Self {
        Self { capacity, refill, full_at: Duration::ZERO }
    }

    /// Whether one can be taken, else how long until then.
    pub(super) fn check(&self, now: Duration) -> Result<(), Duration> {
        let latest = now + self.refill * self.capacity;
        match self.one_less(now).saturating_sub(latest) {
            Duration::ZERO => Ok(()),
            wait => Err(wait),
        }
    }

    /// Takes one, if there is one.
    pub(super) fn take(&mut self, now: Duration) -> Result<(), Duration> {
        self.check(now)?;
        self.full_at = self.one_less(now);
        Ok(())
    }

    /// Puts one back that was taken for nothing.
    pub(super) fn give_back(&mut self) {
        self.full_at = self.full_at.saturating_sub(self.refill);
    }

    fn one_less(&self, now: Duration) -> Duration {
        self.full_at.max(now) + self.refill
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn drained(now: Duration) -> Bucket {
        let mut bucket = Bucket::new(3, MINUTE);
        for _ in 0..3 {
            bucket.take(now).unwrap();
        }
        bucket
    }

    #[test]
    fn holds_exactly_its_capacity_and_says_when_the_next_is_there() {
        let now = Duration::from_secs(1_000_000);
        let mut bucket = drained(now);
        assert_eq!(bucket.take(now), Err(MINUTE));
        assert_eq!(bucket.take(now + MINUTE / 4), Err(MINUTE * 3 / 4));
        assert_eq!(bucket.take(now + MINUTE - Duration::from_nanos(1)), Err(Duration::from_nanos(1)));
        assert_eq!(bucket.take(now + MINUTE), Ok(()));
        assert_eq!(bucket.take(now + MINUTE), Err(MINUTE), "a refusal takes nothing, a refill gives one");
    }

    #[test]
    fn a_check_takes_nothing() {
        let bucket = Bucket::new(1, MINUTE);
        assert_eq!((bucket.check(MINUTE), bucket.check(MINUTE)), (Ok(()), Ok(())));
    }

    #[test]
    fn fills_to_the_brim_and_no_further() {
        let mut bucket = drained(Duration::ZERO);
        let later = MINUTE * 1000;
        let taken = (0..10).filter(|_| bucket.take(later).is_ok()).count();
        assert_eq!(taken, 3);
    }

    #[test]
    fn what_is_given_back_can_be_taken_again_once() {
        let mut bucket = drained(MINUTE);
        bucket.give_back();
        assert_eq!((bucket.take(MINUTE), bucket.take(MINUTE)), (Ok(()), Err(MINUTE)));
        let mut full = Bucket::new(1, MINUTE);
        full.give_back();
        assert_eq!((full.take(MINUTE), full.take(MINUTE)), (Ok(()), Err(MINUTE)));
    }
}
