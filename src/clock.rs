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

/// `0 s`, `59 s`, `1 min 05 s`, `1 h 02 min`.
pub fn human(duration: Duration) -> String {
    let seconds = (duration.as_millis() + 500) / 1000;
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, s) => format!("{s} s"),
        (0, m, s) => format!("{m} min {s:02} s"),
        (h, m, _) => format!("{h} h {m:02} min"),
    }
}

/// `13.7 s`, where parts of a second count.
pub fn tenths(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_like_a_watch() {
        let text = |ms| human(Duration::from_millis(ms));
        assert_eq!(
            [text(400), text(59_400), text(65_000), text(3_720_000)],
            ["0 s", "59 s", "1 min 05 s", "1 h 02 min"]
        );
    }
}
