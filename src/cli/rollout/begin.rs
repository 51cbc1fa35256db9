//! Begins a rollout: finds the instances that need it and serve, arranges them, shows, asks, and drives.

use std::collections::BTreeSet;

use futures_util::stream::{self, StreamExt as _};

use super::drive::drive;
use super::how::{How, Unreachable};
use super::which::Which;
use super::{control, report};
use crate::apply::Secrets;
use crate::cli::context::Context;
use crate::cli::fleet::{Fleet, cloud, look};
use crate::cli::{Failure, Status, secrets};
use crate::config::Settings;
use crate::host::{look as from_outside, update};
use crate::model::drift::Drift;
use crate::model::flaw;
use crate::model::fleet::OpId;
use crate::model::instance::{Instance, Stage};
use crate::model::name::InstanceName;
use crate::model::observed::{HostState, Releases};
use crate::model::policy::{Policies, Policy};
use crate::model::refusal::Refusal;
use crate::model::release::OpenClawVersion;
use crate::model::rollout::{self, Change, Event, Fact, Host, Rollout, RolloutId};
use crate::plan::policy::changes;
use crate::plan::rollout::{Candidate, arrange};
use crate::registry::Catalogue;
use crate::ui::counted;

/// A rollout that is asked for.
pub(in crate::cli) struct Begin<'a> {
    pub(in crate::cli) which: &'a Which,
    pub(in crate::cli) how: &'a How,
    pub(in crate::cli) settings: &'a Settings,
    pub(in crate::cli) change: Wanted,
}

/// What is to be done to each instance.
pub(in crate::cli) enum Wanted {
    /// This.
    Change(Box<Change>),
    /// What the file says that each may do.
    Policies,
    /// Back to the release that they all ran before, or to this one; to one with known holes only by force.
    Before { to: Option<OpenClawVersion>, force: bool },
}

/// An instance, and what there is to say about it before anything begins.
struct Seen {
    instance: Instance,
    /// Why it cannot be changed.
    obstacle: Option<String>,
    /// Its releases, where they were asked for.
    releases: Option<Releases>,
}

/// Begins it, and drives it to its end.
pub(in crate::cli) async fn begin(begin: Begin<'_>, context: &mut Context) -> Result<Status, Failure> {
    let Begin { which, how, settings, change } = begin;
    let client = cloud(settings, context)?;
    let fleet = Fleet::find(settings, context).await?;
    none_is_under_way(&fleet).await?;
    fleet.own()?;
    // also where no label is asked for: without the API an update would end before its last step
    let project = look(&client, &fleet, &BTreeSet::new()).await?;
    let chosen = which.of(&fleet, &project)?;
    let mut seen = see(chosen, &fleet, settings).await;
    let total = seen.len();
    let change = match change {
        Wanted::Change(change) => *change,
        Wanted::Policies => policies(&mut seen, &fleet, settings, context).await?,
        Wanted::Before { to, force } => {
            ask_releases(&mut seen, &fleet).await?;
            let to = before(&seen, to)?;
            not_to_a_flaw(to, force)?;
            Change::Rollback { to }
        }
    };
    seen.retain(|one| change.version() != Some(one.instance.spec.release.openclaw));
    not_older(&seen, &change)?;
    if let (Some(version), left @ 1..) = (change.version(), total - seen.len()) {
        context.ui.note(&format!("{} already: OpenClaw {version}", counted(left, "instance")));
    }
    if let (Change::Policy { .. }, left @ 1..) = (&change, total - seen.len()) {
        context.ui.note(&format!("{} already: governed by its policy", counted(left, "instance")));
    }
    if seen.is_empty() {
        context.ui.note("nothing to do");
        return Ok(Status::Success);
    }
    let rollout = arranged(seen, change, how, context)?;
    if how.dry_run {
        context.ui.answer(&report::plan(&rollout).join("\n"))?;
        context.ui.note("nothing was done (--dry-run)");
        return Ok(Status::Success);
    }
    context.ui.note(&report::plan(&rollout).join("\n"));
    if !agreed(&rollout, how.yes, context)? {
        return Ok(Status::Failed);
    }
    drive(rollout, control::Start::New, fleet, &client, settings, context).await
}

