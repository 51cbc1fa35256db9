//! How every command changes something: plan, show, ask, take the right to change what the plan is about, walk it.

use std::collections::BTreeMap;

use super::context::Context;
use super::fleet::Fleet;
use super::walk::Hold;
use super::{Failure, walk};
use crate::apply::{self, Report, Secrets, World};
use crate::config::Settings;
use crate::hcloud::Client;
use crate::model::refusal::Refusal;
use crate::plan::Plan;
use crate::store::Held;

/// How often a plan is made anew because others work on the same instances. Under the leases it is the last time, unless it
/// is about more instances than before.
const ROUNDS: u32 = 8;

/// A command that changes something.
pub(super) trait Change {
    /// Looks at the world and decides; `again` where it was decided before, but others were at work meanwhile.
    async fn plan(&self, fleet: &Fleet, again: bool, context: &mut Context) -> Result<Plan, Failure>;

    /// Whether the user wants what the plan says, and has what it needs.
    async fn agreed(&self, plan: &Plan, context: &mut Context) -> Result<bool, Failure>;
}

/// What came of it.
pub(super) enum Changed {
    /// There was nothing to do.
    Nothing(Plan),
    /// The user said no.
    Declined,
    /// The plan was walked.
    Walked(Plan, Report),
}

/// Plans, asks and walks. The first plan is made without keeping anybody out; if nobody was at work on its instances by the time
/// that they are ours, it holds. Otherwise it is made anew, while they are ours.
pub(super) async fn change(
    command: &impl Change,
    client: &Client,
    settings: &Settings,
    context: &mut Context,
) -> Result<Changed, Failure> {
    let mut hold = None;
    let result = rounds(command, client, settings, &mut hold, context).await;
    if let Some(hold) = hold {
        // leases that cannot be freed end by themselves
        let _ = hold.store.close().await;
    }
    result
}

async fn rounds(
    command: &impl Change,
    client: &Client,
    settings: &Settings,
    hold: &mut Option<Hold>,
    context: &mut Context,
) -> Result<Changed, Failure> {
    let mut agreed: Option<Plan> = None;
    for round in 0..ROUNDS {
        let fleet = Fleet::find(settings, context).await?;
        // before anybody is asked
        fleet.own()?;
        let plan = command.plan(&fleet, round > 0, context).await?;
        if plan.is_empty() {
            return Ok(Changed::Nothing(plan));
        }
        if agreed.as_ref() != Some(&plan) {
            context.ui.plan(&plan);
            if !command.agreed(&plan, context).await? {
                return Ok(Changed::Declined);
            }
            agreed = Some(plan.clone());
        }
        let wants = |subject: &str| plan.leases().any(|wanted| wanted == subject);
        if let Some(hold) = hold {
            // others may wait for what the plan before was about
            let unwanted: Vec<String> = hold.leases.keys().filter(|held| !wants(held)).cloned().collect();
            for subject in unwanted {
                if let Some(lease) = hold.leases.remove(&subject) {
                    lease.release().await?;
                }
            }
        }
        let ours = |hold: &Hold| plan.leases().all(|subject| hold.leases.contains_key(subject));
        if !hold.as_ref().is_some_and(ours) && !take(&plan, fleet, settings, hold, context).await? {
            continue;
        }
        let Some(held) = hold.take() else { continue };
        let (store, shown) = (held.store.clone(), plan.clone());
        let subjects: Vec<String> = plan.subjects().map(ToString::to_string).collect();
        let work = async |world: &World| apply::run(plan, world).await;
        let report = walk::watched(&subjects, held, client, settings, context, work).await;
        // leases that cannot be freed end by themselves
        let _ = store.close().await;
        return Ok(Changed::Walked(shown, report));
    }
    Err(Refusal::new("others keep changing the same instances", "run the command again when they are done")
        .into())
}

/// Takes the leases of a plan's instances, in order, so that no two commands wait for each other. Whether nobody else had them
/// since the plan was made.
async fn take(
    plan: &Plan,
    fleet: Fleet,
    settings: &Settings,
    hold: &mut Option<Hold>,
    context: &mut Context,
) -> Result<bool, Failure> {
    if let Some(before) = hold.take() {
        let _ = before.store.close().await;
    }
    let fences: BTreeMap<String, i64> =
        plan.leases().map(|subject| (subject.to_owned(), fleet.fence(subject))).collect();
    let (store, keys) = fleet.open(settings, context).await?;
    let secrets = Secrets::new(context.secrets.clone(), &keys.key).await?;
    let hold = hold.insert(Hold { store, keys, leases: BTreeMap::new(), secrets });
    let mut untouched = true;
    for (subject, fence) in fences {
        let now = context.clock.now();
        let lease = hold.store.lease(&subject, &now, |held| context.ui.note(&waiting(held))).await?;
        untouched &= lease.fence() == fence + 1;
        hold.leases.insert(subject, lease);
    }
    Ok(untouched)
}

/// Who is waited for.
pub(super) fn waiting(held: &Held) -> String {
    match &held.by {
        Some(by) => format!("{} is being worked on by {by}; waiting", held.subject),
        None => format!("{} is being worked on; waiting", held.subject),
    }
}
