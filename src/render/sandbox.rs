//! The files of a sandbox: what programs run in, and a proof that they do.

use anyhow::Result;
use serde::Serialize;

use super::policy::{Laid, add};
use super::templates::Template;
use crate::model::policy::SANDBOX_IMAGE;

const FILES: [(&str, Template); 10] = [
    ("openclaw-sandbox-files.service", Template::SandboxFilesUnit),
    ("openclaw-sandbox.service", Template::SandboxUnit),
    ("openclaw.conf", Template::SandboxGateway),
    ("packages", Template::SandboxPackages),
    ("prepare", Template::SandboxPrepare),
    ("prove", Template::SandboxProve),
    ("sandbox", Template::SandboxCommand),
    ("sandbox-containers.conf", Template::SandboxContainers),
    ("sandbox-run", Template::SandboxRun),
    ("sandbox.subid", Template::SandboxIds),
];

#[derive(Serialize)]
struct Context {
    image: &'static str,
}

/// Adds them to what a policy lays.
pub(super) fn lay(files: &mut Laid) -> Result<()> {
    add(&FILES, &Context { image: SANDBOX_IMAGE }, files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sandbox_lays_units_and_what_they_read() {
        let mut files = Laid::new();
        lay(&mut files).unwrap();
        let unit = &files["openclaw-sandbox.service"];
        for read in ["sandbox", "sandbox-containers.conf", "sandbox.subid"] {
            assert!(unit.contains(&format!("/etc/clawberth/policy/{read}")), "{read}: {unit}");
            assert!(files.contains_key(read), "{read}");
        }
        let prepare = &files["prepare"];
        assert!(
            prepare.contains("--format '{{.Created.Unix}}' localhost/openclaw-sandbox:trixie"),
            "{prepare}"
        );
        assert!(files["prove"].contains("/etc/clawberth/policy/sandbox-run"));
    }
}
