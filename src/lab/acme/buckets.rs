//! All buckets, each made when it is first asked for.

use std::collections::HashMap;
use std::time::Duration;

use super::bucket::Bucket;
use super::limit::Limit;

/// Which bucket: a limit, and of what or whom.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) limit: Limit,
    /// The account, address, domain or set; of failed authorisations the identifier.
    pub(super) of: String,
    /// The account, where a limit is by account and something else.
    pub(super) by: Option<String>,
}

impl Key {
    pub(super) fn new(limit: Limit, of: impl ToString) -> Self {
        Self { limit, of: of.to_string(), by: None }
    }
}

/// Which limit was met, and how long it takes until it is no longer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) key: Key,
    pub(super) wait: Duration,
}

#[derive(Default)]
pub(super) struct Buckets(HashMap<Key, Bucket>);

impl Buckets {
    /// Takes from all of `takes`, if there is something in them and in all of `checks`; else from none.
    ///
    /// # Errors
    /// The limit with the longest wait.
    pub(super) fn ask(&mut self, takes: &[Key], checks: &[Key], now: Duration) -> Result<(), Refusal> {
        let refusal = |key: &Key| {
            let bucket = self.0.get(key).copied().unwrap_or_else(|| key.limit.bucket());
            bucket.check(now).err().map(|wait| Refusal { key: key.clone(), wait })
        };
        let refusals = takes.iter().chain(checks).filter_map(refusal);
        if let Some(longest) = refusals.max_by_key(|refusal| refusal.wait) {
            return Err(longest);
        }
        takes.iter().for_each(|key| self.count(key.clone(), now));
        Ok(())
    }

    /// Takes one for what has happened. An empty bucket stays as it is, as at Let's Encrypt.
    pub(super) fn count(&mut self, key: Key, now: Duration) {
        let full = key.limit.bucket();
        let _ = self.0.entry(key).or_insert(full).take(now);
    }

    /// Undoes an [`ask`](Self::ask) that came to nothing.
    pub(super) fn give_back(&mut self, taken: &[Key]) {
        for key in taken {
            if let Some(bucket) = self.0.get_mut(key) {
                bucket.give_back();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_or_nothing_is_taken_and_the_longest_wait_told() {
        let (orders, set) = (Key::new(Limit::NewOrders, "a"), Key::new(Limit::ExactSet, "s"));
        let (failed, now) = (Key::new(Limit::FailedAuthorizations, "x"), Duration::ZERO);
        let mut buckets = Buckets::default();
        for _ in 0..5 {
            buckets.count(set.clone(), now);
            buckets.count(failed.clone(), now);
        }
        let takes = [orders.clone()];
        for _ in 0..400 {
            let refused = buckets.ask(&takes, &[failed.clone(), set.clone()], now).unwrap_err();
            assert_eq!((&refused.key, refused.wait.as_secs()), (&set, 120_960));
        }
        let taken = (0..400).filter(|_| buckets.ask(&takes, &[], now).is_ok()).count();
        assert_eq!(taken, 300, "what was refused took nothing");
        buckets.give_back(&takes);
        assert!(buckets.ask(&takes, &[], now).is_ok());
        assert_eq!(buckets.ask(&takes, &[], now).unwrap_err().key, orders);
    }
}
