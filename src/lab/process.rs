//! Processes that outlive the lab's own: machines and the ACME server.

use std::fs::{self, File};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};
use tokio::process::Command;
use tokio::time::sleep;

/// A process id with the time when it started, so that a reused id is not taken for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Process {
    pid: i32,
    /// Clock ticks after boot, field 22 of `/proc/PID/stat`.
    start: u64,
}

impl Process {
    /// The process of that id, if it runs.
    pub(super) fn of(pid: u32) -> Option<Self> {
        let pid = i32::try_from(pid).ok()?;
        started(pid).map(|start| Self { pid, start })
    }

    /// Starts a program in a session of its own (a closed terminal does not reach it), its output going to `log`.
    pub(super) fn detach(
        program: &str,
        arguments: &[String],
        env: &[(&str, &str)],
        log: &Path,
    ) -> Result<Self> {
        let out = File::options().create(true).append(true).open(log);
        let out = out.with_context(|| format!("cannot write {}", log.display()))?;
        let mut command = Command::new("setsid");
        command.arg(program).args(arguments).envs(env.iter().copied());
        command.stdin(Stdio::null()).stderr(out.try_clone()?).stdout(out);
        let child = command.spawn().with_context(|| format!("cannot run {program}"))?;
        // setsid(1) does not fork here, because a fresh child leads no group: the id is the program's.
        let process = child.id().and_then(Self::of);
        process.with_context(|| format!("{program} ended at once, see {}", log.display()))
    }

    /// The process that a file names, if it still runs.
    pub(super) fn load(file: &Path) -> Option<Self> {
        let known: Self = serde_json::from_slice(&fs::read(file).ok()?).ok()?;
        known.runs().then_some(known)
    }

    /// Names the process in a file.
    pub(super) fn save(&self, file: &Path) -> Result<()> {
        let text = serde_json::to_vec(self)?;
        fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
    }

    /// Its id.
    pub(super) fn id(&self) -> i32 {
        self.pid
    }

    /// What its program is called, up to 15 bytes of it; nothing once it is gone.
    pub(super) fn name(&self) -> String {
        let name = fs::read_to_string(format!("/proc/{}/comm", self.pid)).unwrap_or_default();
        name.trim_end().to_owned()
    }

    /// The processes that it has started.
    pub(super) fn children(&self) -> Vec<Self> {
        let id = self.pid;
        let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
        children.split_whitespace().filter_map(|child| Self::of(child.parse().ok()?)).collect()
    }

    /// Whether it still runs; a zombie does not.
    pub(super) fn runs(&self) -> bool {
        started(self.pid) == Some(self.start)
    }

    /// Asks it to end and waits. Says whether it did within the limit.
    pub(super) async fn end(&self, limit: Duration) -> bool {
        self.signal(Signal::TERM);
        self.gone(limit).await
    }

    /// Ends it by force.
    pub(super) fn kill(&self) {
        self.signal(Signal::KILL);
    }

    /// Waits until it is gone; false if it still runs at the limit.
    pub(super) async fn gone(&self, limit: Duration) -> bool {
        let until = Instant::now() + limit;
        while self.runs() {
            if Instant::now() >= until {
                return false;
            }
            sleep(Duration::from_millis(50)).await;
        }
        true
    }

    fn signal(&self, signal: Signal) {
        if let (true, Some(pid)) = (self.runs(), Pid::from_raw(self.pid)) {
            // It may end between the look and the signal, which is what was wanted.
            let _ = kill_process(pid, signal);
        }
    }
}

fn started(pid: i32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the command in parentheses and may hold spaces.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    if matches!(state, "Z" | "X") { None } else { fields.nth(18)?.parse().ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_runs_and_another_start_time_is_somebody_else() {
        let me = Process::of(std::process::id()).unwrap();
        assert!(me.runs());
        let other = Process { start: me.start + 1, ..me };
        assert!(!other.runs());
    }

    #[tokio::test]
    async fn a_detached_process_is_found_again_and_ends_when_asked() {
        let dir = tempfile::tempdir().unwrap();
        let (log, file) = (dir.path().join("log"), dir.path().join("pid"));
        let process = Process::detach("sleep", &["60".to_owned()], &[], &log).unwrap();
        process.save(&file).unwrap();
        assert_eq!(Process::load(&file), Some(process));
        assert!(process.end(Duration::from_secs(5)).await);
        assert_eq!(Process::load(&file), None);
    }
}
