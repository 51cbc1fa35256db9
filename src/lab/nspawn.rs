//! Real Debian machines: systemd-nspawn on an overlay over the base image, in a namespace of their own.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::cgroup::{self, Groups};
use super::dir::LabDir;
use super::disk::{Birth, Disk};
use super::frozen::{self, Frozen};
use super::layers::Layers;
use super::machine::{Accept, MachineSpec};
use super::process::Process;
use super::slot::Slot;
use super::snapshot::Snapshots;
use super::volume::Volumes;
use super::{cache, filter, network, private_network, tool};

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
    snapshots: Arc<Snapshots>,
    volumes: Volumes,
    filters: Mutex<()>,
    /// The image of new machines.
    image: PathBuf,
    /// The root certificate that machines trust, PEM.
    root: String,
}

impl Nspawn {
    /// The machines of a lab; new ones get that image.
    pub(super) fn open(slot: Slot, dir: &LabDir, image: PathBuf, root: String) -> Result<Self> {
        let snapshots = Arc::new(Snapshots::open(dir.snapshots())?);
        let volumes = Volumes::at(dir.volumes());
        let filters = Mutex::new(());
        Ok(Self { slot, machines: dir.machines(), snapshots, volumes, filters, image, root })
    }

    pub(super) fn create(&self, spec: &MachineSpec) -> Result<()> {
        let _layers_stay = self.snapshots.hold();
        let disk = self.disk(spec.id);
        if disk.spec()?.is_some() {
            return Ok(());
        }
        let layers = match spec.snapshot {
            Some(snapshot) => self.snapshots.layers(snapshot)?,
            None => Layers::of_image(self.image.clone()),
        };
        let lower = self.snapshots.paths(&layers);
        disk.seed(&Birth { spec, root: &self.root, resolver: self.slot.services().0 }, layers, &lower)
    }

    pub(super) async fn start(&self, spec: &MachineSpec) -> Result<()> {
        if let Some(process) = self.running(spec.id) {
            // it stands still if a lab was killed while it took a snapshot
            if let Some(init) = init_of(&process) {
                frozen::thaw(init);
            }
            return self.connect(spec).await;
        }
        // Whatever a machine that died left behind would be in the way.
        self.stop(spec.id).await?;
        let disk = self.disk(spec.id);
        let layers = disk.layers()?.with_context(|| format!("{} has no disk", spec.name))?;
        let root = disk.mount(&self.snapshots.paths(&layers)).await?;
        self.volumes.connect(&disk.mnt(), &spec.volumes).await?;
        network::attach(self.slot, spec).await?;
        private_network::connect(self.slot, spec).await?;
        let process = self.boot(spec, &root)?;
        process.save(&self.pid(spec.id))?;
        self.init_runs(spec, &process).await
    }

    pub(super) async fn stop(&self, id: u64) -> Result<()> {
        stop(self.slot, &self.machines.join(id.to_string()), id).await
    }

    pub(super) async fn delete(&self, id: u64) -> Result<()> {
        self.stop(id).await?;
        self.refilter(|entries| filter::without_machine(id, entries)).await?;
        self.remove_disk(self.disk(id)).await
    }

    pub(super) async fn connect(&self, spec: &MachineSpec) -> Result<()> {
        if self.running(spec.id).is_none() {
            return Ok(());
        }
        self.volumes.connect(&self.disk(spec.id).mnt(), &spec.volumes).await?;
        private_network::connect(self.slot, spec).await
    }

    pub(super) async fn erase(&self, id: u64) -> Result<()> {
        self.stop(id).await?;
        self.remove_disk(self.disk(id)).await
    }

    pub(super) async fn snapshot(&self, id: u64, snapshot: u64) -> Result<()> {
        if self.snapshots.has(snapshot) {
            return Ok(());
        }
        let disk = self.disk(id);
        let below = disk.layers()?.with_context(|| format!("server {id} has no disk"))?;
        let frozen = match self.running(id) {
            Some(process) => Some(Frozen::hold(init_of(&process).context("the machine has no init")?).await?),
            None => None,
        };
        let copied = self.snapshots.copy(snapshot, &disk.upper()).await;
        drop(frozen);
        copied?.keep(&below)
    }

    pub(super) async fn remove_snapshot(&self, snapshot: u64) -> Result<()> {
        self.snapshots.give_up(snapshot)?;
        self.collect().await
    }

    pub(super) async fn remove_volume(&self, volume: u64) -> Result<()> {
        let volumes = self.volumes.clone();
        spawn_blocking(move || volumes.remove(volume)).await?
    }

    async fn remove_disk(&self, disk: Disk) -> Result<()> {
        // tens of thousands of files: not on a thread that answers requests
        spawn_blocking(move || disk.remove()).await??;
        self.collect().await
    }

    /// Removes the snapshots that nobody needs any more.
    async fn collect(&self) -> Result<()> {
        let (snapshots, machines) = (self.snapshots.clone(), self.machines.clone());
        spawn_blocking(move || snapshots.collect(&machines)).await?
    }

    pub(super) async fn filter(&self, spec: &MachineSpec, accepts: Option<&[Accept]>) -> Result<()> {
        let filtered = self.refilter(|entries| filter::of_machine(spec, accepts, entries)).await;
        filtered.with_context(|| format!("cannot filter {}", spec.name))
    }

    /// Changes the router's rules, knowing what they are.
    async fn refilter(&self, change: impl FnOnce(&[filter::Entry]) -> Result<String>) -> Result<()> {
        let _one_at_a_time = self.filters.lock().await;
        let router = self.slot.router();
        let entries = filter::entries(&tool::shell_inside(&router, "nft -j list maps inet").await?)?;
        tool::nft(Some(&router), &change(&entries)?).await
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
        let groups = Groups::of(&name).make()?.join(" ");
        let mut words = vec!["-c".to_owned(), cgroup::LAUNCH.to_owned(), groups];
        words.extend(
            [
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
        words.push(format!("--bind={}:/mnt", self.disk(spec.id).mnt().display()));
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
        while init_of(process).is_none() {
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
    if let Some(process) = Process::load(&dir.join("pid")) {
        // it hears nothing while it stands still
        if let Some(init) = init_of(&process) {
            frozen::thaw(init);
        }
        if !process.end(SHUTDOWN).await {
            process.children().iter().for_each(Process::kill);
            process.kill();
        }
    }
    // A machine outlives a killed nspawn.
    network::end_processes(&name).await?;
    Groups::of(&name).remove().await?;
    // nspawn cannot remove this itself where /run is no tmpfs.
    cache::remove(&Path::new("/run/systemd/nspawn/propagate").join(&name))?;
    network::detach(slot, id).await?;
    Disk::at(dir.to_owned()).unmount().await
}

/// The machine's first process, once it has become systemd. Above it is nspawn, and above that may be its shell.
fn init_of(process: &Process) -> Option<i32> {
    let children = process.children();
    let nspawn = children.iter().flat_map(Process::children);
    nspawn.chain(children.iter().copied()).find(|child| child.name() == "systemd").map(|init| init.id())
}
