//! Steps on the host: reach it, trust it, wait for its set-up, see it serve.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::time::Instant;

use super::instance::Done;
use super::line::{COMMAND, Line, server, target};
use super::{World, polling};
use crate::backoff::Backoff;
use crate::host::install::{self, Progress};
use crate::host::{admin, gateway, identity, outside};
use crate::model::instance::{Instance, Outcome};
use crate::ssh::{Session, SshError, Target};

/// Longest wait from the create until SSH answers: boot, and cloud-init's first stage.
const REACH: Duration = Duration::from_secs(300);
/// After so many looks in vain the API is asked whether the server is on,
const LOOKS_BEFORE_ASKING: u32 = 5;
/// but not before this: Hetzner takes 8 s for a create and 2 s for a start.
const STARTED: Duration = Duration::from_secs(12);
/// Longest wait until the fleet's key is accepted and the identity is read.
const TRUST: Duration = Duration::from_secs(120);
/// Longest wait for the set-up on the host: packages, Node and OpenClaw from their registries.
const INSTALL: Duration = Duration::from_secs(1200);
/// Longest wait until every check from outside holds. A first start takes 10–16 s, 160 s were seen on a starved CPU.
const SERVE: Duration = Duration::from_secs(600);

pub(super) async fn reach(instance: &Instance, world: &World) -> Result<Done> {
    world.doing(instance, "waiting for SSH with the pinned host key");
    let target = target(instance, world)?;
    world.stop.or(until_reached(&target, server(instance)?.id, world)).await?;
    Ok(Done::new(Outcome::Reached, "SSH answers with the pinned host key"))
}

async fn until_reached(target: &Target, id: u64, world: &World) -> Result<()> {
    let mut pauses = polling(REACH);
    let (begun, mut failures, mut was_off) = (Instant::now(), 0_u32, false);
    loop {
        let error = match Session::connect(target).await {
            Ok(session) => {
                session.close().await;
                return Ok(());
            }
            // the key is checked before the login: it is that host, whose users are not made yet
            Err(SshError::Refused { .. }) => return Ok(()),
            Err(error) if error.is_final() => return Err(error.into()),
            Err(error) => error,
        };
        failures += 1;
        if failures.is_multiple_of(LOOKS_BEFORE_ASKING) && begun.elapsed() >= STARTED {
            // off for a moment, between its create and its start, is every server
            let is_off = world.is_off(id).await;
            ensure!(!(was_off && is_off), "server {id} is off: its start failed");
            was_off = is_off;
        }
        if let Err(late) = pauses.pause().await {
            return Err(
                anyhow::Error::new(error).context(format!("the server does not answer to SSH: {late}"))
            );
        }
    }
}

pub(super) async fn trust(instance: &Instance, world: &World) -> Result<Done> {
    world.doing(instance, "logging in");
    let server = server(instance)?;
    let target = target(instance, world)?;
    let id = world.stop.or(claimed_id(&target)).await?;
    ensure!(id == server.id.to_string(), "server {} says that it is {id}", server.id);
    Ok(Done::new(Outcome::Trusted, "logged in"))
}

/// The id that the server was given, as its own cloud-init knows it.
async fn claimed_id(target: &Target) -> Result<String> {
    let mut pauses = polling(TRUST);
    loop {
        let error = match ask(target).await {
            Ok(id) => return Ok(id),
            Err(error) => error,
        };
        if error.downcast_ref().is_some_and(SshError::is_final) {
            return Err(error);
        }
        if let Err(late) = pauses.pause().await {
            return Err(error.context(format!("cannot log in: {late}")));
        }
    }
}

async fn ask(target: &Target) -> Result<String> {
    let session = Session::connect(target).await?;
    let output = session.run(&identity::server_id(), COMMAND).await?;
    session.close().await;
    identity::parse_server_id(&output)
}

pub(super) async fn admit(instance: &Instance, world: &World) -> Result<Done> {
    world.doing(instance, "changing the host's firewall");
    let admin = world.birth.admin.as_ref().context("no admin networks are set")?;
    let command = admin::replace(admin)?;
    let session = Session::connect(&target(instance, world)?).await?;
    let output = session.run(&command, COMMAND).await;
    session.close().await;
    let output = output?;
    ensure!(output.status == 0, "the host's firewall refuses the admin networks: {}", output.stderr.trim());
    Ok(Done::new(Outcome::Admitted, "host's firewall changed"))
}

pub(super) async fn install(instance: &Instance, world: &World) -> Result<Done> {
    world.doing(instance, "waiting for the set-up");
    let target = target(instance, world)?;
    world.stop.or(until_installed(&target, instance, world)).await?;
    let release = &instance.spec.release;
    Ok(Done::new(Outcome::Installed, format!("set up: {release}")))
}

