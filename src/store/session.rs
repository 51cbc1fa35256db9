//! Who works on the state: one run of one command.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use super::seal;

/// One run of a command that changes something.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Session {
    /// Its id, unlike that of any other run.
    pub id: String,
    /// `user@host`.
    pub who: String,
    /// The computer's name.
    pub host: String,
    /// One boot of one computer, as its processes see each other; empty where that cannot be told.
    pub machine: String,
    /// The process.
    pub pid: i64,
    /// When the process began, in clock ticks since the boot; with the pid it is like no other process of that boot.
    pub started: i64,
    /// The command, as it was typed.
    pub command: String,
    /// The version of clawberth.
    pub version: String,
    /// When it began (RFC 3339).
    pub begun: String,
}

impl Session {
    /// This process. `user` is who runs it; `now` is RFC 3339.
    pub fn here(user: &str, command: &str, now: &str) -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let machine = machine().unwrap_or_default();
        let pid = i64::from(rustix::process::getpid().as_raw_nonzero().get());
        let started = started(pid).unwrap_or_else(nanoseconds);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let unlike = format!("{machine} {host} {pid} {started} {count}");
        Self {
            id: format!("{:016x}", seal::hash([Some(unlike.as_str())])),
            who: format!("{user}@{host}"),
            host,
            machine,
            pid,
            started,
            command: command.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            begun: now.to_owned(),
        }
    }

    pub(super) fn hash(&self) -> i64 {
        let Self { id, who, host, machine, pid, started, command, version, begun } = self;
        let numbers = [pid, started].map(i64::to_string);
        let texts = [id, who, host, machine, command, version, begun];
        seal::hash(texts.into_iter().chain(&numbers).map(|text| Some(text.as_str())))
    }

    /// Whether it is a run of this process.
    pub(super) fn is_here(&self) -> bool {
        let here = Self::here("", "", "");
        (&here.machine, &here.host, here.pid) == (&self.machine, &self.host, self.pid)
            && (self.machine.is_empty() || here.started == self.started)
    }

    /// Whether it is known to have ended: its process was on this computer, and is not there any more. Of other computers
    /// nothing is known.
    pub(super) fn has_ended(&self) -> bool {
        !self.machine.is_empty()
            && machine().as_deref() == Some(self.machine.as_str())
            && started(self.pid) != Some(self.started)
    }
}

impl fmt::Display for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` of {} (pid {}, since {})", self.command, self.who, self.pid, self.begun)
    }
}

/// This boot of this computer, and which processes can be seen: those of one PID namespace.
fn machine() -> Option<String> {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let namespace = std::fs::read_link("/proc/self/ns/pid").ok()?;
    Some(format!("{} {}", boot.trim(), namespace.display()))
}

/// When a process began: the 22nd field of its stat (proc_pid_stat(5)). None: it is not there, or only its parent has
/// not taken notice of its end.
fn started(pid: i64) -> Option<i64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // the second field is the name in parentheses, which may have spaces and parentheses in it
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace();
    let state = fields.next()?;
    if state == "Z" || state == "X" { None } else { fields.nth(18)?.parse().ok() }
}

fn nanoseconds() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_nanos()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::Session;

    #[test]
    fn a_process_that_runs_has_not_ended_and_another_of_its_number_is_not_it() {
        let mut session = Session::here("alice", "clawberth deploy alice", "2026-11-22T12:00:00Z");
        assert!(!session.has_ended());
        session.started -= 1;
        assert!(session.has_ended());
        session.machine = "another boot".into();
        assert!(!session.has_ended(), "nothing is known of other computers");
    }

    #[test]
    fn two_sessions_of_one_process_are_two() {
        let one = || Session::here("a", "c", "n").id;
        assert_ne!(one(), one());
    }
}
