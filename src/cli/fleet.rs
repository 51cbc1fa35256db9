//! The fleet as a command finds it: its state, its key, and its project.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use jiff::Timestamp;

use super::Failure;
use super::context::Context;
use super::own_key::{OwnKey, key_path};
use super::ssh::write;
use crate::config::Settings;
use crate::hcloud::Client;
use crate::model::fleet::FleetId;
use crate::model::image::{BakedImage, Use, uses};
use crate::model::instance::Instance;
use crate::model::name::InstanceName;
use crate::model::observed::{EU_LOCATIONS, Observed, Offer};
use crate::model::operator_key::Keys;
use crate::model::place::Place;
use crate::model::refusal::{Refusal, near};
use crate::observe;
use crate::plan::{Budget, IMAGE};
use crate::render;
use crate::ssh::{KeyRing, Target};
use crate::store::Store;

/// How long lists may not show a server whose create was cut off. Hetzner says nothing of it; what shows later than this is an
/// orphan to the next `reconcile`.
const LAG: Duration = Duration::from_secs(15);
/// The port of SSH.
const SSH_PORT: u16 = 22;

/// The fleet, perhaps before its state is written for the first time.
pub(super) struct Fleet {
    store: Option<Store>,
    /// Its id.
    pub(super) id: FleetId,
    /// The keys that log in.
    pub(super) keys: Keys,
    /// What commands log in with, or why that is not here: who only looks at the state does not need it.
    own: Result<OwnKey, Refusal>,
    /// The instances that the state knows.
    pub(super) instances: Vec<Instance>,
    /// How often the right to change each instance had changed hands before they were read.
    fences: BTreeMap<String, i64>,
}

impl Fleet {
    /// Looks at the state; writes nothing.
    pub(super) async fn find(settings: &Settings, context: &Context) -> Result<Self, Failure> {
        let store = Store::open_existing(&settings.state).await?;
        let id = match &store {
            Some(store) => store.fleet().clone(),
            None => FleetId::from_bytes(context.entropy.id()),
        };
        // the fences first: what changes between the two is noticed then
        let fences = match &store {
            Some(store) => store.fences().await?,
            None => BTreeMap::new(),
        };
        let instances = match &store {
            Some(store) => store.instances().await?,
            None => Vec::new(),
        };
        let mut keys = match &store {
            Some(store) => store.keys().await?,
            None => Keys { fleet: String::new(), others: Vec::new() },
        };
        let has_servers = instances.iter().any(|instance| instance.stage.server().is_some());
        let own = match OwnKey::find(settings, &id, &keys, has_servers, context).await {
            Ok(own) => Ok(own),
            Err(failure) => Err(failure.error.downcast::<Refusal>()?),
        };
        if let Ok(own) = &own
            && keys.fleet.is_empty()
        {
            keys.fleet = own.ring.key.bare_public()?;
        }
        Ok(Self { store, id, keys, own, instances, fences })
    }

    /// What commands log in with.
    ///
    /// # Errors
    /// [`Refusal`] where that is not here.
    pub(super) fn own(&self) -> Result<&OwnKey, Refusal> {
        self.own.as_ref().map_err(Clone::clone)
    }

    /// What OpenSSH takes as its identity: the file of the fleet's own key, or, where an agent has that, one with the public half.
    ///
    /// # Errors
    /// As [`own`](Self::own); and a file that cannot be written.
    pub(super) fn identity(&self, settings: &Settings) -> Result<PathBuf, Failure> {
        let own = self.own()?;
        if let Some(file) = &own.file {
            return Ok(file.clone());
        }
        let path = beside(settings, &self.id, "ssh_key.pub")?;
        if self.is_written() {
            write(&path, &format!("{}\n", own.ring.key.bare_public()?))?;
        }
        Ok(path)
    }

    /// The instances of which an interrupted create may have made a server that no list shows yet, and for how much longer
    /// that may be.
    pub(super) async fn interrupted(
        &self,
        context: &Context,
    ) -> Result<BTreeMap<InstanceName, Duration>, Failure> {
        let Some(store) = &self.store else { return Ok(BTreeMap::new()) };
        let now = context.clock.timestamp();
        let mut waits = BTreeMap::new();
        for create in store.interrupted_creates(&self.instances).await? {
            let begun: jiff::Timestamp = create.begun.parse().unwrap_or(now);
            let age = Duration::try_from(now.duration_since(begun)).unwrap_or_default();
            waits.insert(create.instance, LAG.saturating_sub(age));
        }
        Ok(waits)
    }

    /// What may still be ordered for the names of new servers in these zones. The history does not tell in which zone a name was that
    /// is gone: it counts in each, which may make somebody wait, and spends nobody's budget.
    pub(super) async fn budgets(
        &self,
        zones: &BTreeSet<String>,
    ) -> Result<BTreeMap<String, Budget>, Failure> {
        let namings = match &self.store {
            Some(store) => store.namings().await?,
            None => Vec::new(),
        };
        let orders: Vec<(InstanceName, Timestamp)> = namings
            .into_iter()
            .filter_map(|naming| Some((naming.instance, naming.begun.parse().ok()?)))
            .collect();
        let is_elsewhere = |name: &InstanceName, zone: &String| {
            let domain = self.instance(name).ok().and_then(|known| known.spec.domain.as_ref());
            domain.is_some_and(|domain| domain != zone)
        };
        let budget = |zone: &String| {
            let here = orders.iter().filter(|(name, _)| !is_elsewhere(name, zone));
            (zone.clone(), Budget::after(here.cloned()))
        };
        Ok(zones.iter().map(budget).collect())
    }

