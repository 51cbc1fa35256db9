//! How many requests the project has left: what Hetzner last told, and what has come back since. Who would ask for more waits here,
//! since whoever goes on asking gets the account closed.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use reqwest::header::HeaderMap;
use tokio::time::Instant;

/// Requests an hour, as documented for a project, until an answer tells of another number.
const HOURLY: f64 = 3600.0;
/// Seconds in which an empty bucket is full again.
const REFILL: f64 = 3600.0;
/// The part of the bucket that is kept from requests that make something: what was made can always be deleted.
const RESERVE: f64 = 0.05;
/// A wait that is told of.
const LONG: Duration = Duration::from_secs(5);
/// How often, at most.
const TOLD_AGAIN: Duration = Duration::from_secs(60);

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// To make something: this waits where only the reserve is left.
    Creation,
    /// To look, to change, to delete.
    Other,
}

/// One bucket for all requests of a project, however many ask at once.
#[derive(Debug)]
pub(super) struct Bucket {
    level: Mutex<Level>,
    /// Who came first is served first, among those who wait for the same.
    creation: tokio::sync::Mutex<()>,
    other: tokio::sync::Mutex<()>,
}

#[derive(Clone, Copy, Debug)]
struct Level {
    hourly: f64,
    left: f64,
    at: Instant,
    /// Requests that were sent and are not answered.
    pending: u32,
    /// After a refusal, when something has come back. How much is left is not known until then, so that nothing is kept.
    refused_until: Option<Instant>,
    /// When a wait was told of.
    told: Option<Instant>,
}

/// The right to one request, until its answer came.
#[derive(Debug)]
pub(super) struct Ticket<'a>(&'a Bucket);

impl Bucket {
    /// A full one.
    pub(super) fn new() -> Self {
        let level = Level {
            hourly: HOURLY,
            left: HOURLY,
            at: Instant::now(),
            pending: 0,
            refused_until: None,
            told: None,
        };
        Self { level: Mutex::new(level), creation: Default::default(), other: Default::default() }
    }

    /// Takes one request out, once there is one.
    pub(super) async fn take(&self, need: Need) -> Ticket<'_> {
        let queue = match need {
            Need::Creation => &self.creation,
            Need::Other => &self.other,
        };
        let begun = Instant::now();
        let _turn = queue.lock().await;
        while let Some(pause) = self.with(|level| level.take(need)) {
            // who waits for others waits for the bucket, too
            if begun.elapsed() + pause >= LONG && self.with(Level::is_news) {
                let seconds = pause.as_secs().max(1);
                tracing::warn!("Hetzner's requests of this hour are used up: waiting, {seconds} s at least");
            }
            tokio::time::sleep(pause).await;
        }
        Ticket(self)
    }

    fn with<T>(&self, act: impl FnOnce(&mut Level) -> T) -> T {
        let mut level = self.level.lock().unwrap_or_else(PoisonError::into_inner);
        level.refill(Instant::now());
        act(&mut level)
    }
}

impl Ticket<'_> {
    /// What an answer told of the bucket; others ask out of it, too.
    pub(super) fn answered(&self, refused: bool, headers: &HeaderMap) {
        let number = |name: &str| headers.get(name)?.to_str().ok()?.parse::<u32>().ok().map(f64::from);
        let hourly = number("ratelimit-limit").filter(|hourly| *hourly >= 1.0);
        self.0.with(|level| level.told(hourly, number("ratelimit-remaining"), refused));
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        self.0.with(|level| level.pending = level.pending.saturating_sub(1));
    }
}

