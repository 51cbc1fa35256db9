//! `clawberth lab`: the local cloud.

use std::ffi::OsString;
use std::fmt;
use std::io::Write;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand, ValueEnum};

use crate::lab::api::{ApiDate, Delays, HOURLY, fault};
use crate::lab::dir::LabDir;
use crate::lab::scripted::Script;
use crate::lab::status::{Status, environment, status};
use crate::lab::supervisor::{self, Kind, Options};
use crate::lab::viewpoint::{self, Viewpoint};

/// Play Hetzner on this computer: API, DNS, ACME and real Debian machines
#[derive(Args, Clone, Debug)]
pub(super) struct Lab {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Clone, Debug)]
enum Command {
    /// Bring the lab up, with the servers it had
    Up(Up),
    /// Play Hetzner's API alone: no root, no machines
    Api(Start),
    /// Take the lab down; its servers come back with the next `up`
    Down(Place),
    /// Say whether the lab runs, and its machines
    Status(Place),
    /// Print the exports that point clawberth and hcloud to the lab
    Env {
        #[command(flatten)]
        place: Place,
        /// The project whose token is exported
        #[arg(long, value_name = "NAME", default_value = supervisor::PROJECT)]
        project: String,
    },
    /// Run a command from a stranger's or the operator's point of view
    Exec {
        #[command(flatten)]
        place: Place,
        /// Who runs it
        #[arg(long, value_enum)]
        from: From,
        /// The command and its arguments
        #[arg(last = true, required = true)]
        command: Vec<OsString>,
    },
}

#[derive(Args, Clone, Debug)]
struct Place {
    /// The lab's directory [default: ~/.local/state/clawberth/lab]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

#[derive(Args, Clone, Debug)]
struct Start {
    #[command(flatten)]
    place: Place,
    /// Return as soon as it is ready; the log is in the lab's directory
    #[arg(long)]
    detach: bool,
    /// Play Hetzner's API as of a month: 2026-06 with `datacenter` and `deprecated`, or 2026-11 without
    #[arg(long, value_name = "MONTH", default_value_t)]
    api_date: ApiDate,
    /// How long actions take
    #[arg(long, value_enum, default_value_t)]
    speed: Speed,
    /// A file that says how long which action takes
    #[arg(long, value_name = "FILE", conflicts_with = "speed")]
    delays: Option<PathBuf>,
    /// A file that says what goes wrong, see docs/lab.md
    #[arg(long, value_name = "FILE")]
    faults: Option<PathBuf>,
    /// Requests an hour for each project, or `none`
    #[arg(long, value_name = "N", default_value_t)]
    rate_limit: RateLimit,
    /// Have another project, with a token of its own
    #[arg(long = "project", value_name = "NAME")]
    projects: Vec<String>,
}

#[derive(Args, Clone, Debug)]
struct Up {
    #[command(flatten)]
    start: Start,
    /// Who plays the servers; a lab's directory is for one of them for ever
    #[arg(long, value_enum, default_value_t)]
    machines: Machines,
    /// A file that says what scripted machines do, and what goes wrong
    #[arg(long, value_name = "FILE")]
    hosts: Option<PathBuf>,
    /// Let the rate limits of Let's Encrypt pass N times as fast as in real time
    #[arg(long, value_name = "N", default_value_t = NonZeroU32::MIN)]
    acme_speed: NonZeroU32,
}

#[derive(ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Machines {
    /// Debian machines: root, and about 1 GB of memory for each gateway
    #[default]
    Real,
    /// SSH and HTTPS endpoints that do as if, a thousand in one process
    Scripted,
}

#[derive(ValueEnum, Clone, Copy, Debug, Default)]
enum Speed {
    /// As measured at Hetzner: create 8 s, start 2 s, delete 3 s
    Real,
    /// Create 2 s, the rest 1 s and less
    #[default]
    Quick,
    /// As fast as it can
    None,
}

/// Requests an hour; `none`: no limit.
#[derive(Clone, Copy, Debug)]
struct RateLimit(Option<u32>);

impl Default for RateLimit {
    fn default() -> Self {
        Self(Some(HOURLY))
    }
}

impl FromStr for RateLimit {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "none" => Ok(Self(None)),
            number => match number.parse() {
                Ok(n) if n > 0 => Ok(Self(Some(n))),
                _ => bail!("must be a number greater than 0, or none"),
            },
        }
    }
}

impl fmt::Display for RateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(limit) => limit.fmt(f),
            None => f.pad("none"),
        }
    }
}

impl Start {
    fn options(&self) -> Result<Options> {
        let delays = match (&self.delays, self.speed) {
            (Some(file), _) => read(file, Delays::read)?,
            (None, Speed::Real) => Delays::real(),
            (None, Speed::Quick) => Delays::quick(),
            (None, Speed::None) => Delays::none(),
        };
        let faults = self.faults.as_deref().map(|file| read(file, fault::read)).transpose()?;
        Ok(Options {
            delays,
            faults: faults.unwrap_or_default(),
            api_date: self.api_date,
            rate_limit: self.rate_limit.0,
            hosts: Script::read("")?,
            projects: self.projects.clone(),
            acme_speed: NonZeroU32::MIN,
        })
    }
}

