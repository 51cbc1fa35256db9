//! Steps of an update. The server does the work, part by part; here it is told to, watched from outside, and believed.

use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::World;
use super::bake::{Trial, until_baked};
use super::downtime::Downtime;
use super::instance::{Done, Unanswered, told};
use super::line::{COMMAND, Line, target};
use crate::clock::human;
use crate::host::born;
use crate::host::outside::Gate;
use crate::host::update::{self, Part, Preflight, Switched};
use crate::model::instance::{Instance, Outcome};
use crate::model::observed::Releases;
use crate::model::release::{OpenClawVersion, Release};
use crate::render::Update;
use crate::ssh::Output;

/// How many releases stay on a server: the one in use, and one to go back to.
const KEPT: u8 = 2;
/// What stands on a server; one that was never updated keeps nothing.
pub(super) async fn releases(instance: &Instance, world: &World) -> Result<Releases> {
    let target = target(instance, world)?;
    let mut line = Line::new(&target);
    let output = line.part(Part::Status).await?;
    let born = match update::is_missing(&output) {
        true => Some(line.long(&born::release(), COMMAND).await?),
        false => None,
    };
    update::releases(&output, born.as_ref())
}

pub(super) async fn equip(
    release: &Release,
    dead_man: u32,
    instance: &Instance,
    world: &World,
) -> Result<Done> {
    let update = Update {
        release: release.clone(),
        domain: instance.spec.host_name(&instance.name),
        node_mirror: world.birth.node_mirror.clone(),
        revert_after: dead_man,
    };
    let target = target(instance, world)?;
    let output = Line::new(&target).long(&update::send(&update)?, COMMAND).await?;
    ensure!(output.status == 0, "the server cannot take the update: {}", output.stderr.trim());
    Ok(Done::new(Outcome::Equipped, "told how to update"))
}

pub(super) async fn survey(instance: &Instance, world: &World) -> Result<Done> {
    let preflight = Preflight::parse(&part(Part::Preflight, instance, world).await?)?;
    let problems = preflight.problems();
    ensure!(problems.is_empty(), "not begun: {}", problems.join("; "));
    let active = preflight.runs.map_or(0, |runs| runs.counts.total_active);
    let runs = if active == 0 { String::new() } else { format!(", {active} tasks run") };
    Ok(Done::new(Outcome::Surveyed, format!("nothing speaks against it{runs}")))
}

pub(super) async fn stage(instance: &Instance, world: &World) -> Result<Done> {
    let output = world.stop.or(part(Part::Stage, instance, world)).await?;
    let migration = match update::migration(&output)? {
        Some(schemas) => {
            format!("; it takes the databases from schema {schemas}, and only their copy goes back")
        }
        None => String::new(),
    };
    Ok(Done::new(Outcome::Staged, format!("installed beside the release in use{migration}")))
}

pub(super) async fn rehearse(instance: &Instance, world: &World) -> Result<Done> {
    world.stop.or(part(Part::Rehearse, instance, world)).await?;
    Ok(Done::new(Outcome::Rehearsed, "rehearsed on a copy of the state"))
}

pub(super) async fn switch(version: OpenClawVersion, instance: &Instance, world: &World) -> Result<Done> {
    let (switched, unseen) = change(Part::Switch, version, instance, world).await?;
    ensure!(switched.serving == version, "the server went to {}, not {version}", switched.serving);
    Ok(Done::new(Outcome::Switched, format!("switched to OpenClaw {version}; {}", told(unseen)))
        .unanswered(unseen))
}

pub(super) async fn roll_back(version: OpenClawVersion, instance: &Instance, world: &World) -> Result<Done> {
    let (switched, unseen) = change(Part::Rollback(version), version, instance, world).await?;
    let aside = switched.lost_since.map(|since| format!(", what was written since {since} is set aside"));
    let line = format!("back at OpenClaw {version}{}; {}", aside.unwrap_or_default(), told(unseen));
    Ok(Done::new(Outcome::Switched, line).unanswered(unseen))
}

