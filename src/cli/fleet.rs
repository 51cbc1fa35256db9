//! The fleet as a command finds it: its state, its key, and its project.

use std::collections::BTreeSet;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::Failure;
use super::context::Context;
use crate::config::Settings;
use crate::hcloud::Client;
use crate::model::fleet::FleetId;
use crate::model::instance::Instance;
use crate::model::name::InstanceName;
use crate::model::observed::Observed;
use crate::model::refusal::{Refusal, near};
use crate::observe;
use crate::ssh::{KeyPair, Target};
use crate::store::Store;

/// The port of SSH.
const SSH_PORT: u16 = 22;

/// The fleet, perhaps before its state is written for the first time.
pub(super) struct Fleet {
    store: Option<Store>,
    /// Its id.
    pub(super) id: FleetId,
    /// The operator's key.
    pub(super) key: KeyPair,
    /// The instances that the state knows.
    pub(super) instances: Vec<Instance>,
}

impl Fleet {
    /// Looks at the state; writes nothing.
    pub(super) async fn find(settings: &Settings, context: &Context) -> Result<Self, Failure> {
        let store = Store::open_existing(&settings.state).await?;
        let id = match &store {
            Some(store) => store.fleet().clone(),
            None => FleetId::from_bytes(context.entropy.id()),
        };
        let instances = match &store {
            Some(store) => store.instances().await?,
            None => Vec::new(),
        };
        let key = match read_key(&settings.state)? {
            Some(key) => key,
            None if instances.iter().all(|instance| instance.stage.server().is_none()) => {
                context.entropy.with(|rng| KeyPair::generate(rng, &id.common_name()))?
            }
            None => return Err(lost_key(&settings.state).into()),
        };
        Ok(Self { store, id, key, instances })
    }

    /// Whether there is a state at all.
    pub(super) fn is_written(&self) -> bool {
        self.store.is_some()
    }

    /// The state for writing, with the key beside it.
    pub(super) async fn open(
        self,
        settings: &Settings,
        context: &Context,
    ) -> Result<(Store, KeyPair), Failure> {
        if let Some(store) = self.store {
            store.close().await;
        }
        let store = Store::open(&settings.state, &context.clock.now(), self.id).await?;
        let key = keep_key(&settings.state, self.key)?;
        Ok((store, key))
    }

    /// One instance.
    pub(super) fn instance(&self, name: &InstanceName) -> Result<&Instance, Refusal> {
        self.instances.iter().find(|instance| instance.name == *name).ok_or_else(|| {
            let known: Vec<&str> = self.instances.iter().map(|instance| instance.name.as_str()).collect();
            let hint = match near(name.as_str(), known.iter().copied()).as_slice() {
                [] => "`clawberth list` shows the instances".to_owned(),
                close => format!("did you mean {}?", close.join(" or ")),
            };
            Refusal::new(format!("no instance {name}"), hint)
        })
    }

    /// How to log in to an instance's server.
    pub(super) fn target(&self, instance: &Instance) -> Result<Target, Refusal> {
        let name = &instance.name;
        let server = instance.stage.server().ok_or_else(|| {
            Refusal::new(format!("{name} has no server yet"), format!("run `clawberth deploy {name}`"))
        })?;
        Ok(Target {
            address: server.ipv4.into(),
            port: SSH_PORT,
            user: "root".to_owned(),
            key: self.key.clone(),
            host_key: server.host_key.clone(),
        })
    }
}

/// The API of the project that the token belongs to.
pub(super) fn cloud(settings: &Settings, context: &Context) -> Result<Client, Failure> {
    Ok(Client::new(context.http()?, &settings.endpoint, settings.token()?.clone()))
}

/// What there is of the fleet in its project, and in these zones.
pub(super) async fn look(
    client: &Client,
    fleet: &Fleet,
    zones: &BTreeSet<String>,
) -> anyhow::Result<Observed> {
    let look = async {
        let mut seen = observe::cloud(client, &fleet.id, zones).await?;
        observe::confirm(client, &fleet.instances, &mut seen).await?;
        Ok::<_, crate::hcloud::Error>(seen)
    };
    look.await.context("cannot see what is in the project")
}

/// Where the operator's key lies: beside the state, which holds no secret.
pub(super) fn key_path(state: &Path) -> PathBuf {
    beside(state, "ssh_key")
}

/// A file beside the state, with another ending.
pub(super) fn beside(state: &Path, ending: &str) -> PathBuf {
    let mut name = state.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    PathBuf::from(name)
}

fn lost_key(state: &Path) -> Refusal {
    let path = key_path(state);
    let hint = format!("put {} back; without it nobody can log in to the servers", path.display());
    Refusal::new("the fleet's SSH key is gone", hint).because(format!("{} does not exist", path.display()))
}

pub(super) fn read_key(state: &Path) -> Result<Option<KeyPair>, Failure> {
    let path = key_path(state);
    let what = || format!("cannot read the fleet's SSH key {}", path.display());
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(Some(KeyPair::parse(&text).with_context(what)?)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(anyhow::Error::new(error).context(what()).into()),
    }
}

/// Writes the key once, whole or not at all, and gives the one that is kept: of two commands that begin a fleet at the
/// same moment, the key of the first.
fn keep_key(state: &Path, key: KeyPair) -> Result<KeyPair, Failure> {
    if let Some(kept) = read_key(state)? {
        return Ok(kept);
    }
    let path = key_path(state);
    let new = beside(state, &format!("ssh_key.{}", std::process::id()));
    let what = || format!("cannot write the fleet's SSH key {}", path.display());
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&new)
        .with_context(what)?;
    file.write_all(key.private_text()?.expose().as_bytes()).with_context(what)?;
    file.sync_all().with_context(what)?;
    // a link, unlike a renaming, never takes the place of another key
    let linked = std::fs::hard_link(&new, &path);
    std::fs::remove_file(&new).with_context(what)?;
    match linked {
        Ok(()) => Ok(key),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            Ok(read_key(state)?.unwrap_or(key))
        }
        Err(error) => Err(anyhow::Error::new(error).context(what()).into()),
    }
}
