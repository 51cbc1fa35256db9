//! A machine's disk: a layer of its own over the image that it was created from.

use std::fs;
use std::io::ErrorKind;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use super::layers::Layers;
use super::machine::MachineSpec;
use super::{cache, mount_table, tool};

/// The directory of one machine.
#[derive(Debug)]
pub(super) struct Disk {
    dir: PathBuf,
}

/// What stays the same as long as the disk lives.
#[derive(Debug, Serialize, Deserialize)]
struct Label {
    spec: MachineSpec,
    #[serde(flatten)]
    layers: Layers,
}

/// What a new disk is told.
#[derive(Clone, Copy, Debug)]
pub(super) struct Birth<'a> {
    /// The machine that it is for.
    pub(super) spec: &'a MachineSpec,
    /// The root certificate that it trusts, PEM.
    pub(super) root: &'a str,
    /// Its name server.
    pub(super) resolver: Ipv4Addr,
}

impl Disk {
    /// The disk in that directory, which need not be there yet.
    pub(super) fn at(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// Makes the disk with what differs from what is below it (`lower`, the topmost first): name, resolver, and the
    /// lab's root among the trusted ones.
    pub(super) fn seed(&self, birth: &Birth<'_>, layers: Layers, lower: &[PathBuf]) -> Result<()> {
        let Birth { spec, root, resolver } = *birth;
        let upper = self.upper();
        cache::remove(&upper)?;
        for dir in ["upper/etc/ssl/certs", "upper/usr/local/share/ca-certificates", "work", "root"] {
            fs::create_dir_all(self.dir.join(dir))
                .with_context(|| format!("cannot make {}", self.dir.display()))?;
        }
        let bundle = "etc/ssl/certs/ca-certificates.crt";
        let trusted =
            lower.iter().find_map(|layer| text(&layer.join(bundle))).context("there are no trusted roots")?;
        let missing = if trusted.contains(root.trim()) { "" } else { root };
        let files = [
            ("etc/hostname", format!("{}\n", spec.name)),
            ("etc/resolv.conf", format!("nameserver {resolver}\n")),
            // in the bundle for now, and where update-ca-certificates finds it when a package runs that
            ("usr/local/share/ca-certificates/clawberth-lab.crt", root.to_owned()),
            (bundle, format!("{trusted}{missing}")),
        ];
        for (name, text) in files {
            let path = upper.join(name);
            fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        }
        let label = Label { spec: spec.clone(), layers };
        // Last, and at once: with it the disk is whole.
        let half = self.dir.join("machine.json.half");
        fs::write(&half, serde_json::to_vec_pretty(&label)?)?;
        Ok(fs::rename(&half, self.dir.join("machine.json"))?)
    }

    /// The machine's root directory, mounted.
    pub(super) async fn mount(&self, lower: &[PathBuf]) -> Result<PathBuf> {
        let root = self.root();
        let lower: Vec<_> = lower.iter().map(|layer| layer.to_string_lossy()).collect();
        let dir = self.dir.display();
        let options = format!("lowerdir={},upperdir={dir}/upper,workdir={dir}/work", lower.join(":"));
        let words = ["-t", "overlay", "overlay", "-o", &options].map(AsRef::as_ref);
        tool::quick("mount", words.into_iter().chain([root.as_os_str()])).await?;
        let (inside, outside) = (root.join("mnt"), self.mnt());
        // by a link it would be a directory of this computer
        ensure!(
            fs::symlink_metadata(&inside).is_ok_and(|mnt| mnt.is_dir()),
            "the machine has no directory /mnt"
        );
        fs::create_dir_all(&outside)?;
        let words = ["--bind".as_ref(), "--make-shared".as_ref(), inside.as_os_str(), outside.as_os_str()];
        tool::quick("mount", words).await?;
        Ok(root)
    }

    /// Unmounts it, with what is mounted below it.
    pub(super) async fn unmount(&self) -> Result<()> {
        for point in [self.mnt(), self.root()] {
            if !mount_table::at_and_below(&point)?.is_empty() {
                tool::quick("umount", ["--recursive".as_ref(), point.as_os_str()]).await?;
            }
        }
        Ok(())
    }

    /// Where it is mounted while the machine runs.
    fn root(&self) -> PathBuf {
        self.dir.join("root")
    }

    /// The machine's `/mnt` while it runs: what is mounted below this later shows up inside. nspawn 257 lets only what
    /// it was told to bind follow this computer's mounts, and of that only what is not within the root.
    pub(super) fn mnt(&self) -> PathBuf {
        self.dir.join("mnt")
    }

    /// The machine's own layer.
    pub(super) fn upper(&self) -> PathBuf {
        self.dir.join("upper")
    }

    /// Which machine it is; `None` before it is whole.
    pub(super) fn spec(&self) -> Result<Option<MachineSpec>> {
        Ok(self.label()?.map(|label| label.spec))
    }

    /// What it lies on; `None` before it is whole.
    pub(super) fn layers(&self) -> Result<Option<Layers>> {
        Ok(self.label()?.map(|label| label.layers))
    }

    /// Removes everything. It must not be mounted.
    pub(super) fn remove(&self) -> Result<()> {
        match fs::remove_file(self.dir.join("machine.json")) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(error).with_context(|| format!("cannot remove {}", self.dir.display()))
            }
            // Now that it is not whole any more; what a killed lab leaves of it is nobody's disk.
            _ => cache::remove(&self.dir),
        }
    }

    fn label(&self) -> Result<Option<Label>> {
        let path = self.dir.join("machine.json");
        match fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
            Ok(text) => {
                let label = serde_json::from_slice(&text);
                label.map(Some).with_context(|| format!("{} describes no machine", path.display()))
            }
        }
    }
}

/// A file of a layer; what is there only by a link or as removed is not in it.
fn text(path: &Path) -> Option<String> {
    fs::symlink_metadata(path).ok().filter(fs::Metadata::is_file)?;
    fs::read_to_string(path).ok()
}
