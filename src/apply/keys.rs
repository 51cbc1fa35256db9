//! Steps that bring keys to a server and take them away, and those that write down how far all have got.

use anyhow::{Context as _, Result, bail, ensure};

use super::instance::Done;
use super::line::{COMMAND, Line, target};
use super::{World, polling};
use crate::host::keys;
use crate::model::instance::{Instance, Outcome, Stage};
use crate::model::operator_key::{Admitted, Keys, OperatorKey};
use crate::model::refusal::Refusal;
use crate::ssh::{LoginKey, Session, SshError, Target};
use crate::store::Lease;

pub(super) async fn give(lines: &[String], instance: &Instance, world: &World) -> Result<Done> {
    world.doing(instance, "bringing keys");
    let target = target(instance, world)?;
    let output = world.stop.or(Line::new(&target).run(&keys::give(lines), &mut polling(COMMAND))).await?;
    let seen = keys::parse(&output)?;
    Ok(Done::new(Outcome::KeysSeen(seen), "keys brought"))
}

pub(super) async fn prove(public: &str, instance: &Instance, world: &World) -> Result<Done> {
    world.doing(instance, "logging in with the new key");
    let missing = "the key that is to be the fleet's own is not here";
    let next = world.keys.other.clone().context(missing)?;
    ensure!(next.bare_public()? == public, missing);
    let target = Target { keys: vec![next], ..target(instance, world)? };
    world.stop.or(until_let_in(&target)).await?;
    Ok(Done::new(Outcome::KeyProved, "the new key logs in"))
}

/// Logs in with the fleet's own key, which is so seen to be let in; then the others go.
pub(super) async fn take(gone: &[String], instance: &Instance, world: &World) -> Result<Done> {
    world.doing(instance, "taking keys away");
    let own = world.keys.key.clone();
    let kept = own.bare_public()?;
    ensure!(!gone.contains(&kept), "the key that logs in would be taken away");
    let target = Target { keys: vec![own], ..target(instance, world)? };
    let command = keys::take(&kept, gone);
    let output = world.stop.or(Line::new(&target).run(&command, &mut polling(COMMAND))).await?;
    let seen = keys::parse(&output)?;
    if let Some(left) = gone.iter().find(|key| seen.contains(*key)) {
        bail!("the server still lets in {left}");
    }
    // of others only the public half is known
    let line = match &world.keys.other {
        Some(before) if gone.contains(&before.bare_public()?) => {
            world.stop.or(until_refused(before, &target)).await?;
            "the key before is refused"
        }
        Some(_) | None => "keys taken away",
    };
    Ok(Done::new(Outcome::KeysSeen(seen), line))
}

async fn attempt(target: &Target) -> Result<(), SshError> {
    Session::connect(target).await?.close().await;
    Ok(())
}

async fn until_let_in(target: &Target) -> Result<()> {
    let mut pauses = polling(COMMAND);
    loop {
        let seen = match attempt(target).await {
            Ok(()) => return Ok(()),
            Err(error) if error.is_final() => return Err(error.into()),
            Err(error) => error.to_string(),
        };
        pauses.pause().await.with_context(|| format!("the new key does not log in: {seen}"))?;
    }
}

async fn until_refused(key: &LoginKey, target: &Target) -> Result<()> {
    let target = Target { keys: vec![key.clone()], ..target.clone() };
    let mut pauses = polling(COMMAND);
    loop {
        let seen = match attempt(&target).await {
            Err(SshError::Refused { .. }) => return Ok(()),
            Ok(()) => "it logs in".to_owned(),
            Err(error) if error.is_final() => return Err(error.into()),
            Err(error) => error.to_string(),
        };
        pauses.pause().await.with_context(|| format!("the key before is not seen refused: {seen}"))?;
    }
}

/// Writes down how far a key has got.
pub(super) async fn note(key: &OperatorKey, lease: &Lease, world: &World) -> Result<String> {
    let keys = world.store.keys().await?;
    let other = keys.others.iter().any(|known| known.is_fleets && known.public != key.public);
    ensure!(!(key.is_fleets && other), "the fleet's key is being replaced by another one");
    lease.put_keys(&keys.with(key.clone())).await?;
    Ok(format!("key is {}", key.status.words()))
}

/// Makes a key the fleet's own, if every server that there is by now lets it in.
pub(super) async fn succeed(public: &str, lease: &Lease, world: &World) -> Result<String> {
    let servers = servers(world).await?;
    let lacks = |admitted: &Admitted| !admitted.as_ref().is_some_and(|known| known.contains(public));
    if let Some((name, _)) = servers.iter().find(|(_, admitted)| lacks(admitted)) {
        return Err(late(name));
    }
    let keys = world.store.keys().await?;
    ensure!(
        keys.fleet == public || keys.others.iter().any(|key| key.public == public && key.is_fleets),
        "the state does not know the key that is to be the fleet's own"
    );
    lease.put_keys(&keys.succeeded_by(public, &world.store.fleet().common_name())).await?;
    Ok("new key in use".to_owned())
}

/// Writes down what all servers let in, and forgets what none does.
pub(super) async fn settle(lease: &Lease, world: &World) -> Result<String> {
    let servers = servers(world).await?;
    let all: Vec<&Admitted> = servers.iter().map(|(_, admitted)| admitted).collect();
    let keys = world.store.keys().await?.settled(&all);
    lease.put_keys(&keys).await?;
    let unfinished = |(_, admitted): &&(String, Admitted)| has_to_change(&keys, admitted);
    match servers.iter().find(unfinished) {
        Some((name, _)) => Err(late(name)),
        None => Ok("all servers let in the same keys".to_owned()),
    }
}

fn has_to_change(keys: &Keys, admitted: &Admitted) -> bool {
    !keys.lacking(admitted).is_empty() || !keys.excess(admitted).is_empty()
}

/// What every server that stays lets in, by its instance.
async fn servers(world: &World) -> Result<Vec<(String, Admitted)>> {
    let instances = world.store.instances().await?;
    let stays = |instance: &Instance| !matches!(instance.stage, Stage::Destroying(_) | Stage::Gone);
    let admitted = |instance: Instance| {
        let server = instance.stage.server().filter(|_| stays(&instance))?;
        Some((instance.name.to_string(), server.admitted.clone()))
    };
    Ok(instances.into_iter().filter_map(admitted).collect())
}

fn late(name: &str) -> anyhow::Error {
    let hint = "run the same command again; nobody is locked out meanwhile";
    Refusal::new(format!("the keys of {name} are not those of the others yet"), hint)
        .because("it came, or others worked on it, meanwhile")
        .into()
}
