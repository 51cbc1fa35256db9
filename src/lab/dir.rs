//! A lab's directory: everything the lab knows about itself, so that any later process can go on or clean up.

use std::env;
use std::fs::{self, File, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use super::api::ProjectKey;
use super::process::Process;
use super::scripted::Loopback;
use super::slot::Slot;
use super::supervisor::Kind;

/// What a lab is, from its first `up` until its directory is removed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Record {
    /// Names and addresses of real machines; `None` for a lab without.
    pub(super) slot: Option<Slot>,
    /// The addresses of scripted hosts; `None` for a lab without.
    #[serde(default)]
    pub(super) loopback: Option<Loopback>,
    /// The projects; the first is there from the beginning.
    pub(super) projects: Vec<ProjectKey>,
    /// The API's port on 127.0.0.1; the next `up` takes it again if it is free.
    pub(super) port: u16,
}

impl Record {
    /// What the lab consists of, for ever.
    pub(super) fn kind(&self) -> Kind {
        match (self.slot, self.loopback) {
            (Some(_), _) => Kind::Machines,
            (None, Some(_)) => Kind::Scripted,
            (None, None) => Kind::Api,
        }
    }
}

/// The paths in a lab's directory.
#[derive(Clone, Debug)]
pub struct LabDir {
    root: PathBuf,
}

/// The proof that this process is the lab; the kernel takes it back when the process ends, however it ends.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl LabDir {
    /// `$XDG_STATE_HOME/clawberth/lab`, else `~/.local/state/clawberth/lab`.
    pub fn default_path() -> Result<PathBuf> {
        Ok(home_of("XDG_STATE_HOME", ".local/state")?.join("clawberth/lab"))
    }

    /// The lab of that directory, which need not be there yet.
    pub fn at(path: &Path) -> Result<Self> {
        let root = std::path::absolute(path)?;
        // mount(8) separates its options with commas and overlay its layers with colons
        if root.to_string_lossy().contains([',', ':', '\\']) {
            bail!(
                "a lab's directory cannot have a comma, colon or backslash in its path: {}",
                root.display()
            );
        }
        Ok(Self { root })
    }

    /// Makes the directory, readable by its owner only: it holds the API token.
    pub(super) fn make(&self) -> Result<()> {
        let made = fs::create_dir_all(&self.root)
            .and_then(|()| fs::set_permissions(&self.root, Permissions::from_mode(0o700)));
        made.with_context(|| format!("cannot make {}", self.root.display()))
    }

    /// The directory itself.
    pub fn path(&self) -> &Path {
        &self.root
    }

    /// A file or directory in it.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Where a detached lab tells its story.
    pub fn log(&self) -> PathBuf {
        self.file("lab.log")
    }

    /// The process that is the lab.
    pub(super) fn pid(&self) -> PathBuf {
        self.file("lab.pid")
    }

    /// Is there from when the lab answers until it is down; after a kill, too.
    pub(super) fn ready(&self) -> PathBuf {
        self.file("ready")
    }

    /// The root certificate that the lab's ACME server signs with, since its last start.
    pub(super) fn acme_root(&self) -> PathBuf {
        self.file("acme-root.pem")
    }

    /// One directory per machine.
    pub(super) fn machines(&self) -> PathBuf {
        self.file("machines")
    }

    /// One directory per snapshot.
    pub(super) fn snapshots(&self) -> PathBuf {
        self.file("snapshots")
    }

    /// One directory per volume.
    pub(super) fn volumes(&self) -> PathBuf {
        self.file("volumes")
    }

    /// Takes the lab's lock; `None` if a process has it, which is then the running lab.
    pub(super) fn lock(&self) -> Result<Option<Lock>> {
        let path = self.file("lock");
        let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Lock { _file: file })),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(error).with_context(|| format!("cannot lock {}", path.display())),
        }
    }

    /// The process that is the lab, if it runs.
    pub(super) fn process(&self) -> Option<Process> {
        Process::load(&self.pid())
    }

    /// Whether the lab's process runs; it may still be on its way up.
    pub fn runs(&self) -> bool {
        self.process().is_some()
    }

    /// Whether the lab answers.
    pub fn answers(&self) -> bool {
        self.runs() && self.ready().exists()
    }

    /// The record, if there was an `up`.
    pub(super) fn record(&self) -> Result<Option<Record>> {
        let path = self.file("lab.json");
        match fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
            Ok(text) => {
                let record = serde_json::from_slice(&text);
                record.map(Some).with_context(|| format!("{} is no record of a lab", path.display()))
            }
        }
    }

    /// Keeps the record: whole or not at all.
    pub(super) fn keep(&self, record: &Record) -> Result<()> {
        let (path, half) = (self.file("lab.json"), self.file("lab.json.half"));
        let written =
            fs::write(&half, serde_json::to_vec_pretty(record)?).and_then(|()| fs::rename(&half, &path));
        written.with_context(|| format!("cannot write {}", path.display()))
    }

    /// The slot that the lab in a directory has, if there is a lab.
    pub(super) fn slot_of(path: &Path) -> Option<Slot> {
        Self { root: path.to_owned() }.record().ok()??.slot
    }
}

/// The entries of a directory that are named by a number, in its order; none if there is no directory.
pub(super) fn numbered(dir: &Path) -> Result<Vec<(u64, PathBuf)>> {
    let Ok(entries) = fs::read_dir(dir) else {
        return Ok(Vec::new());
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let id = path.file_name().and_then(|name| name.to_str()?.parse().ok());
        found.extend(id.map(|id| (id, path)));
    }
    found.sort();
    Ok(found)
}

/// A directory of the user's: from the environment, else under the home directory.
pub(super) fn home_of(variable: &str, default: &str) -> Result<PathBuf> {
    let named = env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || env::var_os("HOME").map(|home| Path::new(&home).join(default));
    named.or_else(home).with_context(|| format!("neither {variable} nor HOME is set"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_process_is_the_lab_and_its_end_frees_the_directory() {
        let temp = tempfile::tempdir().unwrap();
        let dir = LabDir::at(&temp.path().join("lab")).unwrap();
        dir.make().unwrap();
        let lock = dir.lock().unwrap();
        assert!(lock.is_some() && dir.lock().unwrap().is_none());
        drop(lock);
        assert!(dir.lock().unwrap().is_some());
    }

    #[test]
    fn a_lab_that_was_killed_does_not_answer() {
        let temp = tempfile::tempdir().unwrap();
        let dir = LabDir::at(temp.path()).unwrap();
        fs::write(dir.ready(), "").unwrap();
        fs::write(dir.pid(), r#"{"pid":1,"start":18446744073709551615}"#).unwrap();
        assert!(!dir.answers());
    }
}
