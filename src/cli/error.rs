//! The one place that prints errors: what, why, and the next command to type.

use std::io::Write;
use std::process::ExitCode;

use crate::apply::SetUpFailed;
use crate::hcloud;
use crate::host::update;
use crate::model::refusal::Refusal;
use crate::registry::ReleaseError;
use crate::ssh::SshError;
use crate::store::{Obstacle, StoreError};
use crate::ui::{Ui, Unread, visible};

/// The exit status of who is ended by SIGPIPE, as shells have it: that is how others end there, without a word.
const BROKEN_PIPE: u8 = 141;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// As asked: 0.
    Success,
    /// Something went wrong on the way: 1.
    Failed,
    /// Bad input, refused before anything was changed: 2.
    Usage,
    /// Stopped by the user: 130, as shells have it.
    Interrupted,
    /// What the remote command said.
    Remote(u8),
}

impl From<Status> for ExitCode {
    fn from(status: Status) -> Self {
        match status {
            Status::Success => Self::SUCCESS,
            Status::Failed => Self::from(1),
            Status::Usage => Self::from(2),
            Status::Interrupted => Self::from(130),
            Status::Remote(code) => Self::from(code),
        }
    }
}

/// A command that did not do what was asked.
#[derive(Debug)]
pub struct Failure {
    /// What and why.
    pub error: anyhow::Error,
    /// The next command to type, where it does not follow from the error.
    pub hint: Option<String>,
}

impl Failure {
    /// An error with the next command to type.
    pub fn hinted(error: impl Into<anyhow::Error>, hint: impl Into<String>) -> Self {
        Self { error: error.into(), hint: Some(hint.into()) }
    }

    /// The exit status: refusals are bad input.
    pub fn status(&self) -> Status {
        let refused = self.error.chain().any(|cause| cause.is::<Refusal>() || cause.is::<ReleaseError>());
        if refused { Status::Usage } else { Status::Failed }
    }

    /// Error, cause and hint, a line each.
    pub fn lines(&self) -> String {
        let mut chain = self.error.chain().map(|cause| one_line(&cause.to_string())).collect::<Vec<_>>();
        // libraries like to repeat their causes in their own texts
        chain.dedup_by(|cause, above| above.contains(cause.as_str()));
        let mut chain = chain.into_iter();
        let mut lines = vec![format!("error: {}", chain.next().unwrap_or_default())];
        let causes: Vec<String> = chain.collect();
        if !causes.is_empty() {
            lines.push(format!("caused by: {}", causes.join(": ")));
        }
        if let Some(log) = self.error.chain().find_map(log).filter(|log| !log.is_empty()) {
            lines.push("its log ends:".to_owned());
            lines.extend(log.lines().map(|line| format!("  {line}")));
        }
        if let Some(hint) = self.hint.clone().or_else(|| hint(&self.error)) {
            lines.push(format!("hint: {hint}"));
        }
        lines.join("\n")
    }
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self { error: error.into(), hint: None }
    }
}

/// What a server's own log says about an error.
fn log<'a>(cause: &'a (dyn std::error::Error + 'static)) -> Option<&'a str> {
    let set_up = cause.downcast_ref::<SetUpFailed>().map(|failed| failed.log.as_str());
    set_up.or_else(|| cause.downcast_ref::<update::Failed>().map(|failed| failed.log.as_str()))
}

/// Prints a failure and gives its exit code.
pub(super) fn print(failure: &Failure, ui: &mut Ui) -> ExitCode {
    if failure.error.is::<Unread>() {
        return Status::Remote(BROKEN_PIPE).into();
    }
    ui.complain(&failure.lines());
    failure.status().into()
}

/// The same before there is a [`Ui`].
pub(super) fn print_bare(failure: &Failure) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "{}", visible(&failure.lines()));
    failure.status().into()
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What to do about an error, from the first cause that says it.
pub(super) fn hint(error: &anyhow::Error) -> Option<String> {
    error.chain().find_map(|cause| {
        if let Some(refusal) = cause.downcast_ref::<Refusal>() {
            return Some(refusal.hint().to_owned());
        }
        if let Some(release) = cause.downcast_ref::<ReleaseError>() {
            return Some(release.hint());
        }
        if let Some(api) = cause.downcast_ref::<hcloud::Error>() {
            return api_hint(api);
        }
        if let Some(store) = cause.downcast_ref::<StoreError>() {
            return Some(store_hint(store));
        }
        cause.downcast_ref::<SshError>().and_then(ssh_hint)
    })
}

