//! Walks the steps of one instance.

use std::time::Duration;

use anyhow::Result;

use super::{
    Interrupted, Point, World, adopt, create, delete, dns, guard, host, identity, keys, policy, pool, revoke,
    rotate, system, update,
};
use crate::clock::tenths;
use crate::model::event::What;
use crate::model::instance::{Instance, Outcome, Stage};
use crate::plan::{InstancePlan, Step};
use crate::store::{Lease, UNKNOWN};

/// How one instance ended.
#[derive(Debug)]
pub struct Finish {
    /// Where it stands now.
    pub instance: Instance,
    /// Whether there was anything to do.
    pub idle: bool,
    /// How long it took.
    pub elapsed: Duration,
    /// What went wrong.
    pub result: Result<()>,
}

/// What a step leaves behind: the outcome, a line in the past tense, and for how long nobody was answered, where that was watched.
pub(super) struct Done {
    outcome: Outcome,
    line: String,
    unanswered: Option<Duration>,
}

/// Why a change was in vain, beside what went wrong: it is the outermost context of that.
#[derive(Debug, thiserror::Error)]
#[error("{what} does not work there; {}", told(*.time))]
pub(super) struct Unanswered {
    /// A release, or a policy.
    pub(super) what: String,
    /// For how long nobody was answered meanwhile.
    pub(super) time: Duration,
}

/// In words, for how long nobody was answered.
pub(super) fn told(unanswered: Duration) -> String {
    format!("no answer for {}", tenths(unanswered))
}

impl Done {
    pub(super) fn new(outcome: Outcome, line: impl Into<String>) -> Self {
        Self { outcome, line: line.into(), unanswered: None }
    }

    /// The outcome and the line.
    pub(super) fn into_parts(self) -> (Outcome, String) {
        (self.outcome, self.line)
    }

    pub(super) fn unanswered(self, time: Duration) -> Self {
        Self { unanswered: Some(time), ..self }
    }
}

impl Finish {
    /// Whether it was stopped before its end.
    pub fn was_interrupted(&self) -> bool {
        self.result.as_ref().is_err_and(|error| error.is::<Interrupted>())
    }
}

pub(super) async fn walk(plan: InstancePlan, world: &World) -> Finish {
    let watch = world.clock.start();
    let mut instance = plan.instance;
    let idle = plan.steps.is_empty();
    let result = steps(&mut instance, plan.steps, world).await;
    let elapsed = watch.elapsed();
    let subject = instance.name.as_str();
    match &result {
        Ok(()) if idle => {}
        // who stopped it knows
        Err(error) if error.is::<Interrupted>() => {}
        Ok(()) => {
            let line = match (instance.endpoint(), &instance.stage) {
                (Some(endpoint), Stage::Serving(_)) => format!("ready: {}", endpoint.origin()),
                // its keys can be changed before it serves
                (Some(_), _) => "done; it does not serve yet".to_owned(),
                (None, _) => "removed".to_owned(),
            };
            world.say(subject, What::Finished(line, elapsed));
        }
        Err(error) => world.say(subject, What::Failed(error.to_string())),
    }
    Finish { instance, idle, elapsed, result }
}

async fn steps(instance: &mut Instance, steps: Vec<Step>, world: &World) -> Result<()> {
    if steps.is_empty() {
        return Ok(());
    }
    world.stop.check()?;
    let lease = world.lease(&instance.name)?;
    let result = under_lease(instance, steps, lease, world, &mut None).await;
    // one that cannot be freed ends by itself
    let _ = lease.release().await;
    result
}

/// Takes steps. Where that is watched, for how long nobody was answered is added up, also for a step that fails.
pub(super) async fn under_lease(
    instance: &mut Instance,
    steps: Vec<Step>,
    lease: &Lease,
    world: &World,
    unanswered: &mut Option<Duration>,
) -> Result<()> {
    lease.put(instance).await?;
    for step in steps {
        world.stop.check()?;
        let watch = world.clock.start();
        world.halt.here(step.word(), Point::BeforeIntent);
        let intent = lease.begin(step.word(), &world.clock.now()).await?;
        world.halt.here(step.word(), Point::AfterIntent);
        tracing::info!(instance = %instance.name, step = step.word(), "begun");
        match take(&step, instance, world).await {
            Ok(done) => {
                world.halt.here(step.word(), Point::AfterAct);
                *instance = instance.clone().after(done.outcome)?;
                match &step {
                    Step::Claim(standby) => pool::take(standby, intent, instance, world).await?,
                    _ => lease.advance(intent, instance, &world.clock.now()).await?,
                }
                world.halt.here(step.word(), Point::AfterOutcome);
                add(unanswered, done.unanswered);
                world.say(instance.name.as_str(), What::Did(done.line, watch.elapsed()));
            }
            Err(error) => {
                add(unanswered, error.downcast_ref().map(|Unanswered { time, .. }| *time));
                lease.end(intent, &outcome(&error), &world.clock.now()).await?;
                return Err(error);
            }
        }
    }
    Ok(())
}