/// Two at a time would not know of each other's failures.
async fn none_is_under_way(fleet: &Fleet) -> Result<(), Failure> {
    let newest = match fleet.store() {
        Some(store) => store.newest_rollout().await?,
        None => None,
    };
    match newest.filter(|rollout| !rollout.is_over()) {
        Some(rollout) => Err(under_way(&rollout).into()),
        None => Ok(()),
    }
}

pub(super) fn under_way(rollout: &Rollout) -> Refusal {
    let what = format!("a rollout is not over: {} is {}", rollout.id, rollout.state);
    Refusal::new(what, "`clawberth update --status` shows it; --resume goes on with it, and --abort ends it")
}

/// Looks at all of them, from outside and over SSH.
async fn see(instances: Vec<Instance>, fleet: &Fleet, settings: &Settings) -> Vec<Seen> {
    let serving = instances.iter().filter(|instance| matches!(instance.stage, Stage::Serving(_)));
    let hosts = serving.filter_map(|instance| Some((instance.clone(), fleet.target(instance).ok()?)));
    let states = from_outside::all(hosts.collect(), settings.acme_root.as_deref()).await;
    let seen = |instance: Instance| {
        let obstacle = match states.get(&instance.name) {
            // what is set up for another release was cut off, and is gone on with
            Some(HostState::Serves | HostState::SetUpFor(_)) => None,
            Some(state) => {
                let drift = Drift::Host(state.clone());
                Some(format!("{}: {}", drift.words(), drift.found()))
            }
            None => Some(format!("it is {}", instance.stage.word())),
        };
        Seen { instance, obstacle, releases: None }
    };
    instances.into_iter().map(seen).collect()
}

/// Asks those that serve what can be gone back to.
async fn ask_releases(seen: &mut [Seen], fleet: &Fleet) -> Result<(), Failure> {
    let asks = seen.iter_mut().filter(|one| one.obstacle.is_none()).map(|one| async move {
        match update::look(&fleet.target(&one.instance)?).await {
            Ok(releases) => one.releases = Some(releases),
            Err(error) => one.obstacle = Some(format!("{error:#}")),
        }
        Ok::<(), Failure>(())
    });
    stream::iter(asks)
        .buffer_unordered(from_outside::SIDE_BY_SIDE)
        .collect::<Vec<_>>()
        .await
        .into_iter()
        .collect()
}

/// What the file says, for those of which it does not hold yet; and what would change, a line each.
async fn policies(
    seen: &mut Vec<Seen>,
    fleet: &Fleet,
    settings: &Settings,
    context: &mut Context,
) -> Result<Change, Failure> {
    let wanted = &settings.policies;
    let named: Vec<&Policy> = seen.iter().map(|one| wanted.of(&one.instance.name)).collect();
    context.secrets = secrets::read(named.into_iter(), settings, context).await?;
    let secrets = Secrets::new(context.secrets.clone(), &fleet.own()?.ring.key).await?;
    let mut left = Vec::new();
    for one in seen.drain(..) {
        let Instance { name, spec, .. } = &one.instance;
        let policy = wanted.of(name);
        let holds = match &spec.enacted {
            Some(enacted) => enacted.holds(policy, &secrets.marks(policy)?),
            None => policy.is_empty(),
        };
        if !holds {
            let was = spec.enacted.as_ref().map(|enacted| enacted.policy.clone()).unwrap_or_default();
            context.ui.note(&format!("{name}: {}", changes(&was, policy).join(", ")));
            left.push(one);
        }
    }
    *seen = left;
    let own = |name: &InstanceName| seen.iter().any(|one| one.instance.name == *name);
    let policies = Policies {
        fleet: wanted.fleet.clone(),
        own: wanted.own.iter().filter(|(name, _)| own(name)).map(|(n, p)| (n.clone(), p.clone())).collect(),
    };
    Ok(Change::Policy { id: OpId::from_bytes(context.entropy.id()), policies: Box::new(policies) })
}

