//! Reads the secrets that policies name, from where they are.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{ErrorKind, Read as _, Seek as _};
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
/// How files begin that age has encrypted, also as text.
const ENCRYPTED: [&str; 2] = ["age-encryption.org/", "-----BEGIN AGE ENCRYPTED FILE-----"];
/// The variable that says with what they are decrypted.
const IDENTITY: &str = "CLAWBERTH_AGE_IDENTITY";
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
        let hint = hint(source);
        let text = match source {
            Source::Environment(name) => {
                let value = context.env.get(name).map(str::to_owned);
                value.ok_or_else(|| missing(source, "it is not set", &hint))?
            }
            Source::File(path) => std::fs::read_to_string(at(path, &folder, context))
                .map_err(|why| missing(source, &why.to_string(), &hint))?,
            Source::Age(path) => decrypted(source, &at(path, &folder, context), context).await?,
            Source::Command(command) => {
                let mut shell = Command::new("sh");
                shell.args(["-c", command]).current_dir(&folder);
                said(source, shell, &hint).await?
            }
            Source::Prompt(words) => context
                .ui
                .ask_secret(&format!("{words}: "))?
                .ok_or_else(|| missing(source, "nobody can be asked", &hint))?,
        };
        let first = text.lines().next().unwrap_or_default().trim().to_owned();
        if first.is_empty() || first.len() > LONGEST {
            return Err(missing(source, "what is there is no secret", &hint).into());
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

/// What to do where it has no secret.
fn hint(source: &Source) -> String {
    match source {
        Source::Environment(name) => format!("`export {name}=…`, or name another source in clawberth.toml"),
        Source::File(_) => {
            "put the secret into that file, as its first line, for you alone (chmod 600)".to_owned()
        }
        Source::Age(path) => {
            format!("encrypt the secret as its first line: `age --encrypt --recipient age1… --output {path}`")
        }
        Source::Command(_) => "run that command by hand, and see what it says".to_owned(),
        Source::Prompt(_) => {
            "run clawberth on a terminal, or name another source in clawberth.toml".to_owned()
        }
    }
}

/// What age decrypts. The file goes to its standard input, once it is seen to be encrypted: of another one age repeats the first
/// line, which would be the secret.
async fn decrypted(source: &Source, path: &Path, context: &Context) -> Result<String, Failure> {
    let hint =
        format!("`export {IDENTITY}=…`: a file of `age-keygen`, or an SSH key that it is encrypted to");
    let named = context.env.get(IDENTITY);
    let identity = named.ok_or_else(|| missing(source, &format!("{IDENTITY} is not set"), &hint))?;
    let identity = at(identity, &context.cwd, context);
    if let Err(why) = File::open(&identity) {
        return Err(missing(source, &format!("{}: {why}", identity.display()), &hint).into());
    }
    let file = encrypted(path).map_err(|why| missing(source, &why.to_string(), &self::hint(source)))?;
    let mut age = Command::new("age");
    age.arg("--decrypt").arg("--identity").arg(identity).stdin(file);
    let hint = format!("`age --decrypt --identity \"${IDENTITY}\" {} >/dev/null` says more", path.display());
    said(source, age, &hint).await
}

/// The file, opened, if age has encrypted it.
fn encrypted(path: &Path) -> std::io::Result<File> {
    let mut file = File::open(path)?;
    let longest = ENCRYPTED.map(str::len).into_iter().max().unwrap_or_default();
    let mut beginning = Vec::new();
    file.by_ref().take(longest as u64).read_to_end(&mut beginning)?;
    if !ENCRYPTED.iter().any(|known| beginning.starts_with(known.as_bytes())) {
        return Err(std::io::Error::new(ErrorKind::InvalidData, "it is not encrypted with age"));
    }
    file.rewind()?;
    Ok(file)
}

/// What a command prints. What it complains of is seen on the terminal, and nowhere else: it may be a part of the secret.
async fn said(source: &Source, mut command: Command, hint: &str) -> Result<String, Failure> {
    let program = command.as_std().get_program().to_string_lossy().into_owned();
    let child = match command.stdout(Stdio::piped()).kill_on_drop(true).spawn() {
        Err(why) if why.kind() == ErrorKind::NotFound => {
            let hint = format!("install {program}, or name another source in clawberth.toml");
            return Err(missing(source, &format!("{program} is not installed"), &hint).into());
        }
        started => started.with_context(|| format!("cannot start {program}"))?,
    };
    let output = timeout(COMMAND, child.wait_with_output())
        .await
        .map_err(|_| missing(source, &format!("it takes longer than {} s", COMMAND.as_secs()), hint))?
        .with_context(|| format!("cannot wait for {program}"))?;
    if !output.status.success() {
        return Err(missing(source, &format!("{program}: {}", output.status), hint).into());
    }
    let text =
        String::from_utf8(output.stdout).map_err(|_| missing(source, "what it says is no text", hint))?;
    Ok(text)
}

fn missing(source: &Source, why: &str, hint: &str) -> Refusal {
    Refusal::new(format!("the secret {source} cannot be read"), hint).because(why)
}
