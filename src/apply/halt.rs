//! Stops this process at a chosen point of a chosen step, so that a test can kill it just there, or make something fail
//! there and let it go on.

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
            // a process that cannot stop itself does not exist
            let _ = kill_process(getpid(), Signal::STOP);
        }
    }
}
