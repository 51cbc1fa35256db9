//! The lab as a process: everything up, until it is told to go down; and the way down for whatever another left.

use std::fs;
use std::num::NonZeroU32;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use futures_util::future::try_join_all;
use rand::distr::{Alphanumeric, SampleString};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::sleep;

use super::api::fault::Fault;
use super::api::{ApiDate, Delays, ProjectKey};
use super::bring_up::{Up, bring_up};
use super::dir::{LabDir, Record, numbered};
use super::process::Process;
use super::scripted::{self, Claim, Loopback, Script};
use super::slot::Slot;
use super::story::Story;
use super::{network, nspawn, pebble, platform};

/// Between two looks at a lab that starts.
const LOOK: Duration = Duration::from_millis(100);
/// Nothing that runs for so long: the lab has ended.
const ENDED: Duration = Duration::from_millis(500);

/// What a lab consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The whole cloud with real machines.
    Machines,
    /// The whole cloud with hosts that do as a script says, in this process.
    Scripted,
    /// Hetzner's API alone.
    Api,
}

/// How a lab plays Hetzner, this time.
#[derive(Clone, Debug)]
pub struct Options {
    /// How long actions take.
    pub delays: Delays,
    /// Whose API is played.
    pub api_date: ApiDate,
    /// Requests an hour for each project; `None`: as many as come.
    pub rate_limit: Option<u32>,
    /// What scripted hosts do.
    pub hosts: Script,
    /// What goes wrong from the beginning.
    pub faults: Vec<Fault>,
    /// The projects that it is to have besides those it has.
    pub projects: Vec<String>,
    /// How many times as fast as real time Let's Encrypt's limits pass.
    pub acme_speed: NonZeroU32,
}

/// The project that each lab has.
pub const PROJECT: &str = "default";

/// Where a lab tells its story, one line at a time.
pub type Say<'a> = &'a mut (dyn FnMut(&str) + Send);

/// The cloud waits up to 90 s for what it is doing; machines then get 30 s to stop, some side by side.
const DOWN: Duration = Duration::from_secs(300);
/// With everything to fetch and build for the first time.
const READY: Duration = Duration::from_secs(30 * 60);

/// Is the lab until it is told to end (^C, SIGTERM, `lab down`), then takes everything down. Says `ready` when it
/// answers.
///
/// # Errors
/// The lab runs already, machines cannot run here, or something could not be brought up or down.
pub async fn run(dir: &LabDir, kind: Kind, options: &Options, ready: &str, say: Say<'_>) -> Result<()> {
    check(kind)?;
    dir.make()?;
    let Some(_lock) = dir.lock()? else {
        bail!("the lab in {} runs already", dir.path().display());
    };
    // From here on a signal means: take down what there is.
    let mut end = End::new()?;
    let me = Process::of(std::process::id()).context("this process is not in /proc")?;
    me.save(&dir.pid())?;
    remove(&dir.ready())?;
    let (record, _claim) = recorded(dir, kind, &options.projects)?;
    let outcome = live(dir, record, options, &mut end, ready, say).await;
    say("taking the lab down");
    let down = take_down(dir).await;
    outcome.and(down)
}

/// Whether a lab of that kind can run on this computer.
fn check(kind: Kind) -> Result<()> {
    match kind {
        Kind::Machines => platform::check(),
        Kind::Scripted => platform::check_linux(),
        Kind::Api => Ok(()),
    }
}

/// Brings everything up, then waits for the end.
async fn live(
    dir: &LabDir,
    record: Record,
    options: &Options,
    end: &mut End,
    ready: &str,
    say: Say<'_>,
) -> Result<()> {
    let mut up = tokio::select! {
        up = bring_up(dir, record, options, say) => up?,
        () = end.told() => return Ok(()),
    };
    say("starting the servers that should run");
    let outcome = tokio::select! {
        failure = serve(dir, &mut up, ready, say) => failure,
        () = end.told() => Ok(()),
    };
    outcome.and(up.cloud.halt().await)
}

/// Lets the cloud go on where it was, and serves until something fails.
async fn serve(dir: &LabDir, up: &mut Up, ready: &str, say: Say<'_>) -> Result<()> {
    up.cloud.resume().await;
    say(ready);
    fs::write(dir.ready(), "")?;
    Err(up.failed().await)
}

