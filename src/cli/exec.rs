//! `clawberth exec`

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::context::Context;
use super::deploy::each_once;
use super::error::hint;
use super::fleet::Fleet;
use super::{Failure, Status};
use crate::clock::Clock;
use crate::config::{Flags, Settings};
use crate::model::instance::Instance;
use crate::model::name::InstanceName;
use crate::model::refusal::Refusal;
use crate::ssh::{self, Output, Session, Target};
use crate::ui::counted;

/// How many servers are talked to at the same time: their answers are waited for, mostly, and each takes a socket.
const SIDE_BY_SIDE: usize = 256;

/// Run a command on servers side by side, as root
///
/// Each argument arrives as it is: for pipes and variables, run `-- sh -c '…'`. What several of them answer alike is shown once. Exits
/// with 1 where the command failed, or was not heard of, on one of them.
#[derive(Debug, clap::Args)]
pub(super) struct Exec {
    /// Names of the instances
    #[arg(value_name = "NAME")]
    names: Vec<InstanceName>,
    /// On all instances
    #[arg(long, conflicts_with = "names")]
    all: bool,
    /// The longest that it may take on each, such as 90s, 10m or 1h
    #[arg(long, value_name = "TIME", default_value = "10m")]
    timeout: SignedDuration,
    /// Command and arguments
    #[arg(last = true, value_name = "CMD", required = true)]
    command: Vec<String>,
}

/// What came of the command on one of them.
struct Heard {
    name: InstanceName,
    took: Duration,
    result: anyhow::Result<Output>,
}

impl Exec {
    pub(super) async fn run(self, flags: &Flags, context: &mut Context) -> Result<Status, Failure> {
        let settings = Settings::load(flags, &context.env, &context.cwd)?;
        let fleet = Fleet::find(&settings, context).await?;
        let Some((program, arguments)) = self.command.split_first() else {
            return Err(Refusal::new("no command", "say which one after --").into());
        };
        let command = ssh::Command::new(program).args(arguments.iter().map(String::as_str));
        let limit = Duration::try_from(self.timeout)
            .map_err(|_| Refusal::new("a --timeout before the beginning", "say --timeout 10m"))?;
        let targets = self
            .chosen(&fleet)?
            .into_iter()
            .map(|instance| Ok((instance.name.clone(), fleet.target(instance)?)))
            .collect::<Result<Vec<_>, Refusal>>()?;
        let heard = on_each(targets, command, limit, context.clock).await;
        let well = heard.iter().filter(|heard| heard.is_well()).count();
        if context.ui.style().json {
            context.ui.json(&json!({ "instances": heard.iter().map(Heard::json).collect::<Vec<_>>() }))?;
        } else {
            for (told, names) in alike(&heard) {
                context.ui.answer(&format!("{}: {told}", names.join(", ")))?;
            }
        }
        context.ui.note(&format!("done on {well} of {}", counted(heard.len(), "instance")));
        let errors = heard.iter().filter_map(|heard| heard.result.as_ref().err());
        let hints: BTreeSet<String> = errors.filter_map(hint).collect();
        for hint in hints {
            context.ui.complain(&format!("hint: {hint}"));
        }
        Ok(if well == heard.len() { Status::Success } else { Status::Failed })
    }

    /// Those that are named, each once; or all that have a server.
    fn chosen<'a>(&self, fleet: &'a Fleet) -> Result<Vec<&'a Instance>, Refusal> {
        if !self.all && self.names.is_empty() {
            return Err(Refusal::new("no instance is named", "name some, or say --all"));
        }
        if !self.all {
            each_once(&self.names)?;
            return self.names.iter().map(|name| fleet.instance(name)).collect();
        }
        let with_server = fleet.instances.iter().filter(|instance| instance.stage.server().is_some());
        let all: Vec<&Instance> = with_server.collect();
        if all.is_empty() {
            return Err(Refusal::new("no instance has a server", "`clawberth deploy NAME` makes one"));
        }
        Ok(all)
    }
}

/// Runs it on all of them, some at a time; what was heard, by name.
async fn on_each(
    targets: Vec<(InstanceName, Target)>,
    command: ssh::Command,
    limit: Duration,
    clock: Clock,
) -> Vec<Heard> {
    let command = Arc::new(command);
    let (mut waiting, mut running) = (targets.into_iter(), JoinSet::new());
    let mut heard = Vec::with_capacity(waiting.len());
    loop {
        while running.len() < SIDE_BY_SIDE {
            let Some((name, target)) = waiting.next() else { break };
            let command = Arc::clone(&command);
            running.spawn(async move {
                let watch = clock.start();
                let result = on_one(&target, &command, limit).await;
                Heard { name, took: watch.elapsed(), result }
            });
        }
        match running.join_next().await {
            Some(Ok(one)) => heard.push(one),
            Some(Err(broke)) => std::panic::resume_unwind(broke.into_panic()),
            None => break,
        }
    }
    heard.sort_by(|a, b| a.name.cmp(&b.name));
    heard
}

async fn on_one(target: &Target, command: &ssh::Command, limit: Duration) -> anyhow::Result<Output> {
    let session = Session::connect(target).await?;
    let output = session.run(command, limit).await;
    session.close().await;
    Ok(output?)
}

/// What was heard, and of whom the same; in the order of the first of each.
fn alike(heard: &[Heard]) -> Vec<(String, Vec<&str>)> {
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let mut groups: Vec<(String, Vec<&str>)> = Vec::new();
    for one in heard {
        let told = one.text();
        let place = *places.entry(told.clone()).or_insert(groups.len());
        match groups.get_mut(place) {
            Some((_, names)) => names.push(one.name.as_str()),
            None => groups.push((told, vec![one.name.as_str()])),
        }
    }
    groups
}

impl Heard {
    fn is_well(&self) -> bool {
        self.result.as_ref().is_ok_and(|output| output.status == 0)
    }

    /// How it ended, and under that what was written, to either stream.
    fn text(&self) -> String {
        let output = match &self.result {
            Ok(output) => output,
            Err(error) => return format!("{error:#}"),
        };
        let written = output.stdout.lines().chain(output.stderr.lines()).map(|line| format!("\n  {line}"));
        let ended = match output.status {
            0 => "done".to_owned(),
            status => format!("exit status {status}"),
        };
        ended + &written.collect::<String>()
    }

    fn json(&self) -> Value {
        let (name, seconds) = (&self.name, self.took.as_secs_f64());
        match &self.result {
            Ok(Output { status, stdout, stderr }) => {
                json!({ "name": name, "status": status, "stdout": stdout, "stderr": stderr, "seconds": seconds })
            }
            Err(error) => json!({ "name": name, "error": format!("{error:#}"), "seconds": seconds }),
        }
    }
}
