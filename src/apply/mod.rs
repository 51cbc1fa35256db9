//! Walks a plan. The only place that changes the world: for each step intent, act, outcome, stage, event.

mod adopt;
mod bake;
mod common;
mod create;
mod delete;
mod dns;
mod downtime;
mod fleet;
mod guard;
mod halt;
mod host;
mod identity;
mod image;
mod instance;
mod keys;
mod line;
mod off;
mod policy;
mod pool;
mod revoke;
mod rollout;
mod rotate;
mod secrets;
mod stop;
mod system;
mod update;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::sync::OnceCell;
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinSet;

pub use common::Shared;
pub use halt::{Halt, Point};
pub use host::SetUpFailed;
pub use instance::Finish;
pub use off::Off;
pub use rollout::{Driven, HostReport, Left, drive};
pub use secrets::Secrets;
pub use stop::{Interrupted, Stop, Stopper};

use crate::clock::Clock;
use crate::entropy::Entropy;
use crate::hcloud::Client;
use crate::model::admin::AdminNetworks;
use crate::model::event::{Event, What};
use crate::model::instance::Instance;
use crate::model::name::InstanceName;
use crate::plan::{FleetStep, Plan};
use crate::ssh::KeyRing;
use crate::store::{FLEET, Held, Lease, Store, StoreError};

/// How many instances are worked on at the same time.
const SIDE_BY_SIDE: usize = 32;

/// Everything that steps act on and with.
#[derive(Clone, Debug)]
pub struct World {
    /// The state.
    pub store: Store,
    /// The right to change each instance of the plan, by name.
    pub leases: Arc<BTreeMap<String, Lease>>,
    /// The Hetzner API.
    pub cloud: Client,
    /// The operator's keys for this fleet.
    pub keys: KeyRing,
    /// What new servers are told, beyond their release and name.
    pub birth: Birth,
    /// What policies need that is written down nowhere.
    pub secrets: Secrets,
    /// PEM file with the only roots that gateways may have; none: the system's.
    pub acme_root: Option<PathBuf>,
    /// The time.
    pub clock: Clock,
    /// Randomness.
    pub entropy: Entropy,
    /// Where events go.
    pub events: UnboundedSender<Event>,
    /// Whether to stop.
    pub stop: Stop,
    /// Where a test stops the process.
    pub halt: Halt,
    /// What all servers share.
    pub shared: Arc<Shared>,
    /// The addresses that go with their servers, looked up once, before the first server goes.
    pub going: Arc<OnceCell<BTreeSet<String>>>,
    /// The servers that are switched off, as they were seen last.
    pub off: Arc<Off>,
}

/// What new servers are told, beyond their release and name.
#[derive(Clone, Debug)]
pub struct Birth {
    /// From where SSH is allowed; destroying needs none.
    pub admin: Option<AdminNetworks>,
    /// The ACME directory.
    pub acme_directory: String,
    /// The Node mirror.
    pub node_mirror: String,
}

/// What became of a plan.
#[derive(Debug, Default)]
#[must_use = "a report may hold failures"]
pub struct Report {
    /// How each instance ended, by name.
    pub instances: Vec<Finish>,
    /// The snapshot that was made.
    pub image: Option<u64>,
    /// What went wrong with the fleet as a whole.
    pub fleet: Option<anyhow::Error>,
    /// Whether it was stopped before the end.
    pub interrupted: bool,
}

impl World {
    fn say(&self, subject: &str, what: What) {
        // nobody listens any more: then nobody wants to know
        let _ = self.events.send(Event { subject: subject.to_owned(), what });
    }

    /// The right to change an instance.
    fn lease(&self, name: &InstanceName) -> Result<&Lease> {
        self.leases.get(name.as_str()).with_context(|| format!("nobody asked for the right to change {name}"))
    }

    /// The right to change what the fleet has in common; nothing else is waited for while one has it.
    async fn common_lease(&self) -> Result<Lease, StoreError> {
        self.wait_for(FLEET, "fleet").await
    }

