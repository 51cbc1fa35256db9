//! Volumes: directories that outlive machines. In a machine one is a mount of its own, where Hetzner's automount
//! puts it.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

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

    /// Gives a machine the wanted volumes at `/mnt/HC_Volume_ID` and takes the others from it, in use or not: that
    /// is like pulling a disk. Whatever is mounted below a machine's root shows up inside while it runs.
    pub(super) async fn connect(&self, root: &Path, wanted: &[u64]) -> Result<()> {
        let mounted = mounted(root)?;
        for (id, point) in &mounted {
            if !wanted.contains(id) {
                tool::quick("umount", ["--lazy".as_ref(), point.as_os_str()]).await?;
            }
        }
        for id in wanted.iter().filter(|id| !mounted.iter().any(|(there, _)| there == *id)) {
            self.mount(root, *id).await.with_context(|| format!("cannot attach volume {id}"))?;
        }
        Ok(())
    }

    async fn mount(&self, root: &Path, id: u64) -> Result<()> {
        let volume = self.dir.join(id.to_string());
        fs::create_dir_all(&volume).with_context(|| format!("cannot make {}", volume.display()))?;
        fs::set_permissions(&volume, Permissions::from_mode(0o755))?;
        let mnt = root.join("mnt");
        // a link inside the machine would lead to a directory of this computer
        ensure!(
            fs::symlink_metadata(&mnt).is_ok_and(|mnt| mnt.is_dir()),
            "the machine has no directory /mnt"
        );
        let point = mnt.join(format!("{PREFIX}{id}"));
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

/// The volumes that are mounted below a machine's root, and where.
fn mounted(root: &Path) -> Result<Vec<(u64, PathBuf)>> {
    let of_volume = |point: PathBuf| {
        let id = point.file_name()?.to_str()?.strip_prefix(PREFIX)?.parse().ok()?;
        Some((id, point))
    };
    Ok(mount_table::at_and_below(&root.join("mnt"))?.into_iter().filter_map(of_volume).collect())
}
