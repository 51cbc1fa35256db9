//! Let's Encrypt's limits, as far as a fleet meets them, from what it has ordered: when the next certificate can be had.
//!
//! The numbers are those of <https://letsencrypt.org/docs/rate-limits/> in autumn 2026. Of the limits two are modelled, which count
//! over all accounts: new certificates for a registered domain, which is what a zone of Hetzner's is, and those for the same name.
//! The others are by account or by address, and each server has its own, which orders once. A renewal, by Boulder's rule an order for
//! the same name within 120 days, does not count for the domain.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::model::name::InstanceName;

/// New certificates for one registered domain in a week.
const OF_DOMAIN: i32 = 50;
/// Certificates for the same name in a week.
const OF_NAME: i32 = 5;
const WEEK: SignedDuration = SignedDuration::from_hours(7 * 24);
/// For how long an order for the same name is a renewal.
const RENEWAL: SignedDuration = SignedDuration::from_hours(120 * 24);

/// What may still be ordered for the names of one domain.
#[derive(Clone, Debug)]
pub struct Budget {
    domain: Bucket,
    names: BTreeMap<InstanceName, Bucket>,
    last: BTreeMap<InstanceName, Timestamp>,
}

/// Full at first; each take empties it by one, and it fills steadily, from empty to full in a week.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    capacity: i32,
    full_at: Timestamp,
}

impl Budget {
    /// What is left after these orders, the oldest first.
    pub fn after(orders: impl IntoIterator<Item = (InstanceName, Timestamp)>) -> Self {
        let domain = Bucket::new(OF_DOMAIN);
        let mut budget = Self { domain, names: BTreeMap::new(), last: BTreeMap::new() };
        for (name, at) in orders {
            // one more than there can have been is none
            if budget.next(&name, at) == at {
                budget.take(&name, at);
            }
        }
        budget
    }

    /// Orders a certificate for a name.
    ///
    /// # Errors
    /// Since when that can be done; it is kept free for that name.
    pub fn order(&mut self, name: &InstanceName, now: Timestamp) -> Result<(), Timestamp> {
        let next = self.next(name, now);
        self.take(name, next);
        if next > now { Err(next) } else { Ok(()) }
    }

    /// When one can be had for a name.
    fn next(&self, name: &InstanceName, now: Timestamp) -> Timestamp {
        let of_name = self.names.get(name).map_or(now, |bucket| bucket.next(now));
        if self.is_renewal(name, now) { of_name } else { of_name.max(self.domain.next(now)) }
    }

    fn take(&mut self, name: &InstanceName, at: Timestamp) {
        if !self.is_renewal(name, at) {
            self.domain.take(at);
        }
        self.names.entry(name.clone()).or_insert_with(|| Bucket::new(OF_NAME)).take(at);
        self.last.insert(name.clone(), at);
    }

    fn is_renewal(&self, name: &InstanceName, at: Timestamp) -> bool {
        self.last.get(name).is_some_and(|last| at.duration_since(*last) < RENEWAL)
    }
}

impl Bucket {
    fn new(capacity: i32) -> Self {
        Self { capacity, full_at: Timestamp::MIN }
    }

    /// When one can be taken.
    fn next(self, now: Timestamp) -> Timestamp {
        let room = WEEK - WEEK / self.capacity;
        self.full_at.saturating_sub(room).unwrap_or(now).max(now)
    }

    fn take(&mut self, at: Timestamp) {
        let refill = WEEK / self.capacity;
        self.full_at = self.full_at.max(at).saturating_add(refill).unwrap_or(Timestamp::MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(number: usize) -> InstanceName {
        format!("n{number}").parse().unwrap()
    }

    fn now() -> Timestamp {
        "2026-11-22T12:00:00Z".parse().unwrap()
    }

    fn hours(hours: i64) -> SignedDuration {
        SignedDuration::from_hours(hours)
    }

    /// In seconds, how long after now.
    fn wait(result: Result<(), Timestamp>) -> i64 {
        result.err().map_or(0, |next| next.duration_since(now()).as_secs())
    }

    #[test]
    fn fifty_new_names_a_week_and_then_one_every_202_minutes() {
        let mut budget = Budget::after([]);
        let waits: Vec<i64> = (0..53).map(|number| wait(budget.order(&name(number), now()))).collect();
        assert_eq!(waits[..50], [0; 50]);
        assert_eq!(waits[50..], [12_096, 24_192, 36_288], "each has its own place in the queue");
    }

    #[test]
    fn five_times_the_same_and_then_one_every_34_hours() {
        let mut budget = Budget::after((0..4).map(|_| (name(1), now() - hours(1))));
        assert_eq!(wait(budget.order(&name(1), now())), 0);
        assert_eq!(wait(budget.order(&name(1), now())), 120_960 - 3600);
        assert_eq!(wait(budget.order(&name(2), now())), 0, "another one is not concerned");
    }

    #[test]
    fn the_same_name_again_costs_its_domain_nothing_for_120_days() {
        let all = |at| (0..50).map(move |number| (name(number), at));
        let mut budget = Budget::after(all(now() - hours(1)));
        assert_eq!(wait(budget.order(&name(7), now())), 0);
        assert_eq!(wait(budget.order(&name(99), now())), 12_096 - 3600);
        let long_ago = all(now() - hours(121 * 24));
        let mut budget = Budget::after(long_ago.chain((100..150).map(|number| (name(number), now()))));
        assert_eq!(wait(budget.order(&name(7), now())), 12_096);
    }

    #[test]
    fn a_week_later_all_are_free_again_and_no_more_than_that() {
        let week_ago = now() - hours(7 * 24);
        let mut budget = Budget::after((0..80).map(|number| (name(number), week_ago)));
        let free = (100..200).take_while(|number| budget.order(&name(*number), now()).is_ok()).count();
        assert_eq!(free, 50);
    }
}
