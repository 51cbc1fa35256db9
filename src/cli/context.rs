//! What every command works with: environment, streams, clock, randomness.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::IsTerminal;
use std::path::PathBuf;

use anyhow::Context as _;

use super::{Failure, Global};
use crate::clock::Clock;
use crate::config::Environment;
use crate::entropy::Entropy;
use crate::model::policy::Source;
use crate::model::refusal::Refusal;
use crate::secret::Secret;
use crate::ssh::Command;
use crate::store::Session;
use crate::ui::{Style, Ui};

/// What is logged unless CLAWBERTH_LOG says otherwise: what goes wrong in the lab, and long waits for Hetzner, which have nobody else
/// to tell.
const DEFAULT_LOG: &str = "clawberth::lab=warn,clawberth::hcloud=warn";

/// What every command works with.
pub(super) struct Context {
    pub(super) env: Environment,
    pub(super) cwd: PathBuf,
    pub(super) ui: Ui,
    pub(super) clock: Clock,
    pub(super) entropy: Entropy,
    /// The secrets that were read, for those policies that this command brings to somebody.
    pub(super) secrets: BTreeMap<Source, Secret>,
    /// This command as one would type it again.
    pub(super) typed: Command,
}

impl Context {
    pub(super) fn new(
        global: &Global,
        args: &[OsString],
        env: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Self, Failure> {
        // a variable that is no text is none of ours
        let pairs = env.into_iter().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)));
        let env = Environment::new(pairs);
        start_log(&env)?;
        Ok(Self {
            cwd: std::env::current_dir().context("the working directory is gone")?,
            ui: Ui::new(Box::new(std::io::stdout()), Box::new(std::io::stderr()), style(global, &env)),
            clock: clock(&env)?,
            entropy: entropy(&env)?,
            env,
            secrets: BTreeMap::new(),
            typed: typed(args),
        })
    }

    /// This run, as the state's history names it.
    pub(super) fn session(&self) -> Session {
        let user = ["USER", "LOGNAME"].into_iter().find_map(|name| self.env.get(name));
        let user = user.map_or_else(|| format!("uid {}", rustix::process::getuid().as_raw()), str::to_owned);
        Session::here(&user, &self.typed.to_string(), &self.clock.now())
    }

    /// Asks whether to do something; that nobody wants it is told. `would` is what is to be done, in words that follow that one.
    ///
    /// # Errors
    /// Nobody can be asked: `hint` says how to go on then.
    pub(super) fn agreed(&mut self, question: &str, would: &str, hint: &str) -> Result<bool, Failure> {
        match self.ui.confirm(question)? {
            Some(true) => Ok(true),
            Some(false) => {
                self.ui.note("nothing was done");
                Ok(false)
            }
            None => Err(Refusal::new(format!("this would {would}, and nobody can be asked"), hint).into()),
        }
    }

    /// A client for HTTP with the system's roots; one for all requests of a command.
    pub(super) fn http(&self) -> anyhow::Result<reqwest::Client> {
        reqwest::Client::builder()
            .user_agent(concat!("clawberth/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(std::time::Duration::from_secs(10))
            .build()
            .context("cannot make an HTTP client")
    }
}

fn typed(args: &[OsString]) -> Command {
    let words: Vec<_> = args.iter().skip(1).map(|word| word.to_string_lossy()).collect();
    Command::new("clawberth").args(words.iter().map(AsRef::as_ref))
}

fn style(global: &Global, env: &Environment) -> Style {
    let terminal = std::io::stderr().is_terminal() && env.get("TERM") != Some("dumb");
    Style {
        json: global.json,
        quiet: global.quiet,
        live: terminal,
        colour: terminal && env.get("NO_COLOR").is_none(),
        interactive: std::io::stdin().is_terminal() && std::io::stderr().is_terminal(),
    }
}

fn clock(env: &Environment) -> Result<Clock, Refusal> {
    let Some(text) = env.get("CLAWBERTH_NOW") else {
        return Ok(Clock::default());
    };
    let wrong = |why| Refusal::new(format!("CLAWBERTH_NOW is no time: {text:?}"), "unset it").because(why);
    text.parse().map(Clock::pinned).map_err(|why: jiff::Error| wrong(why.to_string()))
}

fn entropy(env: &Environment) -> Result<Entropy, Refusal> {
    let Some(text) = env.get("CLAWBERTH_SEED") else {
        return Ok(Entropy::system());
    };
    let wrong = |_| Refusal::new(format!("CLAWBERTH_SEED is no number: {text:?}"), "unset it");
    text.parse().map(Entropy::seeded).map_err(wrong)
}

fn start_log(env: &Environment) -> Result<(), Refusal> {
    let wanted = env.get("CLAWBERTH_LOG").unwrap_or(DEFAULT_LOG);
    let filter = tracing_subscriber::EnvFilter::try_new(wanted).map_err(|why| {
        Refusal::new(format!("CLAWBERTH_LOG is no filter: {wanted:?}"), "try CLAWBERTH_LOG=debug")
            .because(why)
    })?;
    let colours = std::io::stderr().is_terminal() && env.get("NO_COLOR").is_none();
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // a second subscriber in one process (tests) keeps the first
    let _ = log.with_ansi(colours).try_init();
    Ok(())
}
