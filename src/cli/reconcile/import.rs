//! `clawberth reconcile --import`: a lost state, written anew from the labels in the project and from the hosts.

use std::collections::BTreeMap;

use anyhow::Context as _;
use futures_util::stream::{self, StreamExt as _};
use serde_json::json;

use super::super::context::Context;
use super::super::fleet::{key_path, read_key};
use super::super::{Failure, Status, record};
use crate::config::Settings;
use crate::hcloud::{self, Client};
use crate::host::born::Born;
use crate::host::{look, outside};
use crate::model::fleet::{DOMAIN, FLEET, FleetId, HOST_KEY, INSTANCE, OPENCLAW, OpId};
use crate::model::host_key;
use crate::model::instance::{Instance, InstanceSpec, Server, Stage};
use crate::model::name::InstanceName;
use crate::model::refusal::Refusal;
use crate::model::release::Release;
use crate::observe;
use crate::registry::Catalogue;
use crate::ssh::{KeyPair, Target};
use crate::store::Store;
use crate::ui::{counted, table};

/// The port of SSH.
const SSH_PORT: u16 = 22;
/// What a label selector cannot say of a server whose image is gone.
const IMAGE: &str = "debian-13";

/// What the labels of one server say.
struct Claim {
    name: InstanceName,
    op: Option<OpId>,
    server: Server,
    found: hcloud::Server,
}

/// One server's way into the state.
enum Import {
    /// It is going to be written; and why not all of it could be seen.
    Taken { instance: Instance, op: Option<OpId>, unseen: Option<String> },
    /// It cannot be; why.
    Left { name: String, why: String },
}

pub(super) async fn run(
    named: Option<&str>,
    yes: bool,
    client: &Client,
    settings: &Settings,
    context: &mut Context,
) -> Result<Status, Failure> {
    let known = known_fleet(settings).await?;
    let found = client.servers(&FleetId::any()).await.context("cannot see what is in the project")?;
    let Some((fleet, servers)) = choose(named.or(known.as_ref().map(FleetId::as_str)), found)? else {
        context.ui.note("nothing to import: no server of the project bears clawberth's labels");
        return Ok(Status::Success);
    };
    if let Some(known) = known.filter(|known| *known != fleet) {
        let hint = "name another file with --state";
        return Err(Refusal::new(format!("the state is of fleet {known}, not of {fleet}"), hint).into());
    }
    let path = key_path(settings, &fleet)?;
    let key = read_key(&path)?.ok_or_else(|| no_key(&path))?;
    let imports = claims(servers).into_iter().map(|claim| import(claim, &key, settings));
    let imports: Vec<Import> = stream::iter(imports).buffered(look::SIDE_BY_SIDE).collect().await;
    let (taken, left): (Vec<_>, Vec<_>) =
        imports.into_iter().partition(|import| matches!(import, Import::Taken { .. }));
    show(&fleet, taken.iter().chain(&left), context)?;
    let complete = left.is_empty();
    let taken: Vec<(Instance, Option<OpId>)> = taken.into_iter().filter_map(Import::taken).collect();
    if taken.is_empty() || !yes && !agreed(taken.len(), settings, context)? {
        return Ok(Status::Failed);
    }
    write(fleet, &taken, settings, context).await?;
    context.ui.note(&format!("written to {}", settings.state));
    context.ui.note("next: `clawberth reconcile` compares it with cloud and hosts");
    Ok(if complete { Status::Success } else { Status::Failed })
}

impl Import {
    fn taken(self) -> Option<(Instance, Option<OpId>)> {
        match self {
            Self::Taken { instance, op, .. } => Some((instance, op)),
            Self::Left { .. } => None,
        }
    }
}

/// The fleet of a state without instances; one with instances is not lost.
async fn known_fleet(settings: &Settings) -> Result<Option<FleetId>, Failure> {
    let Some(store) = Store::open_existing(&settings.state).await? else {
        return Ok(None);
    };
    if store.instances().await?.is_empty() {
        return Ok(Some(store.fleet().clone()));
    }
    let what = format!("the state {} has instances", settings.state);
    let hint = "`clawberth reconcile` compares it with the cloud; to import all the same, name a new file with --state";
    Err(Refusal::new(what, hint).into())
}