/// What a file says.
fn read<T>(file: &Path, read: impl FnOnce(&str) -> Result<T>) -> Result<T> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    read(&text).with_context(|| format!("{} is wrong", file.display()))
}

#[derive(ValueEnum, Clone, Copy, Debug)]
enum From {
    /// A stranger on the Internet
    World,
    /// The operator: this computer
    Admin,
}

impl Lab {
    /// Runs the command and writes its answer, that of `status` in JSON on request. `exec` becomes the command, so that its exit code is passed on.
    ///
    /// # Errors
    /// Whatever the lab could not do.
    pub(super) async fn run(self, json: bool, out: &mut (dyn Write + Send)) -> Result<()> {
        match self.command {
            Command::Up(up) => up.run(out).await,
            Command::Api(start) => {
                let options = start.options()?;
                bring_up(start, Kind::Api, &options, out).await
            }
            Command::Down(place) => down(&place.lab()?, out).await,
            Command::Status(place) => show(&status(&place.lab()?)?, json, out),
            Command::Env { place, project } => export(&place.lab()?, &project, out),
            Command::Exec { place, from, command } => {
                let from = match from {
                    From::World => Viewpoint::World,
                    From::Admin => Viewpoint::Admin,
                };
                Err(viewpoint::exec(&place.lab()?, from, &command))
            }
        }
    }
}

impl Place {
    fn lab(&self) -> Result<LabDir> {
        match &self.dir {
            Some(dir) => LabDir::at(dir),
            None => LabDir::at(&LabDir::default_path()?),
        }
    }
}

impl Up {
    async fn run(self, out: &mut (dyn Write + Send)) -> Result<()> {
        let mut options = self.start.options()?;
        options.acme_speed = self.acme_speed;
        let kind = match self.machines {
            Machines::Real => Kind::Machines,
            Machines::Scripted => Kind::Scripted,
        };
        if let Some(file) = &self.hosts {
            if kind == Kind::Machines {
                bail!("--hosts is about scripted machines: add --machines scripted");
            }
            let text =
                std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
            options.hosts = Script::read(&text).with_context(|| format!("{} is wrong", file.display()))?;
        }
        bring_up(self.start, kind, &options, out).await
    }
}

async fn bring_up(start: Start, kind: Kind, options: &Options, out: &mut (dyn Write + Send)) -> Result<()> {
    let dir = start.place.lab()?;
    if dir.answers() || (dir.runs() && !start.detach) {
        writeln!(out, "the lab in {} runs already", dir.path().display())?;
        return Ok(());
    }
    let hint = next(&dir)?;
    // A story that nobody hears any more is no reason to end.
    let mut say = |line: &str| drop(writeln!(out, "{line}").and_then(|()| out.flush()));
    if start.detach {
        supervisor::detach(&dir, kind, &again(), &mut say).await?;
    } else {
        let mut said = |line: &str| say(line);
        supervisor::run(&dir, kind, options, &hint, &mut said).await?;
    }
    Ok(())
}

/// This command line, for the process that is to be the lab: it does not detach again.
fn again() -> Vec<String> {
    std::env::args().skip(1).filter(|word| word != "--detach").collect()
}

/// What to type when the lab is ready.
fn next(dir: &LabDir) -> Result<String> {
    let usual = dir.path() == LabDir::default_path()?;
    let which =
        if usual { String::new() } else { format!(" --dir {}", quoted(&dir.path().display().to_string())) };
    Ok(format!("the lab is ready; next: eval \"$(clawberth lab env{which})\""))
}

async fn down(dir: &LabDir, out: &mut (dyn Write + Send)) -> Result<()> {
    let said = if supervisor::down(dir).await? { "is down" } else { "was down already" };
    writeln!(out, "the lab in {} {said}", dir.path().display())?;
    Ok(())
}

fn show(status: &Status, json: bool, out: &mut (dyn Write + Send)) -> Result<()> {
    if json {
        writeln!(out, "{}", serde_json::to_string_pretty(status)?)?;
        return Ok(());
    }
    let state = if status.running { "running" } else { "down" };
    writeln!(out, "{state}  {}", status.dir.display())?;
    if let Some(endpoint) = status.endpoint.as_ref().filter(|_| status.running) {
        writeln!(out, "API  {endpoint}")?;
    }
    for machine in &status.machines {
        let address = machine.ipv4.map(|address| address.to_string()).unwrap_or_default();
        let power = if machine.running { "on" } else { "off" };
        writeln!(out, "{:>4}  {:<30} {address:<15} {power}", machine.id, machine.name)?;
    }
    Ok(())
}

fn export(dir: &LabDir, project: &str, out: &mut (dyn Write + Send)) -> Result<()> {
    for (name, value) in environment(dir, project)? {
        writeln!(out, "export {name}={}", quoted(&value))?;
    }
    Ok(())
}

/// A word for a POSIX shell.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}
