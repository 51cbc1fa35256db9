//! Volumes: directories that outlive machines. In a machine one is a mount of its own, where Hetzner's automount
//! puts it.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::{cache, mount_table, tool};

const PREFIX: &str = "HC_Volume_";

/// What the volumes of a lab hold.
#[derive(Clone, Debug)]
pub(super) struct Volumes {
    dir: PathBuf,
}

impl Volumes {
    /// One directory per volume.
    pub(super) fn at(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// Mounts the wanted volumes at `HC_Volume_ID` below a machine's `/mnt`, and takes the others from it, in use or
    /// not: that is like pulling a disk.
    pub(super) async fn connect(&self, mnt: &Path, wanted: &[u64]) -> Result<()> {
        let mounted = mounted(mnt)?;
        for (id, point) in &mounted {
            if !wanted.contains(id) {
                tool::quick("umount", ["--lazy".as_ref(), point.as_os_str()]).await?;
            }
        }
        for id in wanted.iter().filter(|id| !mounted.iter().any(|(there, _)| there == *id)) {
            self.mount(mnt, *id).await.with_context(|| format!("cannot attach volume {id}"))?;
        }
        Ok(())
    }

    async fn mount(&self, mnt: &Path, id: u64) -> Result<()> {
        let volume = self.dir.join(id.to_string());
        fs::create_dir_all(&volume).with_context(|| format!("cannot make {}", volume.display()))?;
        fs::set_permissions(&volume, Permissions::from_mode(0o755))?;
        let point = mnt.join(format!("{PREFIX}{id}"));
        // a link, which would lead from the machine to a directory of this computer, is refused
        if !fs::symlink_metadata(&point).is_ok_and(|point| point.is_dir()) {
            fs::create_dir(&point).with_context(|| format!("cannot make {}", point.display()))?;
        }
        tool::quick("mount", ["--bind".as_ref(), volume.as_os_str(), point.as_os_str()]).await.map(drop)
    }

    /// Removes what a volume held.
    pub(super) fn remove(&self, id: u64) -> Result<()> {
        cache::remove(&self.dir.join(id.to_string()))
    }
}

/// The volumes that a machine has, and where they are mounted.
fn mounted(mnt: &Path) -> Result<Vec<(u64, PathBuf)>> {
    let of_volume = |point: PathBuf| {
        let id = point.file_name()?.to_str()?.strip_prefix(PREFIX)?.parse().ok()?;
        Some((id, point))
    };
    Ok(mount_table::at_and_below(mnt)?.into_iter().filter_map(of_volume).collect())
}
