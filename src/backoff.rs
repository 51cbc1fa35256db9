//! Waiting that ends: growing pauses up to a deadline, which the caller passes in.

use std::time::Duration;

use tokio::time::Instant;

/// Pauses between attempts: from `first`, half as long again each time up to `cap`, until `limit` has passed.
#[derive(Debug)]
pub struct Backoff {
    next: Duration,
    cap: Duration,
    limit: Duration,
    deadline: Instant,
}

/// The deadline passed. The caller adds what it waited for.
#[derive(Debug, thiserror::Error)]
#[error("no success within {} s", .0.as_secs())]
pub struct GaveUp(pub Duration);

impl Backoff {
    /// Starts the clock.
    pub fn new(first: Duration, cap: Duration, limit: Duration) -> Self {
        Self { next: first, cap, limit, deadline: Instant::now() + limit }
    }

    /// Waits until the next attempt is due.
    ///
    /// # Errors
    /// [`GaveUp`] once the limit has passed; a pause is shortened to the deadline, so one last attempt is made there.
    pub async fn pause(&mut self) -> Result<(), GaveUp> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(GaveUp(self.limit));
        }
        tokio::time::sleep(self.next.min(left)).await;
        self.next = (self.next * 3 / 2).min(self.cap);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn pauses_grow_and_end_at_the_deadline() {
        let second = Duration::from_secs(1);
        let begun = Instant::now();
        let mut backoff = Backoff::new(second, second * 2, second * 6);
        let mut marks = Vec::new();
        while backoff.pause().await.is_ok() {
            marks.push(begun.elapsed().as_millis());
        }
        assert_eq!(marks, [1000, 2500, 4500, 6000]);
    }
}
