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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::lab::disk::Birth;
    use crate::lab::machine::MachineSpec;

    struct Bed {
        temp: tempfile::TempDir,
        snapshots: Snapshots,
    }

    impl Bed {
        fn new() -> Self {
            let temp = tempfile::tempdir().unwrap();
            let certificates = temp.path().join("image/etc/ssl/certs");
            fs::create_dir_all(&certificates).unwrap();
            fs::write(certificates.join("ca-certificates.crt"), "DEBIAN\n").unwrap();
            let snapshots = Snapshots::open(temp.path().join("snapshots")).unwrap();
            Self { temp, snapshots }
        }

        fn machines(&self) -> PathBuf {
            self.temp.path().join("machines")
        }

        fn disk(&self, id: u64) -> Disk {
            Disk::at(self.machines().join(id.to_string()))
        }

        fn machine(&self, id: u64, snapshot: Option<u64>) -> Disk {
            let image = Layers::of_image(self.temp.path().join("image"));
            let layers = snapshot.map_or(image, |snapshot| self.snapshots.layers(snapshot).unwrap());
            let spec = MachineSpec { id, ..MachineSpec::default() };
            let birth = Birth { spec: &spec, root: "LAB\n", resolver: [198, 19, 0, 2].into() };
            self.disk(id).seed(&birth, layers.clone(), &self.snapshots.paths(&layers)).unwrap();
            self.disk(id)
        }

        async fn take(&self, snapshot: u64, disk: &Disk) {
            let copied = self.snapshots.copy(snapshot, &disk.upper()).await.unwrap();
            copied.keep(&disk.layers().unwrap().unwrap()).unwrap();
        }

        fn there(&self) -> Vec<u64> {
            self.snapshots.collect(&self.machines()).unwrap();
            numbered(&self.snapshots.dir).unwrap().into_iter().map(|(id, _)| id).collect()
        }
    }

    #[tokio::test]
    async fn a_removed_snapshot_stays_until_nothing_lies_on_it() {
        let bed = Bed::new();
        bed.take(1, &bed.machine(11, None)).await;
        bed.take(2, &bed.machine(12, Some(1))).await;
        let third = bed.machine(13, Some(2));
        assert_eq!(third.layers().unwrap().unwrap().snapshots, [2, 1]);
        bed.snapshots.give_up(1).unwrap();
        assert_eq!(bed.there(), [1, 2], "12, 13 and snapshot 2 lie on it");
        bed.disk(12).remove().unwrap();
        bed.snapshots.give_up(2).unwrap();
        assert_eq!(bed.there(), [1, 2], "13 lies on both");
        third.remove().unwrap();
        assert_eq!(bed.there(), Vec::<u64>::new());
    }

    #[tokio::test]
    async fn a_snapshot_has_the_disk_and_no_identity() {
        let bed = Bed::new();
        let disk = bed.machine(11, None);
        let upper = disk.upper();
        for dir in ["etc/ssh", "var/lib/cloud/instances/11", "var/lib/cloud/scripts"] {
            fs::create_dir_all(upper.join(dir)).unwrap();
        }
        for file in ["etc/machine-id", "etc/ssh/ssh_host_rsa_key", "etc/ssh/sshd_config", "home"] {
            fs::write(upper.join(file), "of 11").unwrap();
        }
        symlink("instances/11", upper.join("var/lib/cloud/instance")).unwrap();
        bed.take(1, &disk).await;
        let layer = bed.snapshots.path(1).join("layer");
        assert_eq!(fs::read_to_string(layer.join("etc/machine-id")).unwrap(), "");
        assert_eq!(fs::read_to_string(layer.join("home")).unwrap(), "of 11");
        let names = |dir: &str| -> Vec<_> {
            fs::read_dir(layer.join(dir)).unwrap().map(|entry| entry.unwrap().file_name()).collect()
        };
        assert_eq!(names("etc/ssh"), ["sshd_config"]);
        assert_eq!(names("var/lib/cloud"), ["scripts"]);
        let heir = bed.machine(12, Some(1)).upper().join("etc/ssl/certs/ca-certificates.crt");
        assert_eq!(fs::read_to_string(heir).unwrap(), "DEBIAN\nLAB\n", "the lab's root is there once");
    }

    #[tokio::test]
    async fn a_link_in_a_machine_leads_to_nothing_of_this_computer() {
        let bed = Bed::new();
        let disk = bed.machine(11, None);
        let outside = bed.temp.path().join("outside");
        fs::create_dir_all(outside.join("instances")).unwrap();
        fs::write(outside.join("machine-id"), "this computer's").unwrap();
        fs::create_dir_all(disk.upper().join("var/lib")).unwrap();
        symlink(&outside, disk.upper().join("var/lib/cloud")).unwrap();
        symlink(outside.join("machine-id"), disk.upper().join("etc/machine-id")).unwrap();
        bed.take(1, &disk).await;
        assert!(outside.join("instances").exists());
        assert_eq!(fs::read_to_string(outside.join("machine-id")).unwrap(), "this computer's");
    }

    #[tokio::test]
    async fn half_a_snapshot_is_none_and_goes_with_the_next_start() {
        let bed = Bed::new();
        let disk = bed.machine(11, None);
        drop(bed.snapshots.copy(1, &disk.upper()).await.unwrap());
        assert!(!bed.snapshots.has(1));
        assert!(bed.snapshots.layers(1).is_err());
        let dir = bed.snapshots.dir.clone();
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 1);
        Snapshots::open(dir.clone()).unwrap();
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 0);
    }
}