/// The one release that all go back to.
fn before(seen: &[Seen], to: Option<OpenClawVersion>) -> Result<OpenClawVersion, Refusal> {
    if let Some(to) = to {
        return Ok(to);
    }
    let mut last: Vec<OpenClawVersion> =
        seen.iter().filter_map(|one| one.releases.as_ref()?.kept.first().copied()).collect();
    last.sort();
    last.dedup();
    match last.as_slice() {
        [] => Err(Refusal::new(
            "nothing can be gone back to",
            "a server keeps a release from its first update on; `clawberth releases` shows what runs",
        )),
        [one] => Ok(*one),
        several => {
            let list: Vec<String> = several.iter().map(ToString::to_string).collect();
            let what = format!("they ran different releases before: {}", list.join(", "));
            Err(Refusal::new(what, "say which with --to"))
        }
    }
}

/// Known holes are used: what has them may not serve.
fn not_to_a_flaw(to: OpenClawVersion, force: bool) -> Result<(), Failure> {
    let catalogue = Catalogue::built_in()?;
    match flaw::of(catalogue.flaws(), to).filter(|_| !force) {
        Some(open) => {
            let what = format!("OpenClaw {to} has holes that are known and used");
            Err(Refusal::new(what, "--force goes back all the same").because(open).into())
        }
        None => Ok(()),
    }
}

/// An update does not go back: state that a newer release has written is not for an older one.
fn not_older(seen: &[Seen], change: &Change) -> Result<(), Refusal> {
    let Change::Release { release } = change else { return Ok(()) };
    let newer = seen.iter().find(|one| one.instance.spec.release.openclaw > release.openclaw);
    match newer {
        Some(Seen { instance, .. }) => {
            let (name, runs) = (&instance.name, instance.spec.release.openclaw);
            let what = format!("{name} runs OpenClaw {runs}, which is newer than {}", release.openclaw);
            Err(Refusal::new(
                what,
                format!("`clawberth rollback {name}` goes back, with the state of that time"),
            ))
        }
        None => Ok(()),
    }
}

/// Those that serve in waves; the others before them, in none.
fn arranged(seen: Vec<Seen>, change: Change, how: &How, context: &Context) -> Result<Rollout, Failure> {
    let now = context.clock.timestamp();
    let settings = how.settings(seen.len());
    let (well, ill): (Vec<Seen>, Vec<Seen>) = seen.into_iter().partition(|one| one.obstacle.is_none());
    let candidate = |one: Seen| Candidate {
        location: one.instance.stage.server().map(|server| server.location.clone()).unwrap_or_default(),
        name: one.instance.name,
    };
    let mut hosts: Vec<Host> = ill.iter().map(|one| Host::waiting(one.instance.name.clone(), 0)).collect();
    hosts.extend(arrange(well.into_iter().map(candidate).collect(), &settings.waves));
    let id = RolloutId::from_bytes(context.entropy.id());
    let mut rollout = Rollout::new(id, change, settings, hosts, now);
    for Seen { instance, obstacle, .. } in ill {
        let why = obstacle.unwrap_or_default();
        let fact = match how.unreachable {
            Unreachable::Skip => Fact::Skipped(why),
            Unreachable::Count => Fact::Down(why),
        };
        rollout = rollout.after(Event::Host(instance.name, fact), now)?;
    }
    Ok(rollout)
}

fn agreed(rollout: &Rollout, yes: bool, context: &mut Context) -> Result<bool, Failure> {
    if yes {
        return Ok(true);
    }
    let waiting = rollout.hosts.iter().filter(|host| host.status == rollout::Status::Waiting).count();
    let instances = counted(waiting, "instance");
    let question = format!("{} on {instances}?", report::change(&rollout.change));
    let hint = "say --yes, or --dry-run to see the plan only";
    context.agreed(&question, &format!("change {instances}"), hint)
}
