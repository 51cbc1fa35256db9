//! One operator on one computer: a home, a clean environment, the real program.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clawberth::apply::Point;
use serde_json::Value;

use super::api::Api;
use super::cloud::{Cloud, program};
use super::log::Request;
use super::running::{Ended, Running};

/// Longest wait for the end of a command: the longest wait within one that a lifted fault can leave is some seconds.
pub(crate) const END: Duration = Duration::from_secs(100);

/// An operator with a project, a home and a state of their own.
#[derive(Debug)]
pub(crate) struct Operator<'a> {
    pub(super) cloud: &'a Cloud,
    pub(crate) api: Api,
    home: PathBuf,
    variables: BTreeMap<String, String>,
    begun: AtomicU32,
}

impl<'a> Operator<'a> {
    pub(super) fn new(cloud: &'a Cloud, api: Api) -> Result<Self> {
        let home = cloud.path(&format!("home-{}", api.project()));
        std::fs::create_dir(&home)?;
        let variables = [
            ("HOME", home.display().to_string()),
            ("CLAWBERTH_STATE", home.join("state.sqlite").display().to_string()),
            ("HCLOUD_ENDPOINT", format!("http://127.0.0.1:{}/v1", cloud.port())),
            ("HCLOUD_TOKEN", api.token().to_owned()),
            ("CLAWBERTH_ACME_ROOT", cloud.path("lab/acme-root.pem").display().to_string()),
            ("CLAWBERTH_ADMIN_NETWORKS", "127.0.0.0/8".to_owned()),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value)).into();
        Ok(Self { cloud, api, home, variables, begun: AtomicU32::new(0) })
    }

    /// The same operator, whose commands have one more variable.
    #[must_use]
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Where the state is: a path or a URL.
    pub(crate) fn state(&self) -> &str {
        self.variables.get("CLAWBERTH_STATE").map_or("", String::as_str)
    }

    /// Starts a command.
    pub(crate) fn start(&self, words: &[&str], more: &[(&str, &str)]) -> Result<Running> {
        let number = self.begun.fetch_add(1, Ordering::Relaxed);
        let file = |name: &str| self.home.join(format!("{number}.{name}"));
        let mut command = Command::new(program()?);
        command.args(words).env_clear().envs(&self.variables).envs(more.iter().copied());
        command.current_dir(&self.home).stdin(Stdio::null());
        Running::start(command, file("out"), file("err"), &words.join(" "))
    }

    /// Writes a file where the commands are run.
    pub(crate) fn write(&self, name: &str, text: &str) -> Result<()> {
        std::fs::write(self.home.join(name), text).with_context(|| format!("writing {name}"))
    }

    /// Starts a command that will stop at a point of a step.
    pub(crate) fn start_to(
        &self,
        words: &[&str],
        step: &str,
        point: Point,
        more: &[(&str, &str)],
    ) -> Result<Running> {
        let at = format!("{step}:{}", point.word());
        let mut more = more.to_vec();
        more.push(("CLAWBERTH_STOP_AT", &at));
        self.start(words, &more)
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, words: &[&str], more: &[(&str, &str)]) -> Result<Ended> {
        self.start(words, more)?.end(END)
    }

    /// Runs a command, which must succeed. Its answer.
    pub(crate) fn ok(&self, words: &[&str]) -> Result<String> {
        let ended = self.run(words, &[])?;
        ensure!(ended.code == Some(0), "{ended}");
        Ok(ended.stdout)
    }

    /// The instances of the state: name and stage.
    pub(crate) fn list(&self) -> Result<BTreeMap<String, String>> {
        let list: Value = serde_json::from_str(&self.ok(&["list", "--json"])?)?;
        let text =
            |row: &Value, key: &str| row.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let rows = list.as_array().context("a list that is none")?;
        Ok(rows.iter().map(|row| (text(row, "name"), text(row, "stage"))).collect())
    }

    /// All requests of this operator so far.
    pub(crate) fn requests(&self) -> Result<Vec<Request>> {
        self.cloud.log.of(self.api.project())
    }
}
