//! What was made and removed a moment ago, for lists that lag behind and for quotas that are released late.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How long it is remembered.
pub(crate) const REMEMBERED: Duration = Duration::from_secs(60);

/// The latest changes of a table, oldest first.
#[derive(Debug)]
pub(crate) struct Recent<T> {
    made: VecDeque<(Instant, u64)>,
    removed: VecDeque<(Instant, u64, T)>,
}

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Self { made: VecDeque::new(), removed: VecDeque::new() }
    }
}

impl<T> Recent<T> {
    pub(crate) fn make(&mut self, now: Instant, id: u64) {
        let old = self.made.partition_point(|(at, _)| now.duration_since(*at) > REMEMBERED);
        self.made.drain(..old);
        self.made.push_back((now, id));
    }

    pub(crate) fn remove(&mut self, now: Instant, id: u64, row: T) {
        let old = self.removed.partition_point(|(at, ..)| now.duration_since(*at) > REMEMBERED);
        self.removed.drain(..old);
        self.removed.push_back((now, id, row));
    }

    /// The ids of what was made in this time before now.
    pub(crate) fn made(&self, now: Instant, within: Duration) -> impl Iterator<Item = u64> {
        let young = self.made.iter().rev().take_while(move |(at, _)| now.duration_since(*at) < within);
        young.map(|(_, id)| *id)
    }

    /// What was removed in this time before now.
    pub(crate) fn removed(&self, now: Instant, within: Duration) -> impl Iterator<Item = (u64, &T)> {
        let young = self.removed.iter().rev().take_while(move |(at, ..)| now.duration_since(*at) < within);
        young.map(|(_, id, row)| (*id, row))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_remembered_for_a_while() {
        let mut recent = Recent::default();
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        (0..3).for_each(|second| recent.make(at(second), second));
        recent.remove(at(3), 0, "a");
        let made = |recent: &Recent<&str>, within| -> Vec<u64> {
            recent.made(at(3), Duration::from_secs(within)).collect()
        };
        assert_eq!(made(&recent, 2), [2]);
        assert_eq!(made(&recent, 3), [2, 1]);
        assert_eq!(recent.removed(at(4), Duration::from_secs(2)).collect::<Vec<_>>(), [(0, &"a")]);
        assert_eq!(recent.removed(at(4), Duration::from_secs(1)).count(), 0);
        recent.make(at(62), 9);
        assert_eq!((recent.made.len(), recent.removed.len()), (2, 1));
    }
}
