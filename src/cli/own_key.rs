//! The fleet's own key, as a command finds it: in a file beside the state, or in an ssh-agent.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::Failure;
use super::context::Context;
use super::fleet::{Fleet, beside, with_ending};
use crate::config::Settings;
use crate::model::fleet::FleetId;
use crate::model::key_name::KeyName;
use crate::model::operator_key::Keys;
use crate::model::refusal::Refusal;
use crate::ssh::{Agent, AgentKey, KeyPair, KeyRing, LoginKey};

/// What commands log in with, and where the fleet's own is.
#[derive(Debug)]
pub(super) struct OwnKey {
    pub(super) ring: KeyRing,
    /// Its file; none: it is in an agent.
    pub(super) file: Option<PathBuf>,
}

/// What of private halves can be used here.
struct Here {
    /// Those in files: the fleet's own, then the one that is to follow it.
    files: Vec<(KeyPair, PathBuf)>,
    /// Those in the agent.
    agent: Vec<AgentKey>,
    /// Whether the file is second to the agent: that is what the settings name.
    agent_first: bool,
}

impl OwnKey {
    /// Finds the key that the state says is the fleet's own, or, where it says nothing yet, the one that is to be it. Beside it what is to
    /// follow it, or was before it. Where a file has another one, that is told by [`Fleet::open`].
    ///
    /// # Errors
    /// [`Refusal`] where it is not here; or the settings name another one.
    pub(super) async fn find(
        settings: &Settings,
        fleet: &FleetId,
        keys: &Keys,
        has_servers: bool,
        context: &Context,
    ) -> Result<Self, Failure> {
        let path = key_path(settings, fleet)?;
        let here = Here::look(settings, &path, keys).await?;
        let named = settings.ssh_key.as_ref().map(|name| choose(name, &here.agent)).transpose()?;
        if let Some(named) = &named {
            agrees(&named.bare_public()?, keys)?;
        }
        let in_place = here.files.iter().find(|(_, file)| *file == path);
        let found = match (here.find(&keys.fleet)?, named, in_place) {
            (Some(found), _, _) => Some(found),
            (None, Some(named), _) if keys.fleet.is_empty() => Some((LoginKey::InAgent(named), None)),
            (None, _, Some((pair, file))) => Some((LoginKey::Here(pair.clone()), Some(file.clone()))),
            (None, _, None) => None,
        };
        let (key, file) = match found {
            Some(found) => found,
            None if has_servers => return Err(lost(&path).into()),
            None => {
                let pair = context.entropy.with(|rng| KeyPair::generate(rng, &fleet.common_name()))?;
                (LoginKey::Here(pair), Some(path))
            }
        };
        let other = here.other(&key.bare_public()?, settings, keys)?;
        Ok(Self { ring: KeyRing { key, other }, file })
    }

    /// Has an agent show that it signs, before anything is begun that would need it.
    ///
    /// # Errors
    /// [`Refusal`] where it does not.
    pub(super) async fn signs(&self) -> Result<(), Refusal> {
        let signed = self.ring.key.own_secret("before a change").await;
        signed.map(drop).map_err(|why| {
            let hint = "`ssh-add -l` shows what it has, `ssh-add -X` unlocks it; a key that it asks about each time, or keeps for some \
                        hosts, is not for this";
            Refusal::new("the ssh-agent does not sign with the fleet's key", hint).because(format!("{why:#}"))
        })
    }

    /// The same once it is written down, where it is one that was made; of two commands that begin a fleet at the same moment, the
    /// key of the first.
    pub(super) fn kept(self, settings: &Settings, fleet: &FleetId) -> Result<KeyRing, Failure> {
        let key = match self.ring.key {
            LoginKey::Here(pair) => LoginKey::Here(keep_key(&key_path(settings, fleet)?, pair)?),
            LoginKey::InAgent(key) => LoginKey::InAgent(key),
        };
        Ok(KeyRing { key, other: None })
    }
}

impl Here {
    /// Reads the files, and asks the agent where it is named, or where a key is in no file.
    async fn look(settings: &Settings, path: &Path, keys: &Keys) -> Result<Self, Failure> {
        let agent_first = settings.ssh_key.is_some();
        let mut here = Self { files: files(path)?, agent: Vec::new(), agent_first };
        if agent_first || settings.next_ssh_key.is_some() {
            here.agent = in_agent(settings).await?;
            return Ok(here);
        }
        let fleets = keys.others.iter().filter(|key| key.is_fleets).map(|key| &key.public);
        for public in [&keys.fleet].into_iter().chain(fleets).filter(|public| !public.is_empty()) {
            if here.find(public)?.is_none() && settings.agent.is_some() {
                // an agent that is no help is one without the key
                here.agent = in_agent(settings).await.unwrap_or_default();
                break;
            }
        }
        Ok(here)
    }

