//! Snapshots: machines' own layers, kept to lie below those of other machines.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};

use super::dir::numbered;
use super::disk::Disk;
use super::layers::Layers;
use super::{cache, tool};

/// A copy of gigabytes on a slow disk.
const COPY: Duration = Duration::from_secs(15 * 60);
/// What each machine makes for itself at its first boot, and a snapshot does not carry over.
/// A directory, and how the names in it begin.
const IDENTITY: [(&str, &str); 3] =
    [("etc/ssh", "ssh_host_"), ("var/lib/cloud", "instance"), ("var/lib/cloud", "data")];

/// The snapshots of a lab. Each has `layer`, what it lies on in `layers.json`, and, once the API has removed it and
/// disks still lie on it, `removed`.
#[derive(Debug)]
pub(super) struct Snapshots {
    dir: PathBuf,
    users: Mutex<()>,
}

impl Snapshots {
    /// One directory per snapshot; what a killed lab left half made or half removed goes.
    pub(super) fn open(dir: PathBuf) -> Result<Self> {
        fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
        for entry in fs::read_dir(&dir)? {
            let path = entry?.path();
            if path.extension().is_some_and(|end| end == "half") {
                cache::remove(&path)?;
            }
        }
        Ok(Self { dir, users: Mutex::new(()) })
    }

    /// While this is held, no layer goes.
    pub(super) fn hold(&self) -> MutexGuard<'_, ()> {
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a disk lies on that begins as a snapshot.
    pub(super) fn layers(&self, snapshot: u64) -> Result<Layers> {
        Ok(self.below(snapshot)?.below(snapshot))
    }

    /// The directories of layers, the topmost first.
    pub(super) fn paths(&self, layers: &Layers) -> Vec<PathBuf> {
        let snapshots = layers.snapshots.iter().map(|id| self.path(*id).join("layer"));
        snapshots.chain([layers.image.clone()]).collect()
    }

    /// Whether a snapshot is there, whole.
    pub(super) fn has(&self, snapshot: u64) -> bool {
        self.path(snapshot).exists()
    }

    /// Copies a machine's own layer, whole or not at all. The machine must be off or stand still.
    pub(super) async fn copy(&self, snapshot: u64, upper: &Path) -> Result<Copied<'_>> {
        let half = self.path(snapshot).with_extension("half");
        cache::remove(&half)?;
        fs::create_dir(&half).with_context(|| format!("cannot make {}", half.display()))?;
        // ends with the lab, so that no copy goes on after a kill
        let words = ["--pdeathsig", "KILL", "cp", "--archive", "--reflink=auto"].map(AsRef::as_ref);
        let layer = half.join("layer");
        let paths = [upper.as_os_str(), layer.as_os_str()];
        tool::run("setpriv", words.into_iter().chain(paths), COPY).await?;
        Ok(Copied { snapshots: self, snapshot, half })
    }

    /// Removes a snapshot as soon as no disk lies on it.
    pub(super) fn give_up(&self, snapshot: u64) -> Result<()> {
        if self.has(snapshot) {
            let mark = self.path(snapshot).join("removed");
            fs::write(&mark, "").with_context(|| format!("cannot write {}", mark.display()))?;
        }
        Ok(())
    }

    /// Removes the snapshots that were given up and that neither a machine nor a snapshot lies on any more.
    pub(super) fn collect(&self, machines: &Path) -> Result<()> {
        for half in self.set_aside(machines)? {
            cache::remove(&half)?;
        }
        Ok(())
    }

    fn set_aside(&self, machines: &Path) -> Result<Vec<PathBuf>> {
        let _held = self.hold();
        let (given_up, kept): (Vec<_>, Vec<_>) =
            numbered(&self.dir)?.into_iter().partition(|(_, path)| path.join("removed").exists());
        let mut used = BTreeSet::new();
        for (id, _) in kept {
            used.extend(self.below(id)?.snapshots);
        }
        for (_, dir) in numbered(machines)? {
            used.extend(Disk::at(dir).layers()?.into_iter().flat_map(|layers| layers.snapshots));
        }
        let unused = given_up.into_iter().filter(|(id, _)| !used.contains(id));
        let aside = |(_, path): (u64, PathBuf)| {
            let half = path.with_extension("half");
            fs::rename(&path, &half).with_context(|| format!("cannot remove {}", path.display()))?;
            Ok(half)
        };
        unused.map(aside).collect()
    }

    fn below(&self, snapshot: u64) -> Result<Layers> {
        let path = self.path(snapshot).join("layers.json");
        let text = fs::read(&path).with_context(|| format!("there is no snapshot {snapshot}"))?;
        serde_json::from_slice(&text).with_context(|| format!("{} describes no layers", path.display()))
    }

    fn path(&self, snapshot: u64) -> PathBuf {
        self.dir.join(snapshot.to_string())
    }
}

/// A copy that is not a snapshot yet.
#[derive(Debug)]
pub(super) struct Copied<'a> {
    snapshots: &'a Snapshots,
    snapshot: u64,
    half: PathBuf,
}

impl Copied<'_> {
    /// Makes it a snapshot over those layers.
    pub(super) fn keep(self, below: &Layers) -> Result<()> {
        let Self { snapshots, snapshot, half } = self;
        forget_identity(&half.join("layer")).with_context(|| format!("cannot clean {}", half.display()))?;
        fs::write(half.join("layers.json"), serde_json::to_vec_pretty(below)?)?;
        let path = snapshots.path(snapshot);
        fs::rename(&half, &path).with_context(|| format!("cannot keep {}", path.display()))
    }
}

/// Makes a layer everybody's: without it the next machine is a new one to systemd, sshd and cloud-init. Nothing of
/// this shows through from below, as images and other snapshots have none of it either.
fn forget_identity(layer: &Path) -> Result<()> {
    let machine_id = layer.join("etc/machine-id");
    if fs::symlink_metadata(&machine_id).is_ok_and(|found| found.is_file()) {
        fs::write(&machine_id, "")?;
    }
    for (dir, prefix) in IDENTITY {
        if !is_within(layer, Path::new(dir)) {
            continue;
        }
        for entry in fs::read_dir(layer.join(dir))? {
            let entry = entry?;
            if !entry.file_name().to_string_lossy().starts_with(prefix) {
                continue;
            }
            if entry.file_type()?.is_dir() {
                cache::remove(&entry.path())?;
            } else {
                fs::remove_file(entry.path())?;
            }
        }
    }
    Ok(())
}

/// Whether a directory is there; not by a link, which would lead to one of this computer's.
fn is_within(layer: &Path, dir: &Path) -> bool {
    let is_dir = |path: &Path| fs::symlink_metadata(layer.join(path)).is_ok_and(|found| found.is_dir());
    dir.ancestors().all(is_dir)
}