    /// The lease of a subject; while somebody else has it, its name in the output waits for them.
    async fn wait_for(&self, subject: &str, name: &str) -> Result<Lease, StoreError> {
        let told = |held: &Held| {
            let by = held.by.as_ref().map(|by| format!(" for {by}")).unwrap_or_default();
            self.say(name, What::Doing(format!("waiting{by}")));
        };
        self.store.lease(subject, &self.clock.now(), told).await
    }

    fn doing(&self, instance: &Instance, text: impl Into<String>) {
        self.say(instance.name.as_str(), What::Doing(text.into()));
    }
}

/// Walks a plan to its end, or to the first step boundary after a stop.
pub async fn run(plan: Plan, world: &World) -> Report {
    let mut report = Report::default();
    if let Err(error) = fleet_steps(plan.before, Needed::ByNobody, world).await {
        report.interrupted = error.is::<Interrupted>();
        report.fleet = Some(error);
        return report;
    }
    if let Some(image) = plan.image {
        match image::walk(image, world).await {
            Ok(made) => report.image = made,
            Err(error) => {
                report.interrupted = error.is::<Interrupted>();
                report.fleet = Some(error);
                return report;
            }
        }
    }
    let mut waiting = plan.instances.into_iter();
    let mut running = JoinSet::new();
    loop {
        while running.len() < SIDE_BY_SIDE {
            let Some(next) = waiting.next() else { break };
            let world = world.clone();
            running.spawn(async move { instance::walk(next, &world).await });
        }
        match running.join_next().await {
            Some(Ok(finish)) => report.instances.push(finish),
            Some(Err(panic)) => {
                report.fleet = Some(anyhow::Error::new(panic).context("a task of clawberth broke"))
            }
            None => break,
        }
    }
    report.instances.sort_by(|a, b| a.instance.name.cmp(&b.instance.name));
    report.interrupted = report.instances.iter().any(|finish| finish.was_interrupted());
    let all_well = report.fleet.is_none() && report.instances.iter().all(|finish| finish.result.is_ok());
    if all_well && let Err(error) = fleet_steps(plan.after, Needed::ByInstances, world).await {
        report.interrupted = error.is::<Interrupted>();
        report.fleet = Some(error);
    }
    report
}

/// Whether what the fleet has in common may be needed when it is to be taken away.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Needed {
    /// By an instance that came since the last one was removed.
    ByInstances,
    ByNobody,
}

/// Takes steps for the fleet as a whole, while nobody else does.
async fn fleet_steps(mut steps: Vec<FleetStep>, needed: Needed, world: &World) -> Result<()> {
    if steps.is_empty() {
        return Ok(());
    }
    world.stop.check()?;
    let lease = world.common_lease().await?;
    if needed == Needed::ByInstances && !world.store.instances().await?.is_empty() {
        steps.retain(|step| !step.needs_an_empty_fleet());
    }
    let result = under_lease(steps, &lease, world).await;
    // one that cannot be freed ends by itself
    let _ = lease.release().await;
    result
}

async fn under_lease(steps: Vec<FleetStep>, lease: &Lease, world: &World) -> Result<()> {
    for step in steps {
        world.stop.check()?;
        let watch = world.clock.start();
        world.halt.here(step.word(), Point::BeforeIntent);
        let intent = lease.begin(step.word(), &world.clock.now()).await?;
        world.halt.here(step.word(), Point::AfterIntent);
        match fleet::take(&step, lease, world).await {
            Ok(done) => {
                world.halt.here(step.word(), Point::AfterAct);
                lease.end(intent, "done", &world.clock.now()).await?;
                world.halt.here(step.word(), Point::AfterOutcome);
                world.say("fleet", What::Did(done, watch.elapsed()));
            }
            Err(error) => {
                lease.end(intent, &instance::outcome(&error), &world.clock.now()).await?;
                return Err(error);
            }
        }
    }
    Ok(())
}

/// Polls of one wait: often at first, then every few seconds.
fn polling(limit: Duration) -> crate::backoff::Backoff {
    crate::backoff::Backoff::new(Duration::from_millis(500), Duration::from_secs(3), limit)
}