fn add(sum: &mut Option<Duration>, time: Option<Duration>) {
    if let Some(time) = time {
        *sum = Some(sum.unwrap_or_default() + time);
    }
}

/// What is written down of a step that did not succeed: whether the world may have changed all the same.
pub(super) fn outcome(error: &anyhow::Error) -> String {
    let unanswered = error.chain().filter_map(|cause| cause.downcast_ref()).any(adopt::fate_is_unknown);
    if unanswered { format!("{UNKNOWN}{error}") } else { format!("failed: {error}") }
}

async fn take(step: &Step, instance: &Instance, world: &World) -> Result<Done> {
    match step {
        Step::Create(order) => create::create(order, instance, world).await,
        Step::Claim(standby) => pool::claim(standby, instance, world),
        Step::Rename => guard::rename(instance, world).await,
        Step::Renew => pool::renew(instance, world).await,
        Step::Adopt(id) => create::take_over(*id, instance, world).await,
        Step::PowerOn(id) => create::power_on(*id, instance, world).await,
        Step::Label(id, labels) => guard::label(*id, labels, instance, world).await,
        Step::Guard(id) => guard::guard(*id, instance, world).await,
        Step::Name(zone) => dns::name(zone, instance, world).await,
        Step::Protect(id) => guard::protect(*id, instance, world).await,
        Step::Reach => host::reach(instance, world).await,
        Step::Trust => host::trust(instance, world).await,
        Step::MakeHostKey => identity::make(instance, world).await,
        Step::LabelHostKey => guard::label_host_key(instance, world).await,
        Step::SwitchHostKey => identity::switch(instance, world).await,
        Step::GiveKeys(lines) => keys::give(lines, instance, world).await,
        Step::ProveKey(public) => keys::prove(public, instance, world).await,
        Step::TakeKeys(gone) => keys::take(gone, instance, world).await,
        Step::Admit => host::admit(instance, world).await,
        Step::Install => host::install(instance, world).await,
        Step::SetUp => host::set_up(instance, world).await,
        Step::Serve => host::serve(instance, world).await,
        Step::Equip(release, dead_man) => update::equip(release, *dead_man, instance, world).await,
        Step::Survey => update::survey(instance, world).await,
        Step::Stage => update::stage(instance, world).await,
        Step::Rehearse => update::rehearse(instance, world).await,
        Step::Switch(version) => update::switch(*version, instance, world).await,
        Step::RollBack(version) => update::roll_back(*version, instance, world).await,
        Step::Bake(version, watch) => update::bake(*version, *watch, instance, world).await,
        Step::Keep(version, release) => update::keep(*version, release.as_ref(), instance, world).await,
        Step::Relabel(version) => update::relabel(*version, instance, world).await,
        Step::Prune => update::prune(instance, world).await,
        Step::Revert => update::revert(instance, world).await,
        Step::Settle => update::settle(instance, world).await,
        Step::Upgrade => system::upgrade(instance, world).await,
        Step::Reboot => system::reboot(instance, world).await,
        Step::Enact(enactment) => policy::enact(enactment, instance, world).await,
        Step::Uphold(enactment, watch) => policy::uphold(enactment, *watch, instance, world).await,
        Step::Repeal(id) => policy::repeal(id, instance, world).await,
        Step::Rotate => rotate::rotate(instance, world).await,
        Step::Condemn => Ok(Done::new(Outcome::Condemned, "removal begun")),
        Step::Revoke => revoke::revoke(instance, world).await,
        Step::Unname(zone) => dns::unname(zone, instance, world).await,
        Step::Unprotect(ids) => delete::unprotect(ids, instance, world).await,
        Step::Sweep(time) => delete::sweep(*time, instance, world).await,
        Step::Delete(ids) => delete::delete(ids, instance, world).await,
    }
}
