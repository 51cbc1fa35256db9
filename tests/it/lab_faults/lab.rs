//! A cloud with bad days, and the clients that meet them.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_clawberth");

/// `lab api`, as fast as it can, until dropped.
pub(super) struct Lab {
    child: Child,
    dir: TempDir,
    record: Value,
}

/// The lab of a directory, and its record.
fn spawn(dir: &TempDir, words: &[&str]) -> (Child, Value) {
    let mut child = Command::new(PROGRAM)
        .args(["lab", "api", "--speed", "none", "--dir"])
        .arg(dir.path().join("lab"))
        .args(words)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let story = BufReader::new(child.stdout.take().unwrap());
    let ready = story.lines().map_while(Result::ok).any(|line| line.starts_with("the lab is ready"));
    assert!(ready, "the lab ended before it was ready");
    let record = fs::read(dir.path().join("lab/lab.json")).unwrap();
    (child, serde_json::from_slice(&record).unwrap())
}

/// How a client ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) code: i32,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

impl Lab {
    pub(super) fn start(words: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (child, record) = spawn(&dir, words);
        Self { child, dir, record }
    }

    /// Kills it and starts it again.
    pub(super) fn again(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        (self.child, self.record) = spawn(&self.dir, &[]);
    }

    /// Has this fault and no other.
    #[track_caller]
    pub(super) fn only(&self, fault: Value) {
        assert_eq!(self.control("DELETE", "/faults", None).0, 204);
        self.add(fault);
    }

    /// With a fault from the beginning.
    pub(super) fn with(fault: Value) -> Self {
        let lab = Self::start(&[]);
        lab.add(fault);
        lab
    }

    fn origin(&self) -> String {
        format!("http://127.0.0.1:{}", self.record["port"])
    }

    pub(super) fn token(&self, project: usize) -> &str {
        self.record["projects"][project]["token"].as_str().unwrap()
    }

    /// Adds a fault; its id.
    #[track_caller]
    pub(super) fn add(&self, fault: Value) -> u64 {
        let (status, answer) = self.control("POST", "/faults", Some(fault));
        assert_eq!(status, 201, "{answer}");
        answer["id"].as_u64().unwrap()
    }

    /// How often each fault was met, in the order in which they came.
    pub(super) fn met(&self) -> Vec<u64> {
        let (_, answer) = self.control("GET", "/faults", None);
        answer["faults"].as_array().unwrap().iter().map(|fault| fault["met"].as_u64().unwrap()).collect()
    }

    pub(super) fn control(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        self.ask_as(0, method, &format!("/control{path}"), body)
    }

    /// Status and answer of the API to curl.
    pub(super) fn ask(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        self.ask_as(0, method, &format!("/v1{path}"), body)
    }

    /// The same for another project than the first.
    pub(super) fn ask_as(
        &self,
        project: usize,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> (u16, Value) {
        let body = body.unwrap_or(Value::Null).to_string();
        let words = ["-X", method, "-d", &body, "-w", "\n%{http_code}"];
        let ended = self.curl_with(self.token(project), &words, path);
        assert_eq!(ended.code, 0, "{ended:?}");
        let (answer, status) = ended.stdout.rsplit_once('\n').unwrap();
        (status.parse().unwrap(), serde_json::from_str(answer).unwrap_or(Value::Null))
    }

    /// Runs curl for a path of the API.
    pub(super) fn curl(&self, words: &[&str], path: &str) -> Ended {
        self.curl_with(self.token(0), words, &format!("/v1{path}"))
    }

    /// What curl gets that has no project's token.
    pub(super) fn stranger(&self, path: &str) -> String {
        self.curl_with("nobody", &[], path).stdout
    }

    fn curl_with(&self, token: &str, words: &[&str], path: &str) -> Ended {
        let mut curl = Command::new("curl");
        curl.args(["-sS", "--noproxy", "*", "--max-time", "20", "-H"])
            .arg(format!("Authorization: Bearer {token}"))
            .args(words)
            .arg(format!("{}{path}", self.origin()));
        Ended::of(&curl.output().unwrap())
    }

    /// Runs Hetzner's own client, which `scripts/setup --tests` brings.
    pub(super) fn hcloud(&self, words: &[&str]) -> Ended {
        let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
        let cache = cache.unwrap_or_else(|| PathBuf::from(std::env::var_os("HOME").unwrap()).join(".cache"));
        let program = cache.join("clawberth/hcloud-cli/usr/bin/hcloud");
        assert!(program.exists(), "run scripts/setup --tests: there is no {}", program.display());
        let mut hcloud = Command::new(program);
        hcloud
            .args(words)
            .env("HOME", self.dir.path())
            .env("HCLOUD_ENDPOINT", format!("{}/v1", self.origin()))
            .env("HCLOUD_TOKEN", self.token(0))
            .stdin(Stdio::null());
        Ended::of(&hcloud.output().unwrap())
    }

    /// Creates a server with Hetzner's own client.
    pub(super) fn create(&self, name: &str) -> Ended {
        self.hcloud(&["server", "create", "--name", name, "--type", "cx23", "--image", "debian-13"])
    }

    /// The names of the servers that the same client lists.
    #[track_caller]
    pub(super) fn servers(&self) -> Vec<String> {
        let ended = self.hcloud(&["server", "list", "-o", "noheader", "-o", "columns=name"]);
        assert_eq!(ended.code, 0, "{ended:?}");
        ended.stdout.lines().map(|line| line.trim().to_owned()).collect()
    }

    /// All requests of a method and path without query: status and kinds of faults.
    pub(super) fn logged(&self, method: &str, path: &str) -> Vec<(Value, Value)> {
        let all = self.log().into_iter().filter(|line| {
            let wanted = format!("/v1{path}");
            line["method"] == method && line["path"].as_str().unwrap().split('?').next() == Some(&wanted)
        });
        all.map(|line| (line["status"].clone(), line["fault"].clone())).collect()
    }

    /// The request log.
    pub(super) fn log(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.dir.path().join("lab/requests.jsonl")).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

impl Ended {
    fn of(output: &Output) -> Self {
        Self {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Ended well.
    #[track_caller]
    pub(super) fn ok(&self) {
        assert_eq!(self.code, 0, "{self:?}");
    }

    /// Ended with an error that says so.
    #[track_caller]
    pub(super) fn says(&self, error: &str) {
        assert!(self.code != 0 && self.stderr.contains(error), "wanted {error:?}: {self:?}");
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        // an API alone leaves nothing behind but its folder
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A line of the log, as [`Lab::logged`] gives it back.
pub(super) fn line(status: impl Into<Value>, fault: &[&str]) -> (Value, Value) {
    (status.into(), if fault.is_empty() { Value::Null } else { json!(fault) })
}
