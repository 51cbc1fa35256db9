//! Steps of a policy. The server does the work; here it is told to, watched from outside, and believed.

use std::time::Duration;

use anyhow::{Result, ensure};
use tokio::time::Instant;

use super::World;
use super::downtime::Downtime;
use super::instance::{Done, Unanswered, told};
use super::line::{Line, target};
use super::update::{LOOK, UNSEEN, gate, seen};
use crate::clock::human;
use crate::host::outside::Gate;
use crate::host::policy::{Part, asked};
use crate::model::fleet::OpId;
use crate::model::instance::{Instance, Outcome};
use crate::model::policy::{Enacted, Enactment, Policy};
use crate::plan::policy::patch;
use crate::ssh::Output;

pub(super) async fn enact(enactment: &Enactment, instance: &Instance, world: &World) -> Result<Done> {
    let Enactment { id, policy } = enactment;
    let nothing = Policy::default();
    let old = instance.spec.enacted.as_ref().map_or(&nothing, |enacted| &enacted.policy);
    let secrets = world.secrets.of(policy)?;
    let asked = asked(&patch(old, policy), secrets.iter().map(|(place, secret)| (place.as_str(), *secret)));
    world.doing(instance, Part::Enact.to_string());
    let target = target(instance, world)?;
    let downtime = Downtime::start(gate(instance.spec.release.openclaw, instance, world)?);
    let output = Line::new(&target).fed(&Part::Enact.command(id)?, asked.expose(), Part::Enact.limit()).await;
    let unseen = downtime.end().await;
    match output.and_then(|output| ended(Part::Enact, &output)) {
        Ok(()) => {
            Ok(Done::new(Outcome::Enacted, format!("policy in force; {}", told(unseen))).unanswered(unseen))
        }
        Err(error) => Err(error.context(Unanswered { what: "the policy".to_owned(), time: unseen })),
    }
}

/// Sees that the gateway serves with it, and confirms over a new connection.
pub(super) async fn uphold(
    enactment: &Enactment,
    watch: Duration,
    instance: &Instance,
    world: &World,
) -> Result<Done> {
    let Enactment { id, policy } = enactment;
    world.doing(instance, format!("watching it with its policy for {}", human(watch)));
    let gate = gate(instance.spec.release.openclaw, instance, world)?;
    let target = target(instance, world)?;
    world.stop.or(until_watched(id, &gate, watch, &mut Line::new(&target))).await?;
    let output = Line::new(&target).long(&Part::Confirm.command(id)?, Part::Confirm.limit()).await?;
    ended(Part::Confirm, &output)?;
    let secrets = world.secrets.marks(policy)?;
    let enacted = Enacted { id: id.clone(), policy: policy.clone(), secrets, stale: false, before: None };
    Ok(Done::new(Outcome::Upheld(enacted), "the policy stays"))
}

/// All checks hold at the beginning and at the end, and the gateway is ready all the time between.
async fn until_watched(id: &OpId, gate: &Gate, watch: Duration, line: &mut Line<'_>) -> Result<()> {
    until_seen(id, gate, true, line).await?;
    let end = Instant::now() + watch;
    while Instant::now() < end {
        tokio::time::sleep_until(end.min(Instant::now() + LOOK)).await;
        until_seen(id, gate, false, line).await?;
    }
    until_seen(id, gate, true, line).await
}

/// What the server says counts at once; what is seen from outside may be bad for a moment.
async fn until_seen(id: &OpId, gate: &Gate, whole: bool, line: &mut Line<'_>) -> Result<()> {
    let late = Instant::now() + UNSEEN;
    loop {
        ended(Part::Look, &line.long(&Part::Look.command(id)?, Part::Look.limit()).await?)?;
        let Err(error) = seen(gate, whole).await else { return Ok(()) };
        if Instant::now() > late {
            return Err(error.context("with that policy it does not serve, seen from outside"));
        }
        tokio::time::sleep(LOOK / 2).await;
    }
}

pub(super) async fn repeal(id: &OpId, instance: &Instance, world: &World) -> Result<Done> {
    world.doing(instance, Part::Repeal.to_string());
    let target = target(instance, world)?;
    let output = Line::new(&target).long(&Part::Repeal.command(id)?, Part::Repeal.limit()).await?;
    ended(Part::Repeal, &output)?;
    Ok(Done::new(Outcome::Repealed(id.clone()), "back at the policy of before"))
}

fn ended(part: Part, output: &Output) -> Result<()> {
    let why = match output.stderr.trim() {
        "" => format!("it ended with {} on the server", output.status),
        said => said.to_owned(),
    };
    ensure!(output.status == 0, "{part}: {why}");
    Ok(())
}
