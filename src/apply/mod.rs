//! Walks a plan. The only place that changes the world: for each step intent, act, outcome, stage, event.

mod adopt;
mod create;
mod delete;
mod dns;
mod fleet;
mod guard;
mod halt;
mod host;
mod instance;
mod stop;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::sync::OnceCell;
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinSet;

pub use halt::{Halt, Point};
pub use host::SetUpFailed;
pub use instance::Finish;
pub use stop::{Interrupted, Stop, Stopper};

use crate::clock::Clock;
use crate::entropy::Entropy;
use crate::hcloud::Client;
use crate::model::admin::AdminNetworks;
use crate::model::event::{Event, What};
use crate::model::instance::Instance;
use crate::plan::{FleetStep, Plan};
use crate::ssh::KeyPair;
use crate::store::Store;

/// How many instances are worked on at the same time.
const SIDE_BY_SIDE: usize = 32;

/// Everything that steps act on and with.
#[derive(Clone, Debug)]
pub struct World {
    /// The state.
    pub store: Store,
    /// The Hetzner API.
    pub cloud: Client,
    /// The operator's key for this fleet.
    pub key: KeyPair,
    /// What new servers are told, beyond their release and name.
    pub birth: Birth,
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
    /// What all servers share, looked up once.
    pub common: Arc<OnceCell<Common>>,
}

/// What all servers of the fleet share.
#[derive(Clone, Debug)]
pub struct Common {
    firewall: u64,
    ssh_keys: Vec<u64>,
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

    /// The fleet's firewall and keys; one look for all creates, after the steps that make them.
    async fn common(&self) -> Result<&Common> {
        // lists may not show yet what was made just now
        let look = || async move {
            let seen = adopt::until_seen(|| fleet::common(self), adopt::LAG).await?;
            seen.context("the fleet's firewall or SSH key is gone")
        };
        self.common.get_or_try_init(look).await
    }

    fn doing(&self, instance: &Instance, text: impl Into<String>) {
        self.say(instance.name.as_str(), What::Doing(text.into()));
    }
}

/// Walks a plan to its end, or to the first step boundary after a stop.
pub async fn run(plan: Plan, world: &World) -> Report {
    let mut report = Report::default();
    if let Err(error) = fleet_steps(plan.before, world).await {
        report.interrupted = error.is::<Interrupted>();
        report.fleet = Some(error);
        return report;
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
    if all_well && let Err(error) = fleet_steps(plan.after, world).await {
        report.interrupted = error.is::<Interrupted>();
        report.fleet = Some(error);
    }
    report
}

async fn fleet_steps(steps: Vec<FleetStep>, world: &World) -> Result<()> {
    for step in steps {
        world.stop.check()?;
        let watch = world.clock.start();
        world.halt.here(step.word(), Point::BeforeIntent);
        let intent = world.store.begin("fleet", step.word(), &world.clock.now()).await?;
        world.halt.here(step.word(), Point::AfterIntent);
        match fleet::take(&step, world).await {
            Ok(done) => {
                world.halt.here(step.word(), Point::AfterAct);
                world.store.end(intent, "done", &world.clock.now()).await?;
                world.halt.here(step.word(), Point::AfterOutcome);
                world.say("fleet", What::Did(done, watch.elapsed()));
            }
            Err(error) => {
                world.store.end(intent, &format!("failed: {error}"), &world.clock.now()).await?;
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