fn api_hint(error: &hcloud::Error) -> Option<String> {
    let hint = match error {
        hcloud::Error::Unanswered { .. } => {
            "check the network and HCLOUD_ENDPOINT; nothing is lost, run the command again"
        }
        hcloud::Error::Request { .. } => "check HCLOUD_ENDPOINT and HCLOUD_TOKEN",
        hcloud::Error::Garbled { .. } => "check that HCLOUD_ENDPOINT is the API's base URL, with /v1",
        hcloud::Error::Api(api) => match api.code.as_str() {
            "unauthorized" => "check HCLOUD_TOKEN: it must be a token of this project, not revoked",
            "forbidden" | "token_readonly" => "the token may only read: make one with Read & Write",
            "resource_limit_exceeded" => {
                "ask for a higher limit in the Hetzner Console, or destroy what is not needed"
            }
            "rate_limit_exceeded" => {
                "the project's requests of this hour are used up; run the command again later"
            }
            "maintenance" | "unavailable" | "bad_gateway" | "timeout" | "server_error" => {
                "Hetzner's API is in trouble; nothing is lost, run the command again later"
            }
            "protected" => {
                "switch its delete protection off in the Hetzner Console, then run the command again"
            }
            "locked" | "conflict" => "something else is changing it; run the command again in a moment",
            "invalid_input" => {
                "mend what it names; if that is nothing of yours, report it, with the correlation id"
            }
            "not_found" => "check that HCLOUD_ENDPOINT is the API's base URL, with /v1",
            _ => return None,
        },
    };
    Some(hint.to_owned())
}

fn store_hint(error: &StoreError) -> String {
    match error {
        StoreError::Folder { .. } => "make it writable, or name another file with --state".into(),
        StoreError::Unwritable { source, .. } => obstacle_hint(source).into(),
        StoreError::Network { .. } => "name a file on a disk of this computer with --state, or share the state through \
             PostgreSQL (--state postgres://…)"
            .into(),
        StoreError::Busy { .. } => "end what writes to it, or wait for it, then run the command again".into(),
        StoreError::Corrupt { .. } | StoreError::NotOurs { .. } | StoreError::Row { .. } => {
            "put a copy of the state back, or name another file with --state; it was not changed".into()
        }
        StoreError::Damaged { .. } => "put a copy of the state back, or build it anew from what is there with \
             `clawberth reconcile --import` and another --state; it was not changed"
            .into(),
        StoreError::Newer { writer, .. } => format!("use clawberth {writer} or newer; it was not changed"),
        StoreError::Moved { to, .. } => format!("use --state {to}, or CLAWBERTH_STATE"),
        StoreError::Unreachable { .. } => {
            "check that the server runs and can be reached; nothing is lost, run the command again".into()
        }
        StoreError::Denied { .. } => {
            "check user and password: in ~/.pgpass (mode 0600), PGPASSWORD, or the URL in CLAWBERTH_STATE".into()
        }
        StoreError::Untrusted { .. } => {
            "name the file with its authority's certificate in the URL: ?sslmode=verify-full&sslrootcert=FILE".into()
        }
        StoreError::NoDatabase { .. } => "make it with `createdb`, or name another one with --state".into(),
        StoreError::Held { .. } => "wait until that command has ended, or end it; then run this one again".into(),
        StoreError::Overtaken { .. } => {
            "nothing more was done; `clawberth state history` tells who did, and this command can be run again".into()
        }
        StoreError::ReadOnly { .. } | StoreError::Other { .. } => {
            "run the command again; if it stays, put a copy of the state back".into()
        }
    }
}

fn obstacle_hint(obstacle: &Obstacle) -> &'static str {
    match obstacle {
        Obstacle::Full => {
            "make room there, then run the command again; what was written before is still there"
        }
        Obstacle::ReadOnly => "mount it for writing, or name another file with --state",
        Obstacle::Unreadable => "make it readable, or name another file with --state",
        Obstacle::Folder(_) | Obstacle::File | Obstacle::Sqlite(_) => {
            "make it writable, or name another file with --state"
        }
    }
}

fn ssh_hint(error: &SshError) -> Option<String> {
    let hint = match error {
        SshError::Unreachable { .. } | SshError::TooSlow { .. } => {
            "check that you come from one of the admin networks, and that the server is switched on"
        }
        SshError::WrongHostKey { .. } => {
            "`clawberth reconcile` tells whether the server still has this address. Was it rebuilt, or does the address \
             belong to another server by now? Then `clawberth destroy NAME` and deploy it anew. If not, somebody is between \
             you and it: try from another network"
        }
        SshError::Unsigned { .. } => {
            "`ssh-add -l` shows what the ssh-agent has, `ssh-add -X` unlocks it; then run the command again"
        }
        SshError::Refused { .. } => {
            "the fleet's key lies beside the state file; was another state used to deploy?"
        }
        SshError::BadPin(_) | SshError::Broken { .. } => return None,
    };
    Some(hint.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context as _;

    #[test]
    fn three_lines_what_why_and_what_next() {
        let refusal =
            Refusal::new("no admin networks", "run `clawberth init`").because("SSH would be open to nobody");
        let failure = Failure::from(refusal);
        assert_eq!(
            failure.lines(),
            "error: no admin networks\ncaused by: SSH would be open to nobody\nhint: run `clawberth init`"
        );
        assert_eq!(failure.status(), Status::Usage);
    }

    #[test]
    fn a_refusal_below_keeps_its_hint() {
        let result: anyhow::Result<()> = Err(Refusal::new("the name is taken", "choose another").into());
        let failure = Failure::from(result.context("cannot create the server of alice").unwrap_err());
        assert_eq!(
            failure.lines(),
            "error: cannot create the server of alice\ncaused by: the name is taken\nhint: choose another"
        );
    }
}
