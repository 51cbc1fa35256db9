//! 3600 requests an hour for a project: a bucket that refills by one a second and may be emptied in one burst.

use std::sync::{Mutex, PoisonError};

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;

/// Requests an hour, as documented for a project.
const HOURLY: f64 = 3600.0;

/// The bucket.
#[derive(Debug)]
pub(crate) struct RateLimit {
    hourly: f64,
    state: Mutex<Bucket>,
}

#[derive(Debug)]
struct Bucket {
    left: f64,
    at: Timestamp,
}

/// What a request found in the bucket.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Ticket {
    pub(crate) granted: bool,
    limit: f64,
    left: f64,
    /// When the bucket is full again, seconds since 1970.
    reset: f64,
}

impl RateLimit {
    /// A full bucket of the documented size.
    pub(crate) fn hourly() -> Self {
        Self { hourly: HOURLY, state: Mutex::new(Bucket { left: HOURLY, at: Timestamp::now() }) }
    }

    /// Takes one request out of the bucket.
    pub(crate) fn take(&self, now: Timestamp) -> Ticket {
        let mut bucket = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let passed = now.duration_since(bucket.at).as_secs_f64().max(0.0);
        let per_second = self.hourly / 3600.0;
        let left = (bucket.left + passed * per_second).min(self.hourly);
        let granted = left >= 1.0;
        *bucket = Bucket { left: if granted { left - 1.0 } else { left }, at: now };
        let reset = now.as_duration().as_secs_f64() + (self.hourly - bucket.left) / per_second;
        Ticket { granted, limit: self.hourly, left: bucket.left, reset }
    }
}

impl Ticket {
    /// Tells the client how it stands.
    pub(crate) fn write(&self, headers: &mut HeaderMap) {
        let pairs = [
            ("ratelimit-limit", self.limit),
            ("ratelimit-remaining", self.left.floor()),
            ("ratelimit-reset", self.reset.ceil()),
        ];
        for (name, value) in pairs {
            if let Ok(value) = HeaderValue::from_str(&format!("{value:.0}")) {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    #[test]
    fn an_empty_bucket_refills_by_one_a_second() {
        let limit = RateLimit::hourly();
        let start = Timestamp::now() + SignedDuration::from_secs(10);
        assert!((0..3600).all(|_| limit.take(start).granted));
        let refused = limit.take(start);
        assert!(!refused.granted);
        assert_eq!((refused.reset - start.as_duration().as_secs_f64()).round(), 3600.0);
        let later = start + SignedDuration::from_secs(2);
        assert!(limit.take(later).granted && limit.take(later).granted && !limit.take(later).granted);
    }

    #[test]
    fn the_headers_count_down() {
        let mut headers = HeaderMap::new();
        RateLimit::hourly().take(Timestamp::now()).write(&mut headers);
        assert_eq!(headers["ratelimit-limit"], "3600");
        assert_eq!(headers["ratelimit-remaining"], "3599");
        assert!(headers["ratelimit-reset"].to_str().unwrap().parse::<i64>().unwrap() > 0);
    }
}
