//! For how long a gateway did not answer, seen from outside.

use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::host::outside::Gate;

/// How often it is asked.
const EVERY: Duration = Duration::from_millis(100);
/// A gateway that is ready answers sooner than this.
const ANSWER: Duration = Duration::from_secs(1);

/// Asks a gateway ten times a second whether it is ready, until it is ended.
pub(super) struct Downtime {
    end: watch::Sender<bool>,
    asks: JoinHandle<Duration>,
}

impl Downtime {
    pub(super) fn start(gate: Gate) -> Self {
        let (end, ended) = watch::channel(false);
        Self { end, asks: tokio::spawn(ask(gate, ended)) }
    }

    /// The longest time from one good answer to the next one; what is still going on counts until now.
    pub(super) async fn end(self) -> Duration {
        self.end.send_replace(true);
        // a task that broke has seen nothing
        self.asks.await.unwrap_or_default()
    }
}

async fn ask(gate: Gate, ended: watch::Receiver<bool>) -> Duration {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    let (mut good, mut longest) = (Instant::now(), Duration::ZERO);
    loop {
        ticks.tick().await;
        let is_ready = matches!(tokio::time::timeout(ANSWER, gate.ready()).await, Ok(Ok(_)));
        let gap = good.elapsed();
        longest = longest.max(gap);
        if is_ready {
            good = Instant::now();
        }
        if *ended.borrow() && (is_ready || gap > ANSWER) {
            return longest;
        }
    }
}
