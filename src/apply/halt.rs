//! Stops this process at a chosen point of a chosen step, so that a test can kill it just there, or make something fail
//! there and let it go on.

use std::sync::{Mutex, PoisonError};

use rustix::process::{Signal, getpid, kill_process};

/// A point of a step: between any two, a kill must lose nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// Nothing is written down.
    BeforeIntent,
    /// The intent is durable; the world was not touched.
    AfterIntent,
    /// The world was touched; nothing says what came of it.
    AfterAct,
    /// The outcome is durable.
    AfterOutcome,
}

impl Point {
    /// All points, in order.
    pub const ALL: [Self; 4] = [Self::BeforeIntent, Self::AfterIntent, Self::AfterAct, Self::AfterOutcome];

    /// The point in one word.
    pub fn word(self) -> &'static str {
        match self {
            Self::BeforeIntent => "before-intent",
            Self::AfterIntent => "after-intent",
            Self::AfterAct => "after-act",
            Self::AfterOutcome => "after-outcome",
        }
    }
}

/// Where to stop, as `STEP:POINT`; nowhere outside tests.
#[derive(Clone, Debug, Default)]
pub struct Halt(Option<String>);

impl Halt {
    /// Stops at `STEP:POINT`.
    pub fn new(at: Option<&str>) -> Self {
        Self(at.map(str::to_owned))
    }

    /// Stops here (SIGSTOP) where this is the place, until somebody lets the process go on.
    pub(super) fn here(&self, step: &str, point: Point) {
        let chosen = self.0.as_deref().and_then(|at| at.split_once(':'));
        if chosen == Some((step, point.word())) {
            stop();
        }
    }
}

/// Stops all threads of this process. One at a time: of two signals at once the second is lost.
fn stop() {
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    // a process that cannot stop itself does not exist
    let _ = kill_process(getpid(), Signal::STOP);
    // the signal is the main thread's, and this one runs on until that has taken it; nothing is to be done meanwhile
    while is_pending(Signal::STOP) {
        std::thread::yield_now();
    }
}

/// Whether a signal for this process was not taken yet.
fn is_pending(signal: Signal) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let pending = status.lines().find_map(|line| line.strip_prefix("ShdPnd:"));
    let pending = pending.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default();
    pending & (1 << (signal.as_raw() - 1)) != 0
}