/// The servers of the fleet that is meant: the named one, or the only one.
fn choose(
    named: Option<&str>,
    found: Vec<hcloud::Server>,
) -> Result<Option<(FleetId, Vec<hcloud::Server>)>, Refusal> {
    let mut fleets: BTreeMap<String, Vec<hcloud::Server>> = BTreeMap::new();
    for server in found {
        if let Some(fleet) = server.labels.get(FLEET) {
            fleets.entry(fleet.clone()).or_default().push(server);
        }
    }
    let told = |fleets: &BTreeMap<String, Vec<hcloud::Server>>| {
        let line = |(fleet, servers): (&String, &Vec<hcloud::Server>)| {
            let names: Vec<&str> =
                servers.iter().filter_map(|server| server.labels.get(INSTANCE)).map(String::as_str).collect();
            format!("{fleet} ({})", names.join(", "))
        };
        fleets.iter().map(line).collect::<Vec<_>>().join("; ")
    };
    match named {
        Some(named) => match fleets.remove(named) {
            Some(servers) => Ok(Some((FleetId::stored(named.to_owned()), servers))),
            None if fleets.is_empty() => Ok(None),
            None => Err(Refusal::new(format!("no server is of fleet {named}"), "name one of these")
                .because(format!("the project has {}", told(&fleets)))),
        },
        None if fleets.len() > 1 => {
            let hint = "say which: `clawberth reconcile --import FLEET`";
            Err(Refusal::new("the project has several fleets", hint).because(told(&fleets)))
        }
        None => Ok(fleets.pop_first().map(|(fleet, servers)| (FleetId::stored(fleet), servers))),
    }
}

fn no_key(path: &std::path::Path) -> Refusal {
    let hint = format!("put its copy to {}; without it nobody can log in to the servers", path.display());
    Refusal::new("the fleet's SSH key is not there", hint)
}

/// What the labels say of each server; of two of one instance, the one that was made first.
fn claims(mut servers: Vec<hcloud::Server>) -> Vec<Result<Claim, Import>> {
    servers.sort_by_key(|server| server.id);
    let mut seen = std::collections::BTreeSet::new();
    let mut claims: Vec<_> = Vec::new();
    for server in servers {
        claims.push(match claim(server) {
            Ok(claim) if !seen.insert(claim.name.clone()) => {
                let why = format!("server {} is its second one; `reconcile` deletes it", claim.server.id);
                Err(Import::Left { name: claim.name.to_string(), why })
            }
            other => other,
        });
    }
    claims
}

fn claim(found: hcloud::Server) -> Result<Claim, Import> {
    let left = |why: &str| {
        let name = found.labels.get(INSTANCE).cloned().unwrap_or_else(|| found.name.clone());
        Import::Left { name, why: format!("server {} {why}", found.id) }
    };
    let name = found.labels.get(INSTANCE).and_then(|name| name.parse().ok());
    let name: InstanceName = name.ok_or_else(|| left("has no label with its instance"))?;
    let key = found.labels.get(HOST_KEY).and_then(|label| host_key::from_label(label));
    let host_key = key.ok_or_else(|| left("has no label with its host key"))?;
    let facts = observe::server(&found);
    let ipv4 = facts.ipv4.ok_or_else(|| left("has no IPv4 address"))?;
    let server = Server { id: facts.id, ipv4, ipv6: facts.ipv6, location: facts.location, host_key };
    Ok(Claim { name, op: facts.op, server, found })
}

async fn import(claim: Result<Claim, Import>, key: &KeyPair, settings: &Settings) -> Import {
    let claim = match claim {
        Ok(claim) => claim,
        Err(left) => return left,
    };
    let target = Target {
        address: claim.server.ipv4.into(),
        port: SSH_PORT,
        user: "root".to_owned(),
        key: key.clone(),
        host_key: claim.server.host_key.clone(),
    };
    let (born, unseen) = match look::born(&target).await {
        Ok(born) => (born, None),
        Err(error) => (None, Some(error.to_string())),
    };
    let Some(release) = release(born.as_ref(), &claim.found) else {
        let why = unseen.unwrap_or_else(|| "nobody knows its release".to_owned());
        return Import::Left { name: claim.name.to_string(), why };
    };
    let spec = spec(&claim, born.as_ref(), release);
    let Claim { name, op, server, found } = claim;
    let stage = if unseen.is_some() { Stage::Created(server) } else { Stage::Trusted(server) };
    let mut instance = Instance { name, spec, stage, created: found.created };
    if unseen.is_none() && serves(&instance, settings).await {
        instance.stage = match instance.stage {
            Stage::Trusted(server) => Stage::Serving(server),
            other => other,
        };
    }
    Import::Taken { instance, op, unseen }
}

