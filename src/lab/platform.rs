//! Whether this computer can run machines.

use std::env;

use anyhow::{Result, bail};

/// What the lab runs; `scripts/setup` installs it.
const PROGRAMS: [&str; 9] =
    ["systemd-nspawn", "mmdebstrap", "nft", "ip", "nsenter", "unshare", "setsid", "mount", "npm"];

const WITHOUT: &str = "without that, `clawberth lab api` still plays Hetzner's API alone, \
                       and with HCLOUD_TOKEN every command works with the real Hetzner";

/// Only Linux has all of 127.0.0.0/8.
pub(super) fn check_linux() -> Result<()> {
    if !cfg!(target_os = "linux") {
        bail!("the lab's machines need Linux; {WITHOUT}");
    }
    Ok(())
}

/// Says in one sentence why machines cannot run here, and what still works.
pub(super) fn check() -> Result<()> {
    check_linux()?;
    if !rustix::process::geteuid().is_root() {
        bail!("the lab's machines need root; {WITHOUT}");
    }
    let missing: Vec<&str> = PROGRAMS.into_iter().filter(|program| !installed(program)).collect();
    if !missing.is_empty() {
        bail!("the lab's machines need {}: run scripts/setup; {WITHOUT}", missing.join(", "));
    }
    Ok(())
}

/// Whether a program is on the PATH.
fn installed(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|dir| dir.join(program).is_file())
}
