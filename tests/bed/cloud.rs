//! The lab, in a process and a directory of its own.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::api::Api;
use super::log::Log;
use super::operator::Operator;

/// A set-up in no time.
const AT_ONCE: &str = "boot = '0s'\npackages = '0s'\ncertificate = '0s'\nready = '0s'\n\
                       [[part]]\nname = 'node'\ntakes = '0s'\n";

/// A cloud with scripted hosts, as fast as it can, until dropped.
#[derive(Debug)]
pub(crate) struct Cloud {
    child: Child,
    dir: tempfile::TempDir,
    port: u16,
    /// Name and token of each project.
    projects: Vec<(String, String)>,
    taken: AtomicUsize,
    pub(super) log: Log,
}

impl Cloud {
    /// Brings it up with so many projects; `hosts` is added to a script in which nothing takes time.
    pub(crate) fn up(projects: usize, hosts: &str) -> Result<Self> {
        Self::up_with(projects, hosts, "none")
    }

    /// The same with so many requests an hour for each project.
    pub(crate) fn up_with(projects: usize, hosts: &str, hourly: &str) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        std::fs::write(dir.path().join("hosts.toml"), format!("{AT_ONCE}{hosts}"))?;
        let mut command = Command::new(program()?);
        command.args(["lab", "up", "--machines", "scripted", "--speed", "none", "--rate-limit", hourly]);
        command.arg("--hosts").arg(dir.path().join("hosts.toml")).arg("--dir").arg(dir.path().join("lab"));
        (1..projects).for_each(|number| {
            command.arg("--project").arg(format!("p{number}"));
        });
        let story = std::fs::File::create(dir.path().join("lab.log"))?;
        let mut child = command
            .env("HOME", dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(story)
            .spawn()?;
        let said = BufReader::new(child.stdout.take().context("the lab has no stdout")?);
        let ready = said.lines().map_while(Result::ok).any(|line| line.starts_with("the lab is ready"));
        if !ready {
            child.wait()?;
            anyhow::bail!("no lab: {}", std::fs::read_to_string(dir.path().join("lab.log"))?);
        }
        let record: Value = serde_json::from_slice(&std::fs::read(dir.path().join("lab/lab.json"))?)?;
        let port = record.get("port").and_then(Value::as_u64).context("the lab has no port")?;
        let text = |project: &Value, key: &str| {
            project.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let keys = record.get("projects").and_then(Value::as_array).context("the lab has no projects")?;
        let projects = keys.iter().map(|key| (text(key, "name"), text(key, "token"))).collect();
        let log = Log::new(dir.path().join("lab/requests.jsonl"));
        Ok(Self { child, port: u16::try_from(port)?, projects, taken: AtomicUsize::new(0), log, dir })
    }

    /// An operator who comes new to this cloud, in a project that nobody has used.
    pub(crate) fn operator(&self) -> Result<Operator<'_>> {
        let number = self.taken.fetch_add(1, Ordering::Relaxed);
        let (name, token) = self.projects.get(number).context("the lab has no more projects")?;
        Operator::new(self, Api::new(self.port, token, name))
    }

    /// A file or folder of this cloud.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Cloud {
    fn drop(&mut self) {
        // scripted hosts are in this one process; nothing outlives it but its folder, which goes too
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program under test. Cargo names it to integration tests; an example lies beside it.
pub(crate) fn program() -> Result<PathBuf> {
    if let Some(path) = option_env!("CARGO_BIN_EXE_clawberth") {
        return Ok(path.into());
    }
    let own = std::env::current_exe()?;
    let folder = own.parent().and_then(Path::parent).context("this program lies nowhere")?;
    let path = folder.join("clawberth");
    ensure!(
        path.file_name() == Some(OsStr::new("clawberth")) && path.exists(),
        "run `cargo build` first: there is no {}",
        path.display()
    );
    Ok(path)
}