    /// Which of these names were those of instances that are gone.
    pub(super) async fn gone(&self, names: &[InstanceName]) -> Result<BTreeSet<InstanceName>, Failure> {
        let Some(store) = &self.store else { return Ok(BTreeSet::new()) };
        let mut gone = BTreeSet::new();
        for name in names.iter().filter(|name| self.instance(name).is_err()) {
            if !store.history(Some(name.as_str())).await?.is_empty() {
                gone.insert(name.clone());
            }
        }
        Ok(gone)
    }

    /// The instances that another process works on.
    pub(super) async fn busy(&self) -> Result<BTreeSet<InstanceName>, Failure> {
        let Some(store) = &self.store else { return Ok(BTreeSet::new()) };
        Ok(store.held().await?.into_iter().filter_map(|held| held.subject.parse().ok()).collect())
    }

    /// Whether another process makes an image.
    pub(super) async fn makes_an_image(&self) -> Result<bool, Failure> {
        let Some(store) = &self.store else { return Ok(false) };
        Ok(store.held().await?.iter().any(|held| held.subject == IMAGE))
    }

    /// How often the right to change this had changed hands when the fleet was looked at; 0 where it was never taken, or somebody had it,
    /// which no lease that is taken later follows.
    pub(super) fn fence(&self, subject: &str) -> i64 {
        self.fences.get(subject).copied().unwrap_or_default()
    }

    /// The state, where there is one.
    pub(super) fn store(&self) -> Option<&Store> {
        self.store.as_ref()
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
    ) -> Result<(Store, KeyRing), Failure> {
        let own = self.own?;
        own.signs().await?;
        if let Some(store) = self.store {
            store.close().await?;
        }
        let store = Store::open(&settings.state, &self.id, context.session()).await?;
        let known = store.keys().await?;
        let ring = match known.fleet.is_empty() {
            // another controller has begun the fleet: what this one made up for itself is no use
            false => OwnKey::find(settings, store.fleet(), &known, false, context).await?.ring,
            true => own.kept(settings, store.fleet())?,
        };
        let ours = ring.key.bare_public()?;
        if store.keep_public_key(&ours).await? != ours {
            store.close().await?;
            return Err(other_key(&key_path(settings, &self.id)?).into());
        }
        Ok((store, ring))
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
            keys: self.own()?.ring.all(),
            host_keys: server.host_keys().into_iter().map(str::to_owned).collect(),
            signer: server.signer().map(str::to_owned),
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
        let mut seen = observe::cloud(client, &fleet.id).await?;
        observe::confirm(client, &fleet.instances, &mut seen).await?;
        seen.zones = observe::zones(client, &fleet.id, zones).await?;
        Ok::<_, crate::hcloud::Error>(seen)
    };
    look.await.context("cannot see what is in the project")
}

/// The same for who makes something: of a fleet that is not written down yet there is nothing.
pub(super) async fn look_unless_new(
    client: &Client,
    fleet: &Fleet,
    zones: &BTreeSet<String>,
) -> anyhow::Result<Observed> {
    if fleet.is_written() {
        return look(client, fleet, zones).await;
    }
    let zones =
        observe::zones(client, &fleet.id, zones).await.context("cannot see what is in the project")?;
    Ok(Observed { zones, ..Observed::default() })
}

/// What can be had at these locations: of Hetzner, and of the fleet's own images, those from which servers can be born.
pub(super) async fn offer<'a>(
    client: &Client,
    fleet: &Fleet,
    mut locations: impl Iterator<Item = &'a String>,
    context: &Context,
) -> anyhow::Result<Offer> {
    let now = context.clock.timestamp();
    let eu_only = locations.all(|name| EU_LOCATIONS.contains(&name.as_str()));
    let images =
        async { if fleet.is_written() { observe::images(client, &fleet.id).await } else { Ok(Vec::new()) } };
    let (offer, images) = tokio::join!(observe::offer(client, eu_only, now), images);
    let what = "cannot see what Hetzner offers";
    let (offer, images) = (offer.context(what)?, images.context(what)?);
    let set_up = render::set_up()?;
    let fits = |(image, verdict): (BakedImage, Use)| (verdict == Use::Fits).then_some(image);
    let baked = uses(images, &set_up, now).into_iter().filter_map(fits).collect();
    Ok(Offer { baked, set_up, ..offer })
}

/// A file that belongs to a state: beside it with another ending, or, where the state lies in a database, in the folder
/// where a state would lie.
pub(super) fn beside(settings: &Settings, fleet: &FleetId, ending: &str) -> Result<PathBuf, Refusal> {
    match (&settings.state, &settings.state_folder) {
        (Place::File(path), _) => Ok(with_ending(path, ending)),
        (Place::Postgres(_), Some(folder)) => Ok(folder.join(format!("{fleet}.{ending}"))),
        (Place::Postgres(_), None) => Err(Refusal::new("no home directory", "set HOME, or XDG_STATE_HOME")
            .because("the fleet's SSH key does not lie in its database, but in a file")),
    }
}

pub(super) fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    PathBuf::from(name)
}

fn other_key(path: &Path) -> Refusal {
    let hint = format!("copy the fleet's key to {}, from who began the fleet", path.display());
    Refusal::new("the SSH key here is not the fleet's", hint)
        .because("the state knows another one, with which the servers were made")
}
