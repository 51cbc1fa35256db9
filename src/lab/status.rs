//! What a lab is at this moment, from its directory alone.

use std::path::PathBuf;

use anyhow::{Context, Result};
use serde::Serialize;

use super::bring_up::MIRROR_PORT;
use super::dir::{LabDir, Record, numbered};
use super::disk::Disk;
use super::process::Process;
use super::slot::Slot;
use super::supervisor::Kind;
use super::{network, pebble, scripted};

/// A lab, for people and machines.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    /// Whether it answers.
    pub running: bool,
    /// Its directory.
    pub dir: PathBuf,
    /// The API's base URL; `None` before the first `up`.
    pub endpoint: Option<String>,
    /// The machines that exist.
    pub machines: Vec<MachineStatus>,
}

/// One machine.
#[derive(Clone, Debug, Serialize)]
pub struct MachineStatus {
    /// The server's id in the API.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// Its public IPv4 address.
    pub ipv4: Option<std::net::Ipv4Addr>,
    /// Whether it is switched on.
    pub running: bool,
}

/// Looks at a lab.
pub fn status(dir: &LabDir) -> Result<Status> {
    let record = dir.record()?;
    let mut machines = Vec::new();
    let scripted = record.as_ref().is_some_and(|record| record.kind() == Kind::Scripted);
    for (id, path) in numbered(&dir.machines())? {
        if scripted {
            let summary = scripted::summary(&path)?;
            machines.extend(summary.map(|(name, ipv4, on)| {
                let running = on && dir.answers();
                MachineStatus { id, name, ipv4, running }
            }));
            continue;
        }
        let running = Process::load(&path.join("pid")).is_some();
        if let Some(spec) = Disk::at(path).spec()? {
            machines.push(MachineStatus { id, name: spec.name, ipv4: spec.ipv4, running });
        }
    }
    Ok(Status {
        running: dir.answers(),
        dir: dir.path().to_owned(),
        endpoint: record.map(|record| endpoint(&record)),
        machines,
    })
}

/// What a shell exports to work with the lab, in order.
///
/// # Errors
/// The lab does not run, or has no such project.
pub fn environment(dir: &LabDir, project: &str) -> Result<Vec<(&'static str, String)>> {
    let record = dir.record()?.filter(|_| dir.answers());
    let record = record.context("no lab runs here: run `clawberth lab up`")?;
    let key = record.projects.iter().find(|key| key.name == project).with_context(|| {
        let names: Vec<&str> = record.projects.iter().map(|key| key.name.as_str()).collect();
        format!("the lab has no project {project:?}, but {}", names.join(", "))
    })?;
    let mut known = vec![
        ("HCLOUD_ENDPOINT", endpoint(&record)),
        ("HCLOUD_TOKEN", key.token.clone()),
        ("CLAWBERTH_LAB_CONTROL", format!("http://127.0.0.1:{}/control", record.port)),
    ];
    if let Some(slot) = record.slot {
        known.extend([
            ("CLAWBERTH_ACME_DIRECTORY", pebble::directory(slot)),
            ("CLAWBERTH_ACME_ROOT", dir.acme_root().display().to_string()),
            ("CLAWBERTH_NODE_MIRROR", format!("http://{}:{MIRROR_PORT}", slot.services().0)),
            ("CLAWBERTH_ADMIN_NETWORKS", admin_networks(slot)),
        ]);
    }
    if record.loopback.is_some() {
        known.extend([
            ("CLAWBERTH_ACME_ROOT", dir.acme_root().display().to_string()),
            ("CLAWBERTH_ADMIN_NETWORKS", "127.0.0.0/8".to_owned()),
        ]);
    }
    Ok(known)
}

/// The host as machines see it.
fn admin_networks(slot: Slot) -> String {
    let (v4, v6) = slot.host();
    if network::host_has_ipv6() { format!("{v4}/32,{v6}/128") } else { format!("{v4}/32") }
}

fn endpoint(record: &Record) -> String {
    format!("http://127.0.0.1:{}/v1", record.port)
}