/// Another release takes over, under the eyes of somebody outside.
async fn change(
    part: Part,
    version: OpenClawVersion,
    instance: &Instance,
    world: &World,
) -> Result<(Switched, Duration)> {
    let downtime = Downtime::start(gate(version, instance, world)?);
    let output = self::part(part, instance, world).await;
    let unseen = downtime.end().await;
    let switched = output.and_then(|output| Switched::parse(part, &output));
    match switched {
        Ok(switched) => Ok((switched, unseen)),
        Err(error) => {
            let what = format!("OpenClaw {version}");
            Err(error.context(Unanswered { what, time: unseen }))
        }
    }
}

/// Sees that a release serves, from outside and on the server, all the time.
pub(super) async fn bake(
    version: OpenClawVersion,
    watch: Duration,
    instance: &Instance,
    world: &World,
) -> Result<Done> {
    world.doing(instance, format!("watching OpenClaw {version} for {}", human(watch)));
    let gate = gate(version, instance, world)?;
    let target = target(instance, world)?;
    world.stop.or(until_baked(Trial::Release(version), &gate, watch, &mut Line::new(&target))).await?;
    Ok(Done::new(Outcome::Served, format!("serves OpenClaw {version}")))
}

/// Confirms over a new connection: who can log in now can do so later. What a server says of itself is written down only where
/// it is what was sent to it; a release that it kept is known to nobody else.
pub(super) async fn keep(
    version: OpenClawVersion,
    sent: Option<&Release>,
    instance: &Instance,
    world: &World,
) -> Result<Done> {
    let target = target(instance, world)?;
    let mut line = Line::new(&target);
    let part = Part::Confirm(version);
    update::ended(part, &line.part(part).await?)?;
    let born = born::parse(&line.long(&born::release(), COMMAND).await?)?;
    ensure!(born.release.openclaw == version, "the server is set up for {}", born.release.openclaw);
    let is_sent = sent.is_none_or(|release| *release == born.release);
    ensure!(
        is_sent,
        "the server says that it is set up for {version} with another hash or Node than was sent to it"
    );
    Ok(Done::new(Outcome::Kept(born.release), format!("OpenClaw {version} stays")))
}

pub(super) async fn relabel(version: OpenClawVersion, instance: &Instance, world: &World) -> Result<Done> {
    super::guard::relabel(version, instance, world).await?;
    Ok(Done::new(Outcome::Labelled, "labels set"))
}

pub(super) async fn prune(instance: &Instance, world: &World) -> Result<Done> {
    part(Part::Prune(KEPT), instance, world).await?;
    Ok(Done::new(Outcome::Pruned, format!("keeps {KEPT} releases")))
}

pub(super) async fn revert(instance: &Instance, world: &World) -> Result<Done> {
    part(Part::Revert, instance, world).await?;
    let release = &instance.spec.release.openclaw;
    Ok(Done::new(Outcome::Reverted, format!("back at OpenClaw {release}, with its state")))
}

/// Brings the server and what the state says of it together.
pub(super) async fn settle(instance: &Instance, world: &World) -> Result<Done> {
    let seen = releases(instance, world).await?;
    if seen.trial.is_some() {
        return revert(instance, world).await;
    }
    let version = seen.serving;
    let target = target(instance, world)?;
    let born = born::parse(&Line::new(&target).long(&born::release(), COMMAND).await?)?;
    ensure!(born.release.openclaw == version, "the server is set up for {}", born.release.openclaw);
    super::guard::relabel(version, instance, world).await?;
    Ok(Done::new(Outcome::Kept(born.release), format!("OpenClaw {version} is what it runs")))
}

/// Runs a part that has to end well.
async fn part(part: Part, instance: &Instance, world: &World) -> Result<Output> {
    world.doing(instance, part.to_string());
    let target = target(instance, world)?;
    let output = Line::new(&target).part(part).await?;
    update::ended(part, &output)?;
    Ok(output)
}

pub(super) fn gate(version: OpenClawVersion, instance: &Instance, world: &World) -> Result<Gate> {
    let gate = Gate::of(instance, world.acme_root.as_deref())?.context("the instance has no address")?;
    Ok(gate.expecting(version))
}