    /// The key with this public half, and its file.
    fn find(&self, public: &str) -> Result<Option<(LoginKey, Option<PathBuf>)>, Failure> {
        let mut found = Vec::new();
        for (pair, file) in &self.files {
            if pair.bare_public()? == public {
                found.push((LoginKey::Here(pair.clone()), Some(file.clone())));
            }
        }
        for key in &self.agent {
            if key.bare_public()? == public {
                found.push((LoginKey::InAgent(key.clone()), None));
            }
        }
        Ok(if self.agent_first { found.pop() } else { found.into_iter().next() })
    }

    /// The key that is to follow the fleet's own or was before it, by the state or the settings; else what is in the other file.
    fn other(&self, own: &str, settings: &Settings, keys: &Keys) -> Result<Option<LoginKey>, Failure> {
        let mut others: Vec<String> =
            keys.others.iter().filter(|key| key.is_fleets).map(|key| key.public.clone()).collect();
        if let Some(name) = &settings.next_ssh_key {
            others.push(choose(name, &self.agent)?.bare_public()?);
        }
        for public in others.iter().filter(|public| *public != own) {
            if let Some((key, _)) = self.find(public)? {
                return Ok(Some(key));
            }
        }
        for (pair, _) in &self.files {
            if pair.bare_public()? != own {
                return Ok(Some(LoginKey::Here(pair.clone())));
            }
        }
        Ok(None)
    }
}

/// The key in the agent that the settings name, by that name.
pub(super) async fn named(name: &KeyName, settings: &Settings) -> Result<AgentKey, Refusal> {
    choose(name, &in_agent(settings).await?)
}

/// What the agent has.
async fn in_agent(settings: &Settings) -> Result<Vec<AgentKey>, Refusal> {
    let hint = "`eval \"$(ssh-agent)\"` starts one, and `ssh-add FILE` gives it the key";
    let Some(socket) = &settings.agent else {
        return Err(Refusal::new("no ssh-agent", hint).because("SSH_AUTH_SOCK is not set"));
    };
    let keys = Agent::at(socket).keys().await;
    keys.map_err(|why| {
        let hint = "SSH_AUTH_SOCK has to name the socket of a running ssh-agent";
        Refusal::new("the ssh-agent is no help", hint).because(format!("{:#}", anyhow::Error::new(why)))
    })
}

fn choose(name: &KeyName, keys: &[AgentKey]) -> Result<AgentKey, Refusal> {
    let mut found = keys.iter().filter(|key| name.means(&key.fingerprint(), &key.comment()));
    let (first, second) = (found.next(), found.next());
    let Some(key) = first else {
        let why = match keys.len() {
            0 => "it shows no key; so does one that is locked".to_owned(),
            _ => {
                let shown = keys.iter().map(|key| format!("{} {}", key.fingerprint(), key.comment()));
                format!("it has {}", shown.collect::<Vec<_>>().join(", "))
            }
        };
        let hint = "`ssh-add FILE` gives it a key, `ssh-add -X` unlocks it, `ssh-add -l` shows what it has";
        return Err(Refusal::new(format!("the ssh-agent has no {name}"), hint).because(why));
    };
    if second.is_some() {
        let hint = "name the one by its fingerprint, \"agent:SHA256:…\"; `ssh-add -l` shows it";
        return Err(Refusal::new(format!("the ssh-agent has several keys {name}"), hint));
    }
    match key.unfit() {
        None => Ok(key.clone()),
        Some(kind) => {
            let hint = "name an Ed25519 key; one on a security key can be added beside it: `clawberth keys add FILE`";
            Err(Refusal::new(format!("{name} cannot be the fleet's own key"), hint)
                .because(format!("it is of the type {kind}, and only ssh-ed25519 is taken")))
        }
    }
}

/// Whether a key that the settings name is the fleet's own, or is becoming it.
fn agrees(public: &str, keys: &Keys) -> Result<(), Refusal> {
    let is_fleets = keys.others.iter().any(|key| key.is_fleets && key.public == public);
    if keys.fleet.is_empty() || keys.fleet == public || is_fleets {
        return Ok(());
    }
    let hint =
        "`clawberth keys rotate` puts it in the place of the fleet's own; without `ssh_key` that one stays";
    Err(Refusal::new("`ssh_key` does not name the fleet's own key", hint)
        .because("the state knows another one, with which the servers were made"))
}

/// Where the operator's key lies: beside the state, which holds no secret.
pub(super) fn key_path(settings: &Settings, fleet: &FleetId) -> Result<PathBuf, Refusal> {
    beside(settings, fleet, "ssh_key")
}

