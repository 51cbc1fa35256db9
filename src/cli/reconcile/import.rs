//! `clawberth reconcile --import`: a lost state, written anew from the labels in the project and from the hosts.

mod claim;

use anyhow::Context as _;
use futures_util::stream::{self, StreamExt as _};
use serde_json::{Value, json};

use super::super::context::Context;
use super::super::own_key::{key_path, named, read_key};
use super::super::{Failure, Status, record};
use crate::config::Settings;
use crate::hcloud::{self, Client};
use crate::host::born::Born;
use crate::host::{look, outside};
use crate::model::fleet::{DOMAIN, FleetId, OPENCLAW, OpId};
use crate::model::instance::{Instance, InstanceSpec, Stage};
use crate::model::refusal::Refusal;
use crate::model::release::Release;
use crate::registry::Catalogue;
use crate::ssh::{LoginKey, Target};
use crate::store::Store;
use crate::ui::{counted, table};
use claim::{Claim, Left};

/// The port of SSH.
const SSH_PORT: u16 = 22;
/// The image of a server whose own is gone, so that nobody can say.
const IMAGE: &str = "debian-13";

/// A server that is going to be written, and why not all of it could be seen.
struct Taken {
    instance: Instance,
    op: Option<OpId>,
    unseen: Option<String>,
}

pub(super) async fn run(
    named: Option<&str>,
    yes: bool,
    client: &Client,
    settings: &Settings,
    context: &mut Context,
) -> Result<Status, Failure> {
    let known = known(settings).await?;
    let named = named.or(known.as_ref().map(|(fleet, _)| fleet.as_str()));
    let found = client.servers(&FleetId::any()).await.context("cannot see what is in the project")?;
    let Some((fleet, mut servers)) = claim::choose(named, found)? else {
        context.ui.note("nothing to import: no server of the project bears clawberth's labels");
        return Ok(Status::Success);
    };
    if let Some((known, instances)) = known {
        if known != fleet {
            let hint = "name another file with --state";
            return Err(Refusal::new(format!("the state is of fleet {known}, not of {fleet}"), hint).into());
        }
        // an import that was killed goes on where it stopped
        servers.retain(|server| !instances.iter().any(|instance| claim::is_of(server, instance)));
    }
    if servers.is_empty() {
        context.ui.note("nothing to import: the state knows every server of the fleet");
        return Ok(Status::Success);
    }
    let key = own_key(settings, &fleet).await?;
    let (claims, mut left) = claim::all(&fleet, servers);
    let looks = claims.into_iter().map(|claim| look_at(claim, &key, settings));
    let looked: Vec<Result<Taken, Left>> = stream::iter(looks).buffered(look::SIDE_BY_SIDE).collect().await;
    let mut taken = Vec::new();
    for result in looked {
        match result {
            Ok(one) => taken.push(one),
            Err(one) => left.push(one),
        }
    }
    show(&fleet, &taken, &left, context)?;
    if taken.is_empty() || !yes && !agreed(taken.len(), settings, context)? {
        return Ok(Status::Failed);
    }
    write(fleet, &taken, settings, context).await?;
    context.ui.note(&format!("written to {}", settings.state));
    context.ui.note("next: `clawberth reconcile` compares it with cloud and hosts");
    Ok(if left.is_empty() { Status::Success } else { Status::Failed })
}

/// The fleet and the instances of a state that is there.
async fn known(settings: &Settings) -> Result<Option<(FleetId, Vec<Instance>)>, Failure> {
    match Store::open_existing(&settings.state).await? {
        Some(store) => Ok(Some((store.fleet().clone(), store.instances().await?))),
        None => Ok(None),
    }
}

/// The key that the settings name, else the one in the file.
async fn own_key(settings: &Settings, fleet: &FleetId) -> Result<LoginKey, Failure> {
    if let Some(name) = &settings.ssh_key {
        return Ok(LoginKey::InAgent(named(name, settings).await?));
    }
    let path = key_path(settings, fleet)?;
    let hint = format!("put its copy to {}; without it nobody can log in to the servers", path.display());
    let none = || Refusal::new("the fleet's SSH key is not there", hint);
    Ok(LoginKey::Here(read_key(&path)?.ok_or_else(none)?))
}

/// Looks at the host, with the key that is pinned by its label.
async fn look_at(claim: Claim, key: &LoginKey, settings: &Settings) -> Result<Taken, Left> {
    let target = Target {
        address: claim.server.ipv4.into(),
        port: SSH_PORT,
        user: "root".to_owned(),
        keys: vec![key.clone()],
        host_keys: claim.server.host_keys().into_iter().map(str::to_owned).collect(),
        signer: claim.server.signer().map(str::to_owned),
    };
    let (born, unseen) = match look::born(&target).await {
        Ok(born) => (born, None),
        Err(error) => (None, Some(error.to_string())),
    };
    let Some(release) = release(born.as_ref(), &claim.found) else {
        let why = unseen.unwrap_or_else(|| "nobody knows its release".to_owned());
        return Err(Left { name: claim.name.to_string(), why });
    };
    let spec = spec(&claim, born.as_ref(), release);
    let Claim { name, op, mut server, found } = claim;
    // nobody but the server knows whether it has made the key that it shows, or is still to show another one
    if unseen.is_none()
        && let Ok(Some(own)) = look::own_host_key(&target).await
    {
        server.birth_key = own.signed_by([server.host_key.as_str()]).map(str::to_owned);
        let to_come = server.next_host_key.take().filter(|next| *next != own.key);
        server.shows_its_own(own.key);
        server.next_host_key = to_come;
    }
    let stage = if unseen.is_some() { Stage::Created(server) } else { Stage::Trusted(server) };
    let mut instance = Instance { name, spec, stage, created: found.created };
    if unseen.is_none() && serves(&instance, settings).await {
        instance.stage = match instance.stage {
            Stage::Trusted(server) => Stage::Serving(server),
            other => other,
        };
    }
    Ok(Taken { instance, op, unseen })
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
        enacted: None,
    }
}

async fn serves(instance: &Instance, settings: &Settings) -> bool {
    match outside::Gate::of(instance, settings.acme_root.as_deref()) {
        Ok(Some(gate)) => gate.check_once().await.iter().all(|(_, found)| found.is_ok()),
        Ok(None) | Err(_) => false,
    }
}

fn show(fleet: &FleetId, taken: &[Taken], left: &[Left], context: &mut Context) -> Result<(), Failure> {
    let mut rows = vec![record::heading()];
    rows.extend(taken.iter().map(|one| record::row(&one.instance)));
    let unseen = taken.iter().filter_map(|one| Some((&one.instance.name, one.unseen.as_ref()?)));
    let unseen = unseen.map(|(name, why)| format!("{name} was not seen: {why}"));
    let left_out = left.iter().map(|one| format!("{} is left out: {}", one.name, one.why));
    let notes: Vec<String> = unseen.chain(left_out).collect();
    let taken: Vec<Value> = taken.iter().map(|one| record::json(&one.instance)).collect();
    let left: Vec<Value> = left.iter().map(|one| json!({ "name": one.name, "why": one.why })).collect();
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
    context.agreed(&format!("{what}?"), &what, "say --yes")
}

/// Writes the state: first what makes the servers known again, then the instances.
async fn write(
    fleet: FleetId,
    taken: &[Taken],
    settings: &Settings,
    context: &Context,
) -> Result<(), Failure> {
    let now = context.clock.now();
    let store = Store::open(&settings.state, &fleet, context.session()).await?;
    for Taken { instance, op, .. } in taken {
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
