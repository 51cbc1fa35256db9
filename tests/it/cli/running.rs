//! A command that runs, and how it ended.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::environment::{Environment, LOOK, SOON};

/// How a command ended.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) code: Option<i32>,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

/// A command that is still running. It is killed when dropped.
pub(super) struct Running<'a> {
    pub(super) environment: &'a Environment,
    pub(super) child: Child,
    pub(super) out: PathBuf,
    pub(super) err: PathBuf,
}

impl Running<'_> {
    /// Waits until the story has this text.
    #[track_caller]
    pub(super) fn until_says(&mut self, text: &str) {
        let until = Instant::now() + SOON;
        loop {
            let said = fs::read_to_string(&self.err).unwrap();
            if said.contains(text) {
                return;
            }
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none(), "ended ({ended:?}) without saying {text:?}:\n{said}");
            assert!(Instant::now() < until, "did not say {text:?} in time:\n{said}");
            std::thread::sleep(LOOK);
        }
    }

    /// Presses ^C.
    pub(super) fn interrupt(self) -> Outcome {
        kill_process(self.pid(), Signal::INT).unwrap();
        self.end()
    }

    /// Kills it with -9 after a time, unless it has ended.
    pub(super) fn kill_after(mut self, time: Duration) {
        std::thread::sleep(time);
        let _ = self.child.kill();
        self.child.wait().unwrap();
    }

    /// Kills it with -9.
    pub(super) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for its end.
    #[track_caller]
    pub(super) fn end(mut self) -> Outcome {
        let until = Instant::now() + SOON;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            let said = || fs::read_to_string(&self.err).unwrap();
            assert!(Instant::now() < until, "did not end in time:\n{}", said());
            std::thread::sleep(LOOK);
        };
        let read = |path: &Path| self.environment.plain(&fs::read_to_string(path).unwrap());
        Outcome { code: status.code(), stdout: read(&self.out), stderr: read(&self.err) }
    }

    /// Whether the story has this text.
    pub(super) fn says(&self, text: &str) -> bool {
        fs::read_to_string(&self.err).unwrap().contains(text)
    }

    /// Waits until it has stopped itself (SIGSTOP).
    #[track_caller]
    pub(super) fn until_stopped(&self) {
        let until = Instant::now() + SOON;
        let stat = format!("/proc/{}/stat", self.child.id());
        while !fs::read_to_string(&stat).unwrap().contains(") T ") {
            assert!(Instant::now() < until, "it did not stop itself");
            std::thread::sleep(LOOK);
        }
    }

    /// The process.
    pub(super) fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap()
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Outcome {
    /// Everything that is to be seen of it, compared as a whole.
    #[track_caller]
    pub(super) fn expect(&self, code: i32, stdout: &str, stderr: &str) {
        let shown = |code: Option<i32>, stdout: &str, stderr: &str| {
            format!("exit code {code:?}\n--- stdout\n{stdout}--- stderr\n{stderr}")
        };
        let is = shown(self.code, &self.stdout, &self.stderr);
        let wanted = shown(Some(code), stdout, stderr);
        assert!(is == wanted, "\n=== wanted {wanted}\n=== is {is}");
    }
}
