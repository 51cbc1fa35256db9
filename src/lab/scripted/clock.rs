//! Time as hosts keep it: milliseconds since 1970, so that it goes on while the lab does not run.

use std::time::{Duration, SystemTime};

/// Now.
pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map(millis).unwrap_or_default()
}

/// A length of time, as a number.
pub(super) fn millis(length: Duration) -> u64 {
    u64::try_from(length.as_millis()).unwrap_or(u64::MAX)
}

/// How long it is until then.
pub(super) fn until(time: u64) -> Duration {
    Duration::from_millis(time.saturating_sub(now()))
}
