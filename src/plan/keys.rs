//! The plans that bring keys to all servers, and take them away; and, for every other plan, what one server lacks of them.

use super::{FleetStep, InstancePlan, Plan, Step};
use crate::model::instance::{Instance, Stage};
use crate::model::observed::CloudSshKey;
use crate::model::operator_key::{Keys, OperatorKey};
use crate::model::refusal::Refusal;

/// Decides how the servers come to let in what they are to; `noted` is written down before.
///
/// # Errors
/// One whose server was not logged in to yet.
pub fn bring(instances: Vec<Instance>, keys: Keys, noted: Option<OperatorKey>) -> Result<Plan, Refusal> {
    let keys = noted.iter().cloned().fold(keys, Keys::with);
    let before = noted.into_iter().map(FleetStep::NoteKey).collect();
    let steps = |instance: &Instance| [given(instance, &keys), taken(instance, &keys)].concat();
    let instances = of_all(instances, steps)?;
    let unsettled = keys.others.iter().any(|key| !key.is_in_force());
    let after = if unsettled { vec![FleetStep::SettleKeys] } else { Vec::new() };
    Ok(Plan { before, instances, after, ..Plan::default() })
}

/// Decides how another key becomes the fleet's own: every server lets it in, and it is seen to log in to each; only then. `next` is
/// written down before, unless it is.
///
/// # Errors
/// As [`bring`]; and an instance of which nobody knows yet whether it has a server.
pub fn succeed(instances: Vec<Instance>, keys: Keys, next: OperatorKey) -> Result<Plan, Refusal> {
    if let Some(planned) = instances.iter().find(|instance| instance.stage == Stage::Planned) {
        return Err(early(planned));
    }
    let is_noted = keys.others.contains(&next);
    let keys = keys.with(next.clone());
    let steps =
        |instance: &Instance| [given(instance, &keys), vec![Step::ProveKey(next.public.clone())]].concat();
    let instances = of_all(instances, steps)?;
    let after = vec![FleetStep::UseKey(next.public.clone())];
    let before = if is_noted { Vec::new() } else { vec![FleetStep::NoteKey(next)] };
    Ok(Plan { before, instances, after, ..Plan::default() })
}

/// Decides how the key before is taken from the project, so that no new server is born with it, and from every server.
///
/// # Errors
/// As [`bring`].
pub fn hand_over(instances: Vec<Instance>, keys: Keys, known: &[CloudSshKey]) -> Result<Plan, Refusal> {
    let mut plan = bring(instances, keys.clone(), None)?;
    let (ours, others): (Vec<_>, Vec<_>) = known.iter().partition(|key| key.public_key == keys.fleet);
    plan.before.extend(others.iter().map(|key| FleetStep::DeleteSshKey(key.id)));
    plan.before.extend(ours.is_empty().then_some(FleetStep::CreateSshKey));
    Ok(plan)
}

/// Puts what a server lacks where it is trusted first; what it is to let in no more goes right after that.
pub(super) fn add_to(steps: &mut Vec<Step>, instance: &Instance, is_new: bool, keys: &Keys) {
    let admitted = instance.stage.server().filter(|_| !is_new).and_then(|server| server.admitted.clone());
    let (lacking, excess) = (keys.lacking(&admitted), keys.excess(&admitted));
    let give = Some(lacking).filter(|keys| !keys.is_empty()).map(Step::GiveKeys);
    let take = Some(excess).filter(|keys| !keys.is_empty()).map(Step::TakeKeys);
    let trusted = steps.iter().position(|step| *step == Step::Trust).map_or(0, |trust| trust + 1);
    steps.splice(trusted..trusted, give.into_iter().chain(take));
}

fn given(instance: &Instance, keys: &Keys) -> Vec<Step> {
    let lacking = instance.stage.server().map(|server| keys.lacking(&server.admitted));
    lacking.filter(|keys| !keys.is_empty()).map(Step::GiveKeys).into_iter().collect()
}

fn taken(instance: &Instance, keys: &Keys) -> Vec<Step> {
    let excess = instance.stage.server().map(|server| keys.excess(&server.admitted));
    excess.filter(|keys| !keys.is_empty()).map(Step::TakeKeys).into_iter().collect()
}

/// The part of every instance that has a server, and keeps it.
fn of_all(
    instances: Vec<Instance>,
    steps: impl Fn(&Instance) -> Vec<Step>,
) -> Result<Vec<InstancePlan>, Refusal> {
    let part = |instance: Instance| match &instance.stage {
        Stage::Trusted(_) | Stage::Installed(_) | Stage::Serving(_) => {
            let steps = steps(&instance);
            Some(Ok(InstancePlan { instance, steps }))
        }
        Stage::Created(_) | Stage::Reachable(_) => Some(Err(early(&instance))),
        Stage::Planned | Stage::Destroying(_) | Stage::Gone => None,
    };
    instances.into_iter().filter_map(part).collect()
}

fn early(instance: &Instance) -> Refusal {
    let Instance { name, stage, .. } = instance;
    let hint = format!("run `clawberth deploy {name}` to finish it, or destroy it");
    Refusal::new(
        format!("{name} is {} and no more: which keys its server has is not known", stage.word()),
        hint,
    )
}

#[cfg(test)]
mod tests;
