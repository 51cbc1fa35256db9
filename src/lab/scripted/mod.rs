//! Scripted hosts: servers that are an SSH and an HTTPS endpoint in this process, for scale and crash tests. Real
//! machines judge what things mean, these judge numbers.

mod authority;
mod clock;
mod door;
mod fault;
mod host;
mod https;
mod keys;
mod look;
mod loopback;
mod releases;
mod script;
mod set_up;
mod ssh;
mod state;
mod text;
mod update;
mod user_data;

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, Result};
use ipnet::IpNet;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use ssh_key::{Algorithm, PrivateKey};

use self::authority::Authority;
use self::door::{Door, Service};
use self::host::Host;
pub(super) use self::loopback::{Claim, Loopback};
pub use self::script::Script;
use self::state::State;
use super::dir::LabDir;
use super::machine::{Accept, MachineSpec};

/// Where every connection on this computer to a loopback address comes from.
const CALLER: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// The hosts of a lab.
#[derive(Debug)]
pub struct Scripted {
    dir: PathBuf,
    script: Arc<Script>,
    common: Arc<Common>,
    places: Mutex<BTreeMap<u64, Place>>,
}

/// What all hosts share.
#[derive(Debug)]
struct Common {
    authority: Authority,
    /// What a host shows that is not itself.
    wrong_key: Arc<russh::server::Config>,
}

/// A host and its ports.
#[derive(Debug)]
struct Place {
    host: Arc<Host>,
    /// As of [`Scripted::filter`].
    accepts: Option<Vec<Accept>>,
    doors: [Option<Door>; 2],
}

impl Scripted {
    /// The hosts in a lab's directory, which do from now on as the script says.
    ///
    /// # Errors
    /// Ports 22 or 443 cannot be had in the block; a directory that cannot be read or written.
    pub(super) async fn open(dir: &LabDir, block: Loopback, script: Script) -> Result<Self> {
        block.check().await?;
        let key = PrivateKey::random(&mut rand::rng(), Algorithm::Ed25519).context("cannot make a key")?;
        let common = Common { authority: Authority::ensure(dir)?, wrong_key: ssh::config(key, None) };
        most_files();
        Ok(Self {
            dir: dir.machines(),
            script: Arc::new(script),
            common: Arc::new(common),
            places: Mutex::new(BTreeMap::new()),
        })
    }

    /// Makes a host, off. Safe to run twice.
    pub(super) fn create(&self, spec: &MachineSpec) -> Result<()> {
        let known = self.lock().get(&spec.id).map(|place| Arc::clone(&place.host));
        if let Some(host) = known {
            host.move_to(spec);
            return Ok(());
        }
        let host = Host::ensure(&self.dir_of(spec.id), spec, &self.script)?;
        let place = Place { host: Arc::new(host), accepts: None, doors: [None, None] };
        self.lock().entry(spec.id).or_insert(place);
        Ok(())
    }

    /// Switches a host on. Safe to run twice.
    pub(super) async fn start(&self, spec: &MachineSpec) -> Result<()> {
        self.create(spec)?;
        let closed = self.with(spec.id, |place, _| place.doors.iter().all(Option::is_none));
        if let (Some(address), Some(true)) = (spec.ipv4, closed) {
            door::check(address).await?;
        }
        self.with(spec.id, |place, common| {
            place.host.power_on();
            place.settle(common);
        });
        Ok(())
    }

    /// Switches a host off. Safe to run twice.
    pub(super) fn stop(&self, id: u64) {
        self.with(id, |place, common| {
            place.host.power_off();
            place.settle(common);
        });
    }

    /// Removes a host and all it knows. Safe to run twice.
    pub(super) fn delete(&self, id: u64) -> Result<()> {
        if let Some(place) = self.lock().remove(&id) {
            place.host.forget();
        }
        let dir = self.dir_of(id);
        match fs::remove_dir_all(&dir) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(error).with_context(|| format!("cannot remove {}", dir.display()))
            }
            _ => Ok(()),
        }
    }

    /// Lets callers in to the ports that a firewall accepts from here, and to no other.
    pub(super) fn filter(&self, spec: &MachineSpec, accepts: Option<&[Accept]>) {
        self.with(spec.id, |place, common| {
            place.accepts = accepts.map(<[Accept]>::to_vec);
            place.settle(common);
        });
    }

    fn with<T>(&self, id: u64, act: impl FnOnce(&mut Place, &Arc<Common>) -> T) -> Option<T> {
        self.lock().get_mut(&id).map(|place| act(place, &self.common))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Place>> {
        // a place is changed in steps that all stand for themselves
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn dir_of(&self, id: u64) -> PathBuf {
        self.dir.join(id.to_string())
    }
}

impl Place {
    /// Opens and closes what is to be open and closed.
    fn settle(&mut self, common: &Arc<Common>) {
        let (on, address) = self.host.look(|state| (state.on.is_some(), state.address));
        for (service, door) in Service::ALL.into_iter().zip(&mut self.doors) {
            match address.filter(|_| on && admitted(self.accepts.as_deref(), service.port())) {
                None => *door = None,
                Some(address) if door.is_none() => {
                    let open = Door::open(Arc::clone(&self.host), service, address, Arc::clone(common));
                    *door = Some(open);
                }
                Some(_) => {}
            }
        }
    }
}

/// Whether a firewall accepts our connections to a TCP port.
fn admitted(accepts: Option<&[Accept]>, port: u16) -> bool {
    let covers = |source: &String| source.parse::<IpNet>().is_ok_and(|net| net.contains(&IpAddr::V4(CALLER)));
    let fits = |accept: &Accept| {
        accept.protocol == "tcp"
            && accept.ports.is_none_or(|(first, last)| (first..=last).contains(&port))
            && accept.sources.iter().any(covers)
    };
    accepts.is_none_or(|accepts| accepts.iter().any(fits))
}

/// Each host has two listeners, and the usual limit is 1,024 files. What more is allowed is taken.
fn most_files() {
    let limit = getrlimit(Resource::Nofile);
    // a lab with few hosts gets along without
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}

/// Switches the hosts off of a lab that does not run any more.
pub(super) fn power_off(hosts: &[(u64, PathBuf)]) -> Result<()> {
    for (_, dir) in hosts {
        let file = host::file(dir);
        if let Some(mut state) = State::load(&file)? {
            state.power_off();
            state.save(&file)?;
        }
    }
    Ok(())
}

/// The name and address of a host, and whether it is switched on, from its directory.
pub(super) fn summary(dir: &Path) -> Result<Option<(String, Option<Ipv4Addr>, bool)>> {
    let state = State::load(&host::file(dir))?;
    Ok(state.map(|state| (state.name, state.address, state.on.is_some())))
}
