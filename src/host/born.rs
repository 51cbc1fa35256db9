//! What a server was set up for, in its own words.

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

use crate::model::name::InstanceName;
use crate::model::release::Release;
use crate::ssh::{Command, Output};

/// What a server remembers of its birth.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Born {
    /// What it was set up for.
    pub release: Release,
    /// Its full name under the operator's domain.
    pub host: Option<String>,
}

/// Asks for it.
pub fn release() -> Command {
    Command::new("cat").arg("/etc/clawberth/release.json")
}

/// Reads the answer to [`release`].
///
/// # Errors
/// A server that was born without the file, or a file of another shape.
pub fn parse(output: &Output) -> Result<Born> {
    ensure!(output.status == 0, "the server does not know what it was set up for: {}", output.stderr.trim());
    serde_json::from_str(&output.stdout).context("what the server was set up for is unreadable")
}

impl Born {
    /// The zone in which an instance of this name has its name.
    pub fn domain(&self, name: &InstanceName) -> Option<String> {
        let zone = self.host.as_ref()?.strip_prefix(name.as_str())?.strip_prefix('.')?;
        Some(zone.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn release_and_domain_are_read() {
        let integrity = format!("sha512-{}==", "A".repeat(86));
        let release = format!(
            r#"{{"openclaw":"2026.9.6","engines":">=24","integrity":"{integrity}","node":"24.21.0"}}"#
        );
        let read = |host: &str| {
            let stdout = format!("{{\"release\":{release},\"host\":{host}}}\n");
            parse(&Output { status: 0, stdout, stderr: String::new() }).unwrap()
        };
        let alice = "alice".parse().unwrap();
        assert_eq!(read("null").release.openclaw.to_string(), "2026.9.6");
        assert_eq!(read("null").domain(&alice), None);
        assert_eq!(read(r#""alice.example.org""#).domain(&alice).unwrap(), "example.org");
        assert_eq!(read(r#""alicebob.example.org""#).domain(&alice), None);
        let none = Output { status: 1, stdout: String::new(), stderr: "no such file".into() };
        assert!(parse(&none).is_err());
    }
}