/// Runs the set-up once more, and watches it as a first one.
pub(super) async fn set_up(instance: &Instance, world: &World) -> Result<Done> {
    world.doing(instance, "starting the set-up again");
    let target = target(instance, world)?;
    let mut line = Line::new(&target);
    let mut pauses = polling(COMMAND);
    let marked = line.run(&install::mark(), &mut pauses).await?;
    ensure!(marked.status == 0, "the host cannot write: {}", marked.stderr.trim());
    start_again(&mut line, &mut pauses).await?;
    world.stop.or(until_installed(&target, instance, world)).await?;
    Ok(Done::new(Outcome::Installed, format!("set up again: {}", instance.spec.release)))
}

/// Starts the set-up. Where it runs already, perhaps because the answer to the first start was lost, that is as good.
async fn start_again(line: &mut Line<'_>, pauses: &mut Backoff) -> Result<()> {
    let started = line.run(&install::again(), pauses).await?;
    if started.status == 0 {
        return Ok(());
    }
    let seen = line.run(&install::progress(), pauses).await?;
    let runs = matches!(install::parse_progress(&seen.stdout), Ok(Progress::Running { .. }));
    ensure!(runs, "the set-up cannot be started: {}", started.stderr.trim());
    Ok(())
}

/// Watches the set-up, which the server does by itself. One that an earlier deploy saw fail is started again, once.
async fn until_installed(target: &Target, instance: &Instance, world: &World) -> Result<()> {
    let mut line = Line::new(target);
    let mut pauses = polling(INSTALL);
    let mut seen = "nothing yet".to_owned();
    let mut first_look = true;
    loop {
        match line
            .run(&install::progress(), &mut pauses)
            .await
            .map(|output| install::parse_progress(&output.stdout))
        {
            Ok(Ok(Progress::Done)) => return Ok(()),
            Ok(Ok(Progress::Packages)) => seen = "installing Debian's packages".to_owned(),
            Ok(Ok(Progress::Running { part, .. })) => seen = part.to_string(),
            Ok(Ok(Progress::Failed { .. })) if first_look => {
                start_again(&mut line, &mut pauses).await?;
                seen = "starting the set-up again".to_owned();
            }
            Ok(Ok(Progress::Failed { what, log })) => return Err(failed(instance, &what, &log).into()),
            Ok(Err(unreadable)) => seen = format!("{unreadable:#}"),
            Err(error) => return Err(error.context(format!("the set-up was last seen at: {seen}"))),
        }
        first_look = false;
        world.doing(instance, seen.as_str());
        pauses.pause().await.with_context(|| format!("the set-up is not done; last seen: {seen}"))?;
    }
}

fn failed(instance: &Instance, what: &str, log: &str) -> SetUpFailed {
    let name = instance.name.to_string();
    SetUpFailed { name, what: what.to_owned(), log: log.to_owned() }
}

/// The set-up on a server failed; the end of its log says why.
#[derive(Debug, thiserror::Error)]
#[error("the set-up of {name} failed: {what}")]
pub struct SetUpFailed {
    name: String,
    what: String,
    /// The last lines of its log.
    pub log: String,
}

pub(super) async fn serve(instance: &Instance, world: &World) -> Result<Done> {
    world.doing(instance, "waiting until it serves, seen from outside");
    let gate =
        outside::Gate::of(instance, world.acme_root.as_deref())?.context("the instance has no address")?;
    let target = target(instance, world)?;
    world.stop.or(until_serving(&gate, &target, instance, world)).await?;
    Ok(Done::new(Outcome::Served, format!("serves OpenClaw {}", instance.spec.release.openclaw)))
}

async fn until_serving(
    gate: &outside::Gate,
    target: &Target,
    instance: &Instance,
    world: &World,
) -> Result<()> {
    let mut line = Line::new(target);
    let mut pauses = polling(SERVE);
    loop {
        let mut failing: Vec<String> = gate
            .check_once()
            .await
            .into_iter()
            .filter_map(|(check, found)| found.err().map(|why| format!("{check}: {why:#}")))
            .collect();
        if failing.is_empty() {
            let expected = instance.spec.release.openclaw;
            match version(&mut line, &mut pauses).await {
                Ok(running) if running == expected => return Ok(()),
                Ok(running) => failing.push(format!("the gateway is {running}, not {expected}")),
                Err(error) => failing.push(format!("version: {error:#}")),
            }
        }
        let failing = failing.join("; ");
        world.doing(instance, format!("waiting until it serves ({failing})"));
        pauses.pause().await.with_context(|| format!("it does not serve: {failing}"))?;
    }
}

/// What the gateway itself says of its version, to whoever has its token: that is only its server.
async fn version(
    line: &mut Line<'_>,
    pauses: &mut Backoff,
) -> Result<crate::model::release::OpenClawVersion> {
    let output = line.run(&gateway::version(), pauses).await?;
    ensure!(output.status == 0, "{}", output.stderr.trim());
    gateway::parse_version(&output.stdout)
}
