//! A machine that stands still, so that its disk is of one moment.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tokio::time::sleep;

/// A process stands still within microseconds, or when the system call it is in lets go of it.
const FREEZE: Duration = Duration::from_secs(10);

/// All processes of a machine, standing still until this is dropped.
#[derive(Debug)]
pub(super) struct Frozen {
    group: PathBuf,
}

impl Frozen {
    /// Lets the machine with that init stand still.
    ///
    /// # Errors
    /// There is no such process, or the machine goes on; then it is let go again.
    pub(super) async fn hold(init: i32) -> Result<Self> {
        let group = group(init).with_context(|| format!("process {init} has no control group"))?;
        let events = group.join("cgroup.events");
        set(&group, "1").with_context(|| format!("cannot freeze {}", group.display()))?;
        let frozen = Self { group };
        let until = Instant::now() + FREEZE;
        while !fs::read_to_string(&events)?.contains("frozen 1") {
            if Instant::now() >= until {
                bail!("the processes in {} did not stand still within {FREEZE:?}", frozen.group.display());
            }
            sleep(Duration::from_millis(5)).await;
        }
        Ok(frozen)
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        if let Err(error) = set(&self.group, "0") {
            tracing::error!("{} still stands still: {error}", self.group.display());
        }
    }
}

/// Lets a machine go on that was frozen by a lab which was killed.
pub(super) fn thaw(init: i32) {
    if let Some(group) = group(init) {
        // it may end at this moment, and then there is nothing to let go
        let _ = set(&group, "0");
    }
}

fn set(group: &Path, value: &str) -> std::io::Result<()> {
    fs::write(group.join("cgroup.freeze"), value)
}

/// The group, in the unified hierarchy, of all that runs in the machine with that init, and of nothing else.
fn group(init: i32) -> Option<PathBuf> {
    let groups = fs::read_to_string(format!("/proc/{init}/cgroup")).ok()?;
    let own = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
    // where systemd puts itself when it has started
    let all = own.strip_suffix("/init.scope").unwrap_or(own);
    let mut roots = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"].map(Path::new).into_iter();
    let root = roots.find(|root| root.join("cgroup.controllers").exists())?;
    Some(root.join(all))
}
