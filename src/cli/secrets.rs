//! Reads the secrets that policies name, from where they are.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use tokio::process::Command;
use tokio::time::timeout;

use super::Failure;
use super::context::Context;
use crate::config::Settings;
use crate::model::policy::{Policy, Source};
use crate::model::refusal::Refusal;
use crate::secret::Secret;

/// Longest wait for a command that tells a secret: somebody may have to unlock something.
const COMMAND: Duration = Duration::from_secs(120);
/// More than this is no secret: a key has a few hundred bytes.
const LONGEST: usize = 64 << 10;

/// The secrets of these policies, each read once.
pub(super) async fn read<'a>(
    policies: impl Iterator<Item = &'a Policy>,
    settings: &Settings,
    context: &mut Context,
) -> Result<BTreeMap<Source, Secret>, Failure> {
    let sources: BTreeSet<&Source> =
        policies.flat_map(|policy| policy.secrets().map(|(_, source)| source)).collect();
    let folder = settings.folder.clone().unwrap_or_else(|| context.cwd.clone());
    let mut secrets = BTreeMap::new();
    for source in sources {
        let text = match source {
            Source::Environment(name) => {
                context.env.get(name).map(str::to_owned).ok_or_else(|| missing(source, "it is not set"))?
            }
            Source::File(path) => file(source, &at(path, &folder, context))?,
            Source::Command(command) => said(source, command, &folder).await?,
            Source::Prompt(words) => context
                .ui
                .ask_secret(&format!("{words}: "))?
                .ok_or_else(|| missing(source, "nobody can be asked"))?,
        };
        let first = text.lines().next().unwrap_or_default().trim().to_owned();
        if first.is_empty() || first.len() > LONGEST {
            return Err(missing(source, "what is there is no secret").into());
        }
        secrets.insert(source.clone(), Secret::new(first));
    }
    Ok(secrets)
}

/// A path as it is meant in the file: `~` is the user's home, and others are seen from the file's folder.
fn at(path: &str, folder: &Path, context: &Context) -> PathBuf {
    match (path.strip_prefix("~/"), context.env.get("HOME")) {
        (Some(rest), Some(home)) => Path::new(home).join(rest),
        _ => folder.join(path),
    }
}

fn file(source: &Source, path: &Path) -> Result<String, Refusal> {
    std::fs::read_to_string(path).map_err(|why| missing(source, &why.to_string()))
}

async fn said(source: &Source, command: &str, folder: &Path) -> Result<String, Failure> {
    let mut shell = Command::new("sh");
    shell.args(["-c", command]).current_dir(folder).stdout(Stdio::piped()).kill_on_drop(true);
    let child = shell.spawn().context("cannot start sh")?;
    let output = timeout(COMMAND, child.wait_with_output())
        .await
        .map_err(|_| missing(source, &format!("it takes longer than {} s", COMMAND.as_secs())))?
        .context("cannot wait for sh")?;
    if !output.status.success() {
        return Err(missing(source, &output.status.to_string()).into());
    }
    // what it said instead may be a part of the secret
    let text = String::from_utf8(output.stdout).map_err(|_| missing(source, "what it says is no text"))?;
    Ok(text)
}

fn missing(source: &Source, why: &str) -> Refusal {
    let hint = match source {
        Source::Environment(name) => format!("`export {name}=…`, or name another source in clawberth.toml"),
        Source::File(_) => {
            "put the secret into that file, as its first line, for you alone (chmod 600)".to_owned()
        }
        Source::Command(_) => "run that command by hand, and see what it says".to_owned(),
        Source::Prompt(_) => {
            "run clawberth on a terminal, or name another source in clawberth.toml".to_owned()
        }
    };
    Refusal::new(format!("the secret {source} cannot be read"), hint).because(why)
}