impl Level {
    fn refill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.left = (self.left + passed * self.hourly / REFILL).min(self.hourly);
        self.at = now;
    }

    /// Whether nobody was told of a wait lately.
    fn is_news(&mut self) -> bool {
        let is_news = self.told.is_none_or(|told| self.at.saturating_duration_since(told) >= TOLD_AGAIN);
        self.told = if is_news { Some(self.at) } else { self.told };
        is_news
    }

    /// Takes one, or tells after which time there may be one.
    fn take(&mut self, need: Need) -> Option<Duration> {
        let refused = self.refused_until.map(|until| until.saturating_duration_since(self.at));
        if let Some(pause) = refused.filter(|pause| !pause.is_zero()) {
            return Some(pause);
        }
        let kept = match need {
            Need::Creation if refused.is_none() => (self.hourly * RESERVE).floor(),
            Need::Creation | Need::Other => 0.0,
        };
        let missing = kept + 1.0 - self.left;
        if missing > 0.0 {
            // never less than a moment, or rounding would make this a busy loop
            return Some(Duration::from_secs_f64((missing * REFILL / self.hourly).max(0.01)));
        }
        self.left -= 1.0;
        self.pending += 1;
        None
    }

    /// Those that are not answered yet may have come after what is told, so they are counted as such.
    fn told(&mut self, hourly: Option<f64>, left: Option<f64>, refused: bool) {
        self.hourly = hourly.unwrap_or(self.hourly);
        self.refused_until = refused.then(|| self.at + Duration::from_secs_f64(REFILL / self.hourly));
        if let Some(left) = left {
            let others = f64::from(self.pending.saturating_sub(1));
            self.left = (left - others).max(0.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(limit: u32, remaining: u32) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("ratelimit-limit", limit.into());
        headers.insert("ratelimit-remaining", remaining.into());
        headers
    }

    /// How many seconds a request waits.
    async fn waits(bucket: &Bucket, need: Need) -> u64 {
        let begun = Instant::now();
        drop(bucket.take(need).await);
        begun.elapsed().as_secs_f64().round() as u64
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_does_not_wait_until_the_reserve_is_reached() {
        let bucket = Bucket::new();
        for _ in 0..3420 {
            assert_eq!(waits(&bucket, Need::Creation).await, 0);
        }
        assert_eq!(waits(&bucket, Need::Creation).await, 1);
        for _ in 0..180 {
            assert_eq!(waits(&bucket, Need::Other).await, 0);
        }
        assert_eq!(waits(&bucket, Need::Other).await, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_tells_of_another_limit_and_of_what_others_took() {
        let bucket = Bucket::new();
        bucket.take(Need::Creation).await.answered(false, &headers(360, 19));
        // 18 are the reserve, and one comes back in ten seconds
        assert_eq!(waits(&bucket, Need::Creation).await, 0);
        assert_eq!(waits(&bucket, Need::Creation).await, 10);
        assert_eq!(waits(&bucket, Need::Other).await, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_under_way_is_not_counted_as_left() {
        let bucket = Bucket::new();
        let first = bucket.take(Need::Creation).await;
        let _second = bucket.take(Need::Creation).await;
        first.answered(false, &headers(3600, 181));
        assert_eq!(waits(&bucket, Need::Creation).await, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_refusal_one_asks_when_one_has_come_back() {
        let bucket = Bucket::new();
        bucket.take(Need::Creation).await.answered(true, &headers(360, 0));
        assert_eq!(waits(&bucket, Need::Other).await, 10);
        let next = bucket.take(Need::Creation).await;
        next.answered(true, &HeaderMap::new());
        drop(next);
        assert_eq!(waits(&bucket, Need::Creation).await, 10);
    }

    #[tokio::test(start_paused = true)]
    async fn nonsense_changes_nothing() {
        let bucket = Bucket::new();
        for nonsense in ["", "inf", "NaN", "-1", "1e9", "many", "99999999999999999999"] {
            let mut headers = HeaderMap::new();
            headers.insert("ratelimit-limit", nonsense.parse().unwrap());
            headers.insert("ratelimit-remaining", nonsense.parse().unwrap());
            bucket.take(Need::Creation).await.answered(false, &headers);
        }
        bucket.take(Need::Creation).await.answered(false, &headers(0, 3000));
        assert_eq!(waits(&bucket, Need::Creation).await, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_is_served_in_turn() {
        let bucket = Bucket::new();
        bucket.take(Need::Creation).await.answered(false, &headers(3600, 180));
        let all = futures_util::future::join_all((0..4).map(|_| waits(&bucket, Need::Creation))).await;
        assert_eq!(all, [1, 2, 3, 4]);
    }
}
