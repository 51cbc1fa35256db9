//! A lab with machines, and the program as an operator uses it there.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// The program under test.
const CLAWBERTH: &str = env!("CARGO_BIN_EXE_clawberth");

/// A lab of its own, its state beside it; gone at the end, also after a failure.
pub(super) struct Bed {
    dir: tempfile::TempDir,
    env: BTreeMap<String, String>,
}

impl Bed {
    /// Brings a lab up, or says why this user cannot. In CI it must be possible.
    pub(super) fn up() -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            assert!(std::env::var_os("CI").is_none(), "the tests on real machines need root");
            eprintln!("skipped: real machines need root");
            return None;
        }
        // the disks of machines: on Debian 13 /tmp is memory
        let mut bed = Self { dir: tempfile::tempdir_in("/var/tmp").unwrap(), env: BTreeMap::new() };
        bed.lab(&["up", "--detach"], &[]);
        bed.read_env();
        Some(bed)
    }

    /// The lab's exports, as a shell would take them.
    pub(super) fn read_env(&mut self) {
        let exports = self.lab(&["env"], &[]);
        for line in exports.lines() {
            let (name, value) = line.strip_prefix("export ").unwrap().split_once('=').unwrap();
            self.env.insert(name.to_owned(), value.trim_matches('\'').to_owned());
        }
    }

    pub(super) fn variable(&self, name: &str) -> &str {
        self.env.get(name).unwrap()
    }

    pub(super) fn lab_dir(&self) -> PathBuf {
        self.dir.path().join("lab")
    }

    pub(super) fn state(&self) -> PathBuf {
        self.dir.path().join("state.sqlite")
    }

    pub(super) fn scratch(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A lab command that must succeed.
    pub(super) fn lab(&self, words: &[&str], rest: &[&str]) -> String {
        let mut command = Command::new(CLAWBERTH);
        command.arg("lab").args(words).arg("--dir").arg(self.lab_dir()).args(rest);
        succeeded(&format!("lab {words:?}"), command.output().unwrap())
    }

    /// A command seen from the world or the operator's network; it may fail.
    pub(super) fn seen_from(&self, from: &str, words: &[&str]) -> Output {
        let mut command = Command::new(CLAWBERTH);
        command.args(["lab", "exec", "--from", from, "--dir"]).arg(self.lab_dir()).arg("--").args(words);
        command.output().unwrap()
    }

    pub(super) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(CLAWBERTH);
        command.args(words).env("CLAWBERTH_STATE", self.state()).envs(&self.env).current_dir(self.dir.path());
        command.stdin(Stdio::null());
        command
    }

    /// The program, which may fail.
    pub(super) fn run(&self, words: &[&str]) -> Output {
        self.command(words).output().unwrap()
    }

    /// The program, which must succeed; its answer.
    pub(super) fn ok(&self, words: &[&str]) -> String {
        succeeded(&format!("{words:?}"), self.run(words))
    }

    pub(super) fn json(&self, words: &[&str]) -> Value {
        serde_json::from_str(&self.ok(&[words, &["--json"]].concat())).unwrap()
    }

    /// A command on an instance's server, as root, that must succeed.
    pub(super) fn on(&self, name: &str, script: &str) -> String {
        let mut command = self.command(&["ssh", name]);
        command.args(["--", "sh", "-c", script]);
        succeeded(&format!("on {name}: {script}"), command.output().unwrap())
    }

    /// The address of an instance.
    pub(super) fn address(&self, name: &str, family: &str) -> String {
        self.json(&["show", name]).pointer(&format!("/server/{family}")).unwrap().as_str().unwrap().to_owned()
    }

    /// The lab's request log from a line on: (method, path).
    pub(super) fn requests_since(&self, line: usize) -> Vec<(String, String)> {
        let log = fs::read_to_string(self.lab_dir().join("requests.jsonl")).unwrap();
        let text = |entry: &Value, key: &str| entry.get(key).unwrap().as_str().unwrap().to_owned();
        let entries = log.lines().skip(line).map(|line| serde_json::from_str::<Value>(line).unwrap());
        entries.map(|entry| (text(&entry, "method"), text(&entry, "path"))).collect()
    }

    /// How many requests the lab has answered.
    pub(super) fn requests(&self) -> usize {
        self.requests_since(0).len()
    }

    /// Hetzner's own client, as Debian 13 has it, pointed at the lab.
    pub(super) fn hcloud(&self, words: &[&str]) -> String {
        let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
        let cache = cache.unwrap_or_else(|| PathBuf::from(std::env::var_os("HOME").unwrap()).join(".cache"));
        let program = cache.join("clawberth/hcloud-cli/usr/bin/hcloud");
        let mut command = Command::new(program);
        let own = self.env.iter().filter(|(name, _)| name.starts_with("HCLOUD_"));
        command.args(words).env("HOME", self.dir.path()).envs(own);
        succeeded(&format!("hcloud {words:?}"), command.output().unwrap())
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        let down = Command::new(CLAWBERTH).args(["lab", "down", "--dir"]).arg(self.lab_dir()).status();
        if std::thread::panicking() {
            eprintln!("the end of the lab's log:");
            let log = fs::read_to_string(self.lab_dir().join("lab.log")).unwrap_or_default();
            for line in log.lines().rev().take(20).collect::<Vec<_>>().into_iter().rev() {
                eprintln!("  {line}");
            }
        } else {
            assert!(down.unwrap().success(), "the lab did not go down");
        }
    }
}

fn succeeded(what: &str, output: Output) -> String {
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{what}: {}\n{stdout}{stderr}", output.status);
    stdout.into_owned()
}
