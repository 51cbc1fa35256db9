//! Real Debian machines: systemd-nspawn on an overlay over the base image, in a namespace of their own.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tokio::time::sleep;

use super::cgroup::{self, Groups};
use super::disk::Disk;
use super::machine::{Accept, MachineSpec};
use super::process::Process;
use super::slot::Slot;
use super::{cache, filter, network, tool};

/// A power button's patience, as Hetzner's.
const SHUTDOWN: Duration = Duration::from_secs(30);
/// From nspawn to an init: well under a second on an idle host.
const BOOT: Duration = Duration::from_secs(30);

/// Where the machines of a lab live.
#[derive(Debug)]
pub struct Nspawn {
    slot: Slot,
    /// One directory per machine.
    machines: PathBuf,
    /// The image of new machines.
    image: PathBuf,
    /// The root certificate that machines trust, PEM.
    root: String,
}

impl Nspawn {
    /// The machines below a directory; new ones get that image.
    pub(super) fn new(slot: Slot, machines: PathBuf, image: PathBuf, root: String) -> Self {
        Self { slot, machines, image, root }
    }

    pub(super) fn create(&self, spec: &MachineSpec) -> Result<()> {
        let resolver = self.slot.services().0;
        self.disk(spec.id).seed(spec, &self.image, &self.root, resolver)
    }

    pub(super) async fn start(&self, spec: &MachineSpec) -> Result<()> {
        if self.running(spec.id).is_some() {
            return Ok(());
        }
        // Whatever a machine that died left behind would be in the way.
        self.stop(spec.id).await?;
        let disk = self.disk(spec.id);
        let root = disk.mount().await?;
        network::attach(self.slot, spec).await?;
        let process = self.boot(spec, &root)?;
        process.save(&self.pid(spec.id))?;
        self.init_runs(spec, &process).await
    }

    pub(super) async fn stop(&self, id: u64) -> Result<()> {
        stop(self.slot, &self.machines.join(id.to_string()), id).await
    }

    pub(super) async fn delete(&self, id: u64) -> Result<()> {
        self.stop(id).await?;
        let disk = self.disk(id);
        if let Some(spec) = disk.spec()? {
            tool::nft(Some(&self.slot.router()), &filter::without_machine(&spec)?).await?;
        }
        // tens of thousands of files: not on a thread that answers requests
        tokio::task::spawn_blocking(move || disk.remove()).await?
    }

    pub(super) async fn connect(&self, _spec: &MachineSpec) -> Result<()> {
        Ok(())
    }

    pub(super) async fn erase(&self, id: u64) -> Result<()> {
        self.stop(id).await?;
        let disk = self.disk(id);
        tokio::task::spawn_blocking(move || disk.remove()).await?
    }

    pub(super) async fn snapshot(&self, _id: u64, _snapshot: u64) -> Result<()> {
        Ok(())
    }

    pub(super) async fn remove_snapshot(&self, _snapshot: u64) -> Result<()> {
        Ok(())
    }

    pub(super) async fn remove_volume(&self, _volume: u64) -> Result<()> {
        Ok(())
    }

    pub(super) async fn filter(&self, spec: &MachineSpec, accepts: Option<&[Accept]>) -> Result<()> {
        let commands = filter::of_machine(spec, accepts)?;
        let loaded = tool::nft(Some(&self.slot.router()), &commands).await;
        loaded.with_context(|| format!("cannot filter {}", spec.name))
    }

    fn disk(&self, id: u64) -> Disk {
        Disk::at(self.machines.join(id.to_string()))
    }

    fn pid(&self, id: u64) -> PathBuf {
        self.machines.join(id.to_string()).join("pid")
    }

    fn running(&self, id: u64) -> Option<Process> {
        Process::load(&self.pid(id))
    }

    fn boot(&self, spec: &MachineSpec, root: &Path) -> Result<Process> {
        let name = self.slot.machine(spec.id);
        let mut words = vec!["-c".to_owned(), cgroup::JOIN.to_owned(), "sh".to_owned()];
        words.extend(Groups::of(&name).make()?);
        words.extend(
            [
                "--",
                "systemd-nspawn",
                "--boot",
                "--register=no",
                "--resolv-conf=off",
                // nspawn takes it away where it did not make the network namespace itself; a server has its own nftables
                "--capability=CAP_NET_ADMIN",
            ]
            .map(str::to_owned),
        );
        words.extend(["--console=pipe".to_owned(), format!("--directory={}", root.display())]);
        words.push(format!("--network-namespace-path=/run/netns/{name}"));
        words.push(format!("--machine={name}"));
        words.push(format!("--hostname={}", spec.name));
        if !cgroup::systemd_rules() {
            words.push("--keep-unit".to_owned());
        }
        let log = self.machines.join(spec.id.to_string()).join("console.log");
        Process::detach("sh", &words, &[("SYSTEMD_NSPAWN_UNIFIED_HIERARCHY", "1")], &log)
    }

    async fn init_runs(&self, spec: &MachineSpec, process: &Process) -> Result<()> {
        let until = Instant::now() + BOOT;
        while !has_init(process) {
            if !process.runs() || Instant::now() >= until {
                let log = self.machines.join(spec.id.to_string()).join("console.log");
                let story = fs::read_to_string(&log).unwrap_or_default();
                bail!(
                    "machine {} did not reach its init in {BOOT:?}: {}",
                    spec.name,
                    tool::last_lines(&story, 5)
                );
            }
            sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }
}

/// Stops the machine in a directory and takes everything back that is not disk: process, groups, namespace, mount.
pub(super) async fn stop(slot: Slot, dir: &Path, id: u64) -> Result<()> {
    let name = slot.machine(id);
    if let Some(process) = Process::load(&dir.join("pid"))
        && !process.end(SHUTDOWN).await
    {
        process.kill();
    }
    // A machine outlives a killed nspawn.
    network::end_processes(&name).await?;
    Groups::of(&name).remove()?;
    // nspawn cannot remove this itself where /run is no tmpfs.
    cache::remove(&Path::new("/run/systemd/nspawn/propagate").join(&name))?;
    network::detach(slot, id).await?;
    Disk::at(dir.to_owned()).unmount().await
}

/// Whether nspawn's payload has become systemd.
fn has_init(nspawn: &Process) -> bool {
    let id = nspawn.id();
    let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
    let is_init = |child: &str| {
        let name = fs::read_to_string(format!("/proc/{child}/comm"));
        name.is_ok_and(|name| name.trim() == "systemd")
    };
    children.split_whitespace().any(is_init)
}