/// The release as the host knows it, else as the label names it and the catalogue knows it.
fn release(born: Option<&Born>, found: &hcloud::Server) -> Option<Release> {
    if let Some(born) = born {
        return Some(born.release.clone());
    }
    let version = found.labels.get(OPENCLAW)?.parse().ok()?;
    Catalogue::built_in().ok()?.find(version).cloned()
}

fn spec(claim: &Claim, born: Option<&Born>, release: Release) -> InstanceSpec {
    let found = &claim.found;
    let on_label = || found.labels.get(DOMAIN).cloned();
    InstanceSpec {
        server_type: found.server_type.name.clone(),
        locations: vec![found.location.name.clone()],
        image: found.image.as_ref().and_then(|image| image.name.clone()).unwrap_or_else(|| IMAGE.to_owned()),
        release,
        domain: born.map_or_else(on_label, |born| born.domain(&claim.name)),
    }
}

async fn serves(instance: &Instance, settings: &Settings) -> bool {
    match outside::Gate::of(instance, settings.acme_root.as_deref()) {
        Ok(Some(gate)) => gate.check_once().await.iter().all(|(_, found)| found.is_ok()),
        Ok(None) | Err(_) => false,
    }
}

fn show<'a>(
    fleet: &FleetId,
    imports: impl Iterator<Item = &'a Import>,
    context: &mut Context,
) -> Result<(), Failure> {
    let (mut taken, mut left, mut rows) = (Vec::new(), Vec::new(), vec![record::heading()]);
    let mut notes = Vec::new();
    for import in imports {
        match import {
            Import::Taken { instance, unseen, .. } => {
                taken.push(record::json(instance));
                rows.push(record::row(instance));
                notes.extend(unseen.iter().map(|why| format!("{} was not seen: {why}", instance.name)));
            }
            Import::Left { name, why } => {
                left.push(json!({ "name": name, "why": why }));
                notes.push(format!("{name} is left out: {why}"));
            }
        }
    }
    if context.ui.style().json {
        context.ui.json(&json!({ "fleet": fleet, "instances": taken, "left_out": left }))?;
    } else if rows.len() > 1 {
        context.ui.answer(&table(&rows))?;
    }
    for note in notes {
        context.ui.complain(&note);
    }
    Ok(())
}

fn agreed(number: usize, settings: &Settings, context: &mut Context) -> Result<bool, Failure> {
    let instances = counted(number, "instance");
    let what = format!("write {instances} to {}", settings.state);
    match context.ui.confirm(&format!("{what}?"))? {
        Some(true) => Ok(true),
        Some(false) => {
            context.ui.note("nothing was done");
            Ok(false)
        }
        None => Err(Refusal::new(format!("this would {what}, and nobody can be asked"), "say --yes").into()),
    }
}

/// Writes the state: first what makes the servers known again, then the instances.
async fn write(
    fleet: FleetId,
    taken: &[(Instance, Option<OpId>)],
    settings: &Settings,
    context: &Context,
) -> Result<(), Failure> {
    let now = context.clock.now();
    let store = Store::open(&settings.state, &fleet, context.session()).await?;
    for (instance, op) in taken {
        let lease = store.lease(instance.name.as_str(), &now, |_| {}).await?;
        if let (Some(op), Some(server)) = (op, instance.stage.server())
            && store.host_key_of(op, &instance.name).await?.is_none()
        {
            lease.put_creation(op, &server.host_key, &now).await?;
        }
        lease.put(instance).await?;
    }
    store.close().await?;
    Ok(())
}
