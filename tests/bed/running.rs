//! A command that runs, is stopped, killed, or ends.

use std::fmt;
use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};

/// Pause between two looks.
const LOOK: Duration = Duration::from_millis(5);

/// Longest wait until a command has come to where it stops.
const STOP: Duration = Duration::from_secs(60);

/// A command that is still running. It is killed when dropped.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    words: String,
    out: PathBuf,
    err: PathBuf,
}

/// How a command ended.
#[derive(Clone, Debug)]
pub(crate) struct Ended {
    words: String,
    /// None: by a signal.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// What a command did that was to stop itself.
#[derive(Debug)]
pub(crate) enum Halt {
    Stopped,
    Ended,
    TooLate,
}

impl Running {
    pub(super) fn start(mut command: Command, out: PathBuf, err: PathBuf, words: &str) -> Result<Self> {
        command.stdout(File::create(&out)?).stderr(File::create(&err)?);
        let child = command.spawn().with_context(|| format!("cannot run {words}"))?;
        Ok(Self { child, words: words.to_owned(), out, err })
    }

    fn pid(&self) -> Result<Pid> {
        Pid::from_raw(i32::try_from(self.child.id())?).context("a child has a process id")
    }

    /// Waits until it has stopped itself, or has ended.
    pub(crate) fn halt(&mut self, limit: Duration) -> Result<Halt> {
        let end = Instant::now() + limit;
        let stops = WaitIdOptions::STOPPED | WaitIdOptions::NOHANG;
        loop {
            // of one that has ended there is no stop to be told of
            if !matches!(waitid(WaitId::Pid(self.pid()?), stops), Ok(None) | Err(Errno::CHILD)) {
                return Ok(Halt::Stopped);
            }
            if self.child.try_wait()?.is_some() {
                return Ok(Halt::Ended);
            }
            if Instant::now() >= end {
                return Ok(Halt::TooLate);
            }
            std::thread::sleep(LOOK);
        }
    }

    /// Waits until it has stopped itself; one that ends instead, or does neither, has failed.
    pub(crate) fn until_stopped(&mut self) -> Result<()> {
        match self.halt(STOP)? {
            Halt::Stopped => Ok(()),
            Halt::Ended => bail!("it did not stop where it was to: {}", self.ended()?),
            Halt::TooLate => {
                bail!("`{}` did not stop within {} s: {}", self.words, STOP.as_secs(), self.said())
            }
        }
    }

    /// Lets it go on after a stop.
    pub(crate) fn go_on(&self) -> Result<()> {
        Ok(kill_process(self.pid()?, Signal::CONT)?)
    }

    /// Presses ^C.
    pub(crate) fn interrupt(&self) -> Result<()> {
        Ok(kill_process(self.pid()?, Signal::INT)?)
    }

    /// Whether it has ended.
    pub(crate) fn has_ended(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_some())
    }

    /// Kills it with -9, unless it has ended.
    pub(crate) fn kill(mut self) -> Result<Ended> {
        self.child.kill()?;
        self.ended()
    }

    /// Waits for its end.
    pub(crate) fn end(mut self, limit: Duration) -> Result<Ended> {
        let end = Instant::now() + limit;
        while !self.has_ended()? {
            if Instant::now() >= end {
                let _ = self.child.kill();
                let ended = self.ended()?;
                bail!("not at its end after {} s: {ended}", limit.as_secs());
            }
            std::thread::sleep(LOOK);
        }
        self.ended()
    }

    /// What it says so far.
    pub(crate) fn said(&self) -> String {
        std::fs::read_to_string(&self.err).unwrap_or_default()
    }

    fn ended(&mut self) -> Result<Ended> {
        let code = self.child.wait()?.code();
        let text = |path: &PathBuf| {
            Ok::<_, std::io::Error>(String::from_utf8_lossy(&std::fs::read(path)?).into_owned())
        };
        Ok(Ended { words: self.words.clone(), code, stdout: text(&self.out)?, stderr: text(&self.err)? })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = self.code.map_or_else(|| "by a signal".to_owned(), |code| format!("with {code}"));
        write!(f, "`{}` ended {code}\n{}{}", self.words, self.stdout, self.stderr)
    }
}
