//! Requests an hour for a project: a bucket that may be emptied in one burst and refills within the hour.

use std::sync::{Mutex, PoisonError};

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;

/// Requests an hour, as documented for a project.
pub const HOURLY: u32 = 3600;

/// The bucket.
#[derive(Debug)]
pub(crate) struct RateLimit {
    hourly: Option<f64>,
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
    /// A full bucket for so many requests an hour; `None`: for as many as come.
    pub(crate) fn hourly(limit: Option<u32>) -> Self {
        let hourly = limit.map(f64::from);
        let left = hourly.unwrap_or_default();
        Self { hourly, state: Mutex::new(Bucket { left, at: Timestamp::now() }) }
    }

    /// Takes one request out of the bucket.
    pub(crate) fn take(&self, now: Timestamp) -> Ticket {
        let Some(hourly) = self.hourly else {
            return Ticket {
                granted: true,
                limit: f64::from(HOURLY),
                left: f64::from(HOURLY),
                reset: seconds(now),
            };
        };
        let mut bucket = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let passed = now.duration_since(bucket.at).as_secs_f64().max(0.0);
        let per_second = hourly / 3600.0;
        let left = (bucket.left + passed * per_second).min(hourly);
        let granted = left >= 1.0;
        *bucket = Bucket { left: if granted { left - 1.0 } else { left }, at: now };
        let reset = seconds(now) + (hourly - bucket.left) / per_second;
        Ticket { granted, limit: hourly, left: bucket.left, reset }
    }
}

/// Seconds since 1970.
fn seconds(time: Timestamp) -> f64 {
    time.as_duration().as_secs_f64()
}

impl Ticket {
    /// The same where nothing is left.
    pub(crate) fn empty(self) -> Self {
        Self { left: 0.0, ..self }
    }

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
        let limit = RateLimit::hourly(Some(HOURLY));
        let start = Timestamp::now() + SignedDuration::from_secs(10);
        assert!((0..3600).all(|_| limit.take(start).granted));
        let refused = limit.take(start);
        assert!(!refused.granted);
        assert_eq!((refused.reset - start.as_duration().as_secs_f64()).round(), 3600.0);
        let later = start + SignedDuration::from_secs(2);
        assert!(limit.take(later).granted && limit.take(later).granted && !limit.take(later).granted);
    }

    #[test]
    fn a_limit_of_one_s_own_refills_in_an_hour_too() {
        let limit = RateLimit::hourly(Some(2));
        let start = Timestamp::now() + SignedDuration::from_secs(10);
        assert!(limit.take(start).granted && limit.take(start).granted && !limit.take(start).granted);
        assert!(!limit.take(start + SignedDuration::from_secs(1799)).granted);
        assert!(limit.take(start + SignedDuration::from_secs(1801)).granted);
        let none = RateLimit::hourly(None);
        assert!((0..10_000).all(|_| none.take(start).granted));
    }

    #[test]
    fn the_headers_count_down() {
        let mut headers = HeaderMap::new();
        RateLimit::hourly(Some(HOURLY)).take(Timestamp::now()).write(&mut headers);
        assert_eq!(headers["ratelimit-limit"], "3600");
        assert_eq!(headers["ratelimit-remaining"], "3599");
        assert!(headers["ratelimit-reset"].to_str().unwrap().parse::<i64>().unwrap() > 0);
    }
}
