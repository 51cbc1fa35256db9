//! Work side by side.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};
use std::thread;

use anyhow::{Result, anyhow};

/// Does all of it, so many at a time, in order of their beginning. A panic is a failure as any other.
pub(crate) fn side_by_side<T: Send, R: Send>(
    at_once: usize,
    work: Vec<T>,
    act: impl Fn(&T) -> Result<R> + Sync,
) -> Vec<(T, Result<R>)> {
    let waiting = Mutex::new(work.into_iter().enumerate());
    let done = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| {
                loop {
                    let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).next();
                    let Some((place, item)) = next else { return };
                    let result = catch_unwind(AssertUnwindSafe(|| act(&item)));
                    let result = result.unwrap_or_else(|_| Err(anyhow!("panicked; see above")));
                    done.lock().unwrap_or_else(PoisonError::into_inner).push((place, item, result));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(place, ..)| *place);
    done.into_iter().map(|(_, item, result)| (item, result)).collect()
}
