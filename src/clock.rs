//! The time and the durations that are shown; a test pins them.

use std::time::{Duration, Instant};

use jiff::Timestamp;

/// Tells the time.
#[derive(Clone, Copy, Debug, Default)]
pub struct Clock {
    pinned: Option<Timestamp>,
}

/// A running stopwatch. Under a pinned clock no time passes.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch {
    begun: Instant,
    pinned: bool,
}

impl Clock {
    /// A clock that always shows this time.
    pub fn pinned(at: Timestamp) -> Self {
        Self { pinned: Some(at) }
    }

    /// The time now.
    pub fn timestamp(&self) -> Timestamp {
        self.pinned.unwrap_or_else(Timestamp::now)
    }

    /// The time now, in RFC 3339, UTC, to the second.
    pub fn now(&self) -> String {
        let now = self.timestamp();
        Timestamp::from_second(now.as_second()).unwrap_or(now).to_string()
    }

    /// Starts a stopwatch.
    pub fn start(&self) -> Stopwatch {
        Stopwatch { begun: Instant::now(), pinned: self.pinned.is_some() }
    }
}

impl Stopwatch {
    /// How long it has been running.
    pub fn elapsed(&self) -> Duration {
        if self.pinned { Duration::ZERO } else { self.begun.elapsed() }
    }
}
