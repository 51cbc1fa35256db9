//! How much a project may have.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

/// The limits of a project. May be changed at any time.
#[derive(Debug, Clone, Default)]
pub(crate) struct Quota {
    /// By the names that the API has for them: `server_limit`. What is not named has no limit.
    pub(crate) limits: BTreeMap<String, u64>,
    /// How long a primary IP counts after it was deleted.
    pub(crate) released_after: Duration,
    /// When primary IPs were deleted, as far as these may still count.
    released: Vec<Timestamp>,
}

impl Quota {
    /// Whether `more` of a kind fit under its limit where there are `present` ones.
    pub(crate) fn has_room(&self, limit: &str, present: usize, more: usize) -> bool {
        let wanted = (present + more) as u64;
        self.limits.get(limit).is_none_or(|limit| wanted <= *limit)
    }

    /// Writes down that a primary IP was deleted.
    pub(crate) fn release(&mut self, now: Timestamp) {
        let counts = self.counts(now);
        self.released.retain(counts);
        self.released.push(now);
    }

    /// How many deleted primary IPs still count.
    pub(crate) fn unreleased(&self, now: Timestamp) -> usize {
        let counts = self.counts(now);
        self.released.iter().filter(|at| counts(at)).count()
    }

    fn counts(&self, now: Timestamp) -> impl Fn(&Timestamp) -> bool + use<> {
        let delay = self.released_after;
        move |at| now.duration_since(*at).unsigned_abs() < delay
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deleted_address_counts_for_a_while() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut quota = Quota { released_after: Duration::from_secs(60), ..Quota::default() };
        quota.release(at(0));
        quota.release(at(30));
        assert_eq!((quota.unreleased(at(59)), quota.unreleased(at(60)), quota.unreleased(at(90))), (2, 1, 0));
        quota.release(at(100));
        assert_eq!(quota.released.len(), 1);
    }

    #[test]
    fn what_is_not_named_has_no_limit() {
        let quota = Quota { limits: [("server_limit".to_owned(), 2)].into(), ..Quota::default() };
        assert!(quota.has_room("server_limit", 1, 1) && !quota.has_room("server_limit", 1, 2));
        assert!(quota.has_room("primary_ip_limit", 1_000_000, 1));
    }
}
