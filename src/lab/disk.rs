//! A machine's disk: a layer of its own over the image that it was created from.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::machine::MachineSpec;
use super::{cache, tool};

/// The directory of one machine.
#[derive(Debug)]
pub(super) struct Disk {
    dir: PathBuf,
}

/// What stays the same as long as the disk lives.
#[derive(Debug, Serialize, Deserialize)]
struct Label {
    spec: MachineSpec,
    /// The image below; a newer image is for newer machines.
    image: PathBuf,
}

impl Disk {
    /// The disk in that directory, which need not be there yet.
    pub(super) fn at(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// Makes the disk with what differs from the image: name, resolver, and the lab's root among the trusted ones.
    pub(super) fn seed(
        &self,
        spec: &MachineSpec,
        image: &Path,
        root: &str,
        resolver: Ipv4Addr,
    ) -> Result<()> {
        if self.label()?.is_some() {
            return Ok(());
        }
        let upper = self.dir.join("upper");
        cache::remove(&upper)?;
        for dir in ["upper/etc/ssl/certs", "upper/usr/local/share/ca-certificates", "work", "root"] {
            fs::create_dir_all(self.dir.join(dir))
                .with_context(|| format!("cannot make {}", self.dir.display()))?;
        }
        let bundle = "etc/ssl/certs/ca-certificates.crt";
        let trusted = fs::read_to_string(image.join(bundle)).context("the image has no trusted roots")?;
        let files = [
            ("etc/hostname", format!("{}\n", spec.name)),
            ("etc/resolv.conf", format!("nameserver {resolver}\n")),
            // in the bundle for now, and where update-ca-certificates finds it when a package runs that
            ("usr/local/share/ca-certificates/clawberth-lab.crt", root.to_owned()),
            (bundle, format!("{trusted}{root}")),
        ];
        for (name, text) in files {
            let path = upper.join(name);
            fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        }
        let label = Label { spec: spec.clone(), image: image.to_owned() };
        // Last, and at once: with it the disk is whole.
        let half = self.dir.join("machine.json.half");
        fs::write(&half, serde_json::to_vec_pretty(&label)?)?;
        Ok(fs::rename(&half, self.dir.join("machine.json"))?)
    }

    /// The machine's root directory, mounted.
    pub(super) async fn mount(&self) -> Result<PathBuf> {
        let root = self.dir.join("root");
        if is_mounted(&root)? {
            return Ok(root);
        }
        let label = self.label()?.with_context(|| format!("{} has no disk", self.dir.display()))?;
        let dir = self.dir.display();
        let options = format!("lowerdir={},upperdir={dir}/upper,workdir={dir}/work", label.image.display());
        let words = ["-t".as_ref(), "overlay".as_ref(), "overlay".as_ref(), "-o".as_ref(), options.as_ref()];
        tool::quick("mount", words.into_iter().chain([root.as_os_str()])).await?;
        Ok(root)
    }

    /// Unmounts it.
    pub(super) async fn unmount(&self) -> Result<()> {
        let root = self.dir.join("root");
        if is_mounted(&root)? {
            tool::quick("umount", [root.as_os_str()]).await?;
        }
        Ok(())
    }

    /// Which machine it is; `None` before it is whole.
    pub(super) fn spec(&self) -> Result<Option<MachineSpec>> {
        Ok(self.label()?.map(|label| label.spec))
    }

    /// Removes everything. It must not be mounted.
    pub(super) fn remove(&self) -> Result<()> {
        cache::remove(&self.dir)
    }

    fn label(&self) -> Result<Option<Label>> {
        let path = self.dir.join("machine.json");
        match fs::read(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
            Ok(text) => {
                let label = serde_json::from_slice(&text);
                label.map(Some).with_context(|| format!("{} describes no machine", path.display()))
            }
        }
    }
}

fn is_mounted(root: &Path) -> Result<bool> {
    let table = fs::read_to_string("/proc/self/mounts").context("cannot read the mount table")?;
    // the table writes a space as \040
    let wanted = root.to_string_lossy().replace(' ', r"\040");
    Ok(table.lines().any(|line| line.split(' ').nth(1) == Some(wanted.as_str())))
}