/// Takes down whatever the lab in a directory has up, from its records alone: the process that made it may be dead.
///
/// # Errors
/// Something could not be removed. What came after it is still there; the next call goes on.
async fn take_down(dir: &LabDir) -> Result<()> {
    let record = dir.record()?;
    let machines = numbered(&dir.machines())?;
    if let Some(slot) = record.as_ref().and_then(|record| record.slot) {
        try_join_all(machines.iter().map(|(id, path)| nspawn::stop(slot, path, *id))).await?;
        pebble::stop(dir).await;
        network::down(slot).await?;
    }
    if record.is_some_and(|record| record.loopback.is_some()) {
        scripted::power_off(&machines)?;
    }
    remove(&dir.ready())?;
    remove(&dir.pid())
}

fn remove(file: &Path) -> Result<()> {
    if file.exists() {
        fs::remove_file(file).with_context(|| format!("cannot remove {}", file.display()))?;
    }
    Ok(())
}

/// Takes the lab down, also if it was killed. False if nothing of it was up.
///
/// # Errors
/// The lab's process did not end in time, or something could not be removed.
pub async fn down(dir: &LabDir) -> Result<bool> {
    if !dir.path().is_dir() {
        return Ok(false);
    }
    let was_up = dir.pid().exists();
    if let Some(process) = dir.process()
        && !process.end(DOWN).await
    {
        bail!("the lab (process {}) still runs {DOWN:?} after it was told to end", process.id());
    }
    let Some(_lock) = dir.lock()? else {
        bail!("another process holds the lab in {}", dir.path().display());
    };
    take_down(dir).await?;
    Ok(was_up)
}

/// Starts the lab as a process of its own, by this command line, and returns when it is ready, telling its story meanwhile.
/// A lab that another call has started is waited for in the same way.
///
/// # Errors
/// The lab ended instead, or was not ready in time.
pub async fn detach(dir: &LabDir, kind: Kind, words: &[String], say: Say<'_>) -> Result<()> {
    check(kind)?;
    dir.make()?;
    let program = std::env::current_exe().context("this program does not know where it is")?;
    let mut story = Story::after(dir.log());
    let start = || Process::detach(&program.display().to_string(), words, &[], &dir.log());
    let own = if dir.runs() { None } else { start().ok() };
    let until = Instant::now() + READY;
    let mut ran = Instant::now();
    while !dir.answers() {
        story.tell(say);
        // of two processes started at once, the second ends, maybe before the first has said that it runs
        if dir.runs() || own.is_some_and(|process| process.runs()) {
            ran = Instant::now();
        } else if ran.elapsed() > ENDED {
            story.tell(say);
            bail!("the lab ended before it was ready, see {}", dir.log().display());
        }
        if Instant::now() >= until {
            if let Some(process) = own {
                process.end(DOWN).await;
            }
            bail!("the lab was not ready after {READY:?}, see {}", dir.log().display());
        }
        sleep(LOOK).await;
    }
    // of two the second ends by itself; late, it would take the place of a first one that was taken down meanwhile
    let second = own.filter(|own| dir.process().is_some_and(|lab| lab.id() != own.id()));
    while second.is_some_and(|process| process.runs()) && Instant::now() < until {
        sleep(LOOK).await;
    }
    story.tell(say);
    Ok(())
}

/// The signals that end a lab: `lab down` sends the first, a terminal the others.
struct End([Signal; 3]);

impl End {
    fn new() -> Result<Self> {
        let [terminate, interrupt, hangup] =
            [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()].map(signal);
        Ok(Self([terminate?, interrupt?, hangup?]))
    }

    async fn told(&mut self) {
        let [terminate, interrupt, hangup] = &mut self.0;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}

/// The record of the lab, made at the first `up`, and the proof that its loopback addresses are this process's.
fn recorded(dir: &LabDir, kind: Kind, projects: &[String]) -> Result<(Record, Option<Claim>)> {
    let (mut record, claim) = match dir.record()? {
        Some(record) if record.kind() == kind => {
            let claim = record.loopback.map(Loopback::claim).transpose()?;
            (record, claim)
        }
        Some(_) => bail!("{} holds a lab of another kind; name another with --dir", dir.path().display()),
        None => {
            let slot = (kind == Kind::Machines).then(|| Slot::claim(dir.path())).transpose()?;
            let claimed = (kind == Kind::Scripted).then(|| Loopback::claim_any(dir.path())).transpose()?;
            let (loopback, claim) = claimed.unzip();
            (Record { slot, loopback, projects: Vec::new(), port: 0 }, claim)
        }
    };
    for name in std::iter::once(PROJECT).chain(projects.iter().map(String::as_str)) {
        if !record.projects.iter().any(|project| project.name == name) {
            let token = Alphanumeric.sample_string(&mut rand::rng(), 64);
            record.projects.push(ProjectKey { name: name.to_owned(), token });
        }
    }
    dir.keep(&record)?;
    Ok((record, claim))
}
