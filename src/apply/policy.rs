//! Steps of a policy. The server does the work; here it is told to, watched from outside, and believed.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use super::World;
use super::bake::{Trial, until_baked};
use super::downtime::Downtime;
use super::instance::{Done, Unanswered, told};
use super::line::{Line, target};
use super::update::gate;
use crate::clock::human;
use crate::host::policy::{Part, asked};
use crate::model::fleet::OpId;
use crate::model::instance::{Instance, Outcome};
use crate::model::policy::{DASHBOARD_PASSWORD, Enacted, Enactment, Policy};
use crate::plan::policy::patch;
use crate::render::{self, Laid};
use crate::secret::Secret;
use crate::ssh::Output;

/// How hard a password's hash is to try, and to check: 2^10 rounds, 50 ms on a server's core.
const COST: u32 = 10;

pub(super) async fn enact(enactment: &Enactment, instance: &Instance, world: &World) -> Result<Done> {
    let Enactment { id, policy } = enactment;
    let nothing = Policy::default();
    let old = instance.spec.enacted.as_ref().map_or(&nothing, |enacted| &enacted.policy);
    let secrets = world.secrets.of(policy)?;
    let laid = laid(policy, &secrets)?;
    let by_place = secrets.iter().map(|(place, secret)| (place.as_str(), *secret));
    let asked = asked(&patch(old, policy), &laid, by_place);
    world.doing(instance, Part::Enact.to_string());
    let target = target(instance, world)?;
    let gate = gate(instance.spec.release.openclaw, instance, world)?.governed_by(policy);
    let downtime = Downtime::start(gate);
    let output = Line::new(&target).fed(&Part::Enact.command(id)?, asked.expose(), Part::Enact.limit()).await;
    let unseen = downtime.end().await;
    match output.and_then(|output| ended(Part::Enact, &output)) {
        Ok(()) => {
            Ok(Done::new(Outcome::Enacted, format!("policy in force; {}", told(unseen))).unanswered(unseen))
        }
        Err(error) => Err(error.context(Unanswered { what: "the policy".to_owned(), time: unseen })),
    }
}

/// The files that lie beside OpenClaw's configuration, with those that have a secret in them.
fn laid(policy: &Policy, secrets: &BTreeMap<String, &Secret>) -> Result<Laid> {
    let mut laid = render::laid(policy)?;
    if let Some(password) = secrets.get(DASHBOARD_PASSWORD) {
        let hash =
            bcrypt::non_truncating_hash(password.expose(), COST).context("the dashboard's password")?;
        laid.insert(render::DASHBOARD_USERS, format!("openclaw {hash}\n"));
    }
    Ok(laid)
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
    let gate = gate(instance.spec.release.openclaw, instance, world)?.governed_by(policy);
    let target = target(instance, world)?;
    world.stop.or(until_baked(Trial::Policy(id), &gate, watch, &mut Line::new(&target))).await?;
    let output = Line::new(&target).long(&Part::Confirm.command(id)?, Part::Confirm.limit()).await?;
    ended(Part::Confirm, &output)?;
    let secrets = world.secrets.marks(policy)?;
    let enacted = Enacted { id: id.clone(), policy: policy.clone(), secrets, stale: false, before: None };
    Ok(Done::new(Outcome::Upheld(Box::new(enacted)), "the policy stays"))
}

pub(super) async fn repeal(id: &OpId, instance: &Instance, world: &World) -> Result<Done> {
    world.doing(instance, Part::Repeal.to_string());
    let target = target(instance, world)?;
    let output = Line::new(&target).long(&Part::Repeal.command(id)?, Part::Repeal.limit()).await?;
    ended(Part::Repeal, &output)?;
    Ok(Done::new(Outcome::Repealed(id.clone()), "back at the policy of before"))
}

pub(super) fn ended(part: Part, output: &Output) -> Result<()> {
    let why = match output.stderr.trim() {
        "" => format!("it ended with {} on the server", output.status),
        said => said.to_owned(),
    };
    ensure!(output.status == 0, "{part}: {why}");
    Ok(())
}
