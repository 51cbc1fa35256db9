//! A machine's own control group on hosts where no systemd hands them out.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

const ROOT: &str = "/sys/fs/cgroup";

/// Moves the shell into the groups named before `--`, then becomes the program.
pub(super) const JOIN: &str =
    r#"while [ "$1" != -- ]; do echo $$ > "$1/cgroup.procs" || exit; shift; done; shift; exec "$@""#;

/// The groups of one machine, one per hierarchy that systemd-nspawn writes to. Without them two machines would
/// share one `payload` group, and their two systemds would end each other's services.
#[derive(Debug)]
pub(super) struct Groups(Vec<PathBuf>);

impl Groups {
    /// The groups of that machine; none where systemd is PID 1, which makes a scope for it.
    pub(super) fn of(machine: &str) -> Self {
        if systemd_rules() {
            return Self(Vec::new());
        }
        let unified = if Path::new(ROOT).join("cgroup.controllers").exists() { "." } else { "unified" };
        let hierarchies = [unified, "systemd"].map(|name| Path::new(ROOT).join(name));
        let usable = hierarchies.into_iter().filter(|dir| dir.join("cgroup.procs").exists());
        Self(usable.map(|dir| dir.join(machine)).collect())
    }

    /// Makes them and says where they are.
    pub(super) fn make(&self) -> Result<Vec<String>> {
        for path in &self.0 {
            fs::create_dir_all(path).with_context(|| format!("cannot make {}", path.display()))?;
        }
        Ok(self.0.iter().map(|path| path.to_string_lossy().into_owned()).collect())
    }

    /// Removes them with the groups that the machine made inside. Its processes must be gone.
    pub(super) fn remove(&self) -> Result<()> {
        for path in &self.0 {
            remove(path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
        Ok(())
    }
}

/// Whether systemd manages this host.
pub(super) fn systemd_rules() -> bool {
    Path::new("/run/systemd/system").is_dir()
}

fn remove(path: &Path) -> std::io::Result<()> {
    let Ok(entries) = fs::read_dir(path) else {
        return Ok(());
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove(&entry.path())?;
        }
    }
    fs::remove_dir(path)
}
