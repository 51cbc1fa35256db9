//! Stopping between steps.

use tokio::sync::watch;

/// Tells the walkers to stop.
#[derive(Debug)]
pub struct Stopper(watch::Sender<bool>);

/// Whether to stop.
#[derive(Clone, Debug)]
pub struct Stop(watch::Receiver<bool>);

/// The walk was stopped; what was done is written down.
#[derive(Debug, thiserror::Error)]
#[error("stopped")]
pub struct Interrupted;

impl Stopper {
    /// A pair: one to tell, one to ask.
    pub fn new() -> (Self, Stop) {
        let (sender, receiver) = watch::channel(false);
        (Self(sender), Stop(receiver))
    }

    /// Stops at the next boundary.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }
}

impl Stop {
    /// An error once the stop was asked for.
    ///
    /// # Errors
    /// [`Interrupted`].
    pub fn check(&self) -> Result<(), Interrupted> {
        if *self.0.borrow() { Err(Interrupted) } else { Ok(()) }
    }

    /// Waits for something that may be given up at any time without harm.
    ///
    /// # Errors
    /// [`Interrupted`] if the stop comes first; otherwise what the wait says.
    pub async fn or<T>(&self, wait: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
        let mut stop = self.0.clone();
        tokio::select! {
            result = wait => result,
            Ok(_) = stop.wait_for(|stopped| *stopped) => Err(Interrupted.into()),
        }
    }
}