fn lost(path: &Path) -> Refusal {
    let hint = format!("put {} back; without it nobody can log in to the servers", path.display());
    let why = format!("{} does not exist, and no ssh-agent has it", path.display());
    Refusal::new("the fleet's SSH key is gone", hint).because(why)
}

/// Reads a key, where there is one.
pub(super) fn read_key(path: &Path) -> Result<Option<KeyPair>, Failure> {
    let what = || format!("cannot read the fleet's SSH key {}", path.display());
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(KeyPair::parse(&text).with_context(what)?)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(anyhow::Error::new(error).context(what()).into()),
    }
}

/// The keys that lie in files: the fleet's own, and the one that is to follow it.
fn files(path: &Path) -> Result<Vec<(KeyPair, PathBuf)>, Failure> {
    let mut found = Vec::new();
    for path in [path.to_owned(), next_path(path)] {
        if let Some(pair) = read_key(&path)? {
            found.push((pair, path));
        }
    }
    Ok(found)
}

/// Where the key lies that is to follow the fleet's own.
fn next_path(path: &Path) -> PathBuf {
    with_ending(path, "next")
}

/// The key that is to follow the fleet's own, where one was made.
pub(super) fn read_next(settings: &Settings, fleet: &FleetId) -> Result<Option<KeyPair>, Failure> {
    read_key(&next_path(&key_path(settings, fleet)?))
}

/// Writes down the key that is to follow the fleet's own beside another place; the one that is kept there.
pub(super) fn keep_next_beside(
    settings: &Settings,
    fleet: &FleetId,
    pair: KeyPair,
) -> Result<KeyPair, Failure> {
    keep_key(&next_path(&key_path(settings, fleet)?), pair)
}

/// Writes down the key that is to follow the fleet's own.
pub(super) async fn keep_next(settings: &Settings, pair: KeyPair, context: &Context) -> Result<(), Failure> {
    let fleet = Fleet::find(settings, context).await?;
    let public = pair.bare_public()?;
    let kept = keep_next_beside(settings, &fleet.id, pair)?;
    if kept.bare_public()? == public {
        return Ok(());
    }
    let what = "another process has begun to replace the fleet's key";
    Err(Refusal::new(what, "run the command again when it is done").into())
}

/// Puts the fleet's own key into the file for it, in place of the one before, once no server may know that one any more; or, where its
/// own is in an agent, removes the file of the one before.
pub(super) async fn finish_keys(
    before: Option<&str>,
    settings: &Settings,
    context: &Context,
) -> Result<(), Failure> {
    let fleet = Fleet::find(settings, context).await?;
    let path = key_path(settings, &fleet.id)?;
    if fleet.keys.others.iter().any(|key| key.is_fleets) {
        return Ok(());
    }
    match &fleet.own()?.file {
        Some(file) if *file == path => {}
        Some(file) => {
            let what = || format!("cannot write the fleet's SSH key {}", path.display());
            std::fs::rename(file, &path).with_context(what)?;
        }
        None => forget(&path, before.unwrap_or_default())?,
    }
    Ok(())
}

/// Removes a file if it has this key.
fn forget(path: &Path, public: &str) -> Result<(), Failure> {
    let kept = read_key(path)?.map(|pair| pair.bare_public()).transpose()?;
    if kept.is_some_and(|kept| kept == public) {
        std::fs::remove_file(path).with_context(|| format!("cannot remove {}", path.display()))?;
    }
    Ok(())
}

/// Removes the key that was to follow the fleet's own, if it is this one and was given up.
pub(super) async fn forget_next(settings: &Settings, public: &str, context: &Context) -> Result<(), Failure> {
    let fleet = Fleet::find(settings, context).await?;
    let path = next_path(&key_path(settings, &fleet.id)?);
    let is_own = fleet.own()?.file.as_ref() == Some(&path);
    if !is_own && !fleet.keys.others.iter().any(|key| key.public == public) {
        forget(&path, public)?;
    }
    Ok(())
}

/// Writes the key once, whole or not at all, and gives the one that is kept: of two commands that begin a fleet at the
/// same moment, the key of the first.
pub(super) fn keep_key(path: &Path, key: KeyPair) -> Result<KeyPair, Failure> {
    if let Some(kept) = read_key(path)? {
        return Ok(kept);
    }
    let new = with_ending(path, &std::process::id().to_string());
    let what = || format!("cannot write the fleet's SSH key {}", path.display());
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(what)?;
    }
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
    let linked = std::fs::hard_link(&new, path);
    std::fs::remove_file(&new).with_context(what)?;
    match linked {
        Ok(()) => Ok(key),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(read_key(path)?.unwrap_or(key)),
        Err(error) => Err(anyhow::Error::new(error).context(what()).into()),
    }
}
