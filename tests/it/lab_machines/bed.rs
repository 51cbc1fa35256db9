//! A lab with real machines, and a look at them from all sides.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

pub(super) struct Lab {
    pub(super) dir: PathBuf,
    _temp: tempfile::TempDir,
}

impl Lab {
    pub(super) fn new() -> Self {
        let temp = tempfile::tempdir_in("/var/tmp").unwrap();
        Self { dir: temp.path().join("lab"), _temp: temp }
    }

    pub(super) fn run(&self, words: &[&str], rest: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_clawberth"));
        command.arg("lab").args(words).arg("--dir").arg(&self.dir).args(rest);
        command.output().unwrap()
    }

    /// Runs a lab command that must succeed and returns its answer.
    pub(super) fn ok(&self, words: &[&str], rest: &[&str]) -> String {
        let output = self.run(words, rest);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "lab {words:?}: {said}{}", String::from_utf8_lossy(&output.stderr));
        said
    }

    pub(super) fn variable(&self, name: &str) -> String {
        let exports = self.ok(&["env"], &[]);
        let line = exports.lines().find_map(|line| line.strip_prefix(&format!("export {name}='")));
        line.and_then(|line| line.strip_suffix('\''))
            .unwrap_or_else(|| panic!("no {name} in {exports}"))
            .to_owned()
    }

    pub(super) fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        let mut curl = Command::new("curl");
        curl.args(["-sS", "--fail-with-body", "-X", method]);
        curl.args(["-H", &format!("Authorization: Bearer {}", self.variable("HCLOUD_TOKEN"))]);
        if let Some(body) = body {
            curl.args(["-H", "Content-Type: application/json", "-d", &body.to_string()]);
        }
        let output = curl.arg(format!("{}{path}", self.variable("HCLOUD_ENDPOINT"))).output().unwrap();
        let answer = String::from_utf8_lossy(&output.stdout);
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{method} {path}: {answer}{complaint}");
        if answer.is_empty() { Value::Null } else { serde_json::from_str(&answer).unwrap() }
    }

    pub(super) fn get(&self, path: &str) -> Value {
        self.ask("GET", path, None)
    }

    /// Asks for something, and waits for the actions that it sets going.
    pub(super) fn post(&self, path: &str, body: &Value) -> Value {
        let answer = self.ask("POST", path, Some(body));
        self.wait_for_actions(&answer);
        answer
    }

    pub(super) fn delete(&self, path: &str) {
        let answer = self.ask("DELETE", path, None);
        self.wait_for_actions(&answer);
    }

    pub(super) fn wait_for_actions(&self, answer: &Value) {
        let lists = ["actions", "next_actions"].iter().filter_map(|key| answer[key].as_array()).flatten();
        for action in answer.get("action").into_iter().chain(lists) {
            let path = format!("/actions/{}", action["id"]);
            let until = Instant::now() + Duration::from_secs(60);
            loop {
                let now = self.get(&path)["action"].clone();
                match now["status"].as_str().unwrap() {
                    "success" => break,
                    "running" => assert!(Instant::now() < until, "after 60 s this runs: {now}"),
                    _ => panic!("{now}: {}", self.story()),
                }
                std::thread::sleep(Duration::from_millis(50));
            }
        }
    }

    /// Creates a server that needs nothing but an SSH daemon, waits until cloud-init is done, and returns its id.
    pub(super) fn server(&self, name: &str, more: &Value) -> u64 {
        let mut wish = json!({"name": name, "server_type": "cx23", "image": "debian-13", "location": "fsn1"});
        wish.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let id = self.post("/servers", &wish)["server"]["id"].as_u64().unwrap();
        self.set_up(id);
        id
    }

    /// Waits until a machine has done what its user data says.
    pub(super) fn set_up(&self, id: u64) {
        self.inside(id, "timeout 60 cloud-init status --wait");
    }

    /// Runs a script as root inside a machine; it must succeed. Returns what it printed.
    pub(super) fn inside(&self, id: u64, script: &str) -> String {
        let output = self.run_inside(id, script);
        let printed = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{script} in {id}: {printed} {complaint}");
        printed
    }

    /// Whether a script succeeds inside a machine.
    pub(super) fn is_so(&self, id: u64, script: &str) -> bool {
        self.run_inside(id, script).status.success()
    }

    fn run_inside(&self, id: u64, script: &str) -> Output {
        let init = self.init(id).unwrap_or_else(|| panic!("machine {id} does not run: {}", self.story()));
        let namespaces = ["--mount", "--net", "--pid", "--uts", "--ipc", "--", "bash", "-c", script];
        Command::new("nsenter").args(["--target", &init]).args(namespaces).output().unwrap()
    }

    /// A machine's first process, by its number on this computer.
    pub(super) fn init(&self, id: u64) -> Option<String> {
        let file = self.dir.join(format!("machines/{id}/pid"));
        let process: Value = serde_json::from_slice(&fs::read(file).ok()?).unwrap();
        let mut process = process["pid"].to_string();
        while fs::read_to_string(format!("/proc/{process}/comm")).ok()?.trim() != "systemd" {
            let children = fs::read_to_string(format!("/proc/{process}/task/{process}/children")).ok()?;
            process = children.split_whitespace().next()?.to_owned();
        }
        Some(process)
    }

    /// Which of the ports answer from a point of view.
    pub(super) fn open_ports(&self, from: &str, address: &str) -> Vec<u16> {
        let look = "for port in 22 80 443 8080 18789; do \
                    (timeout 2 bash -c \": </dev/tcp/$0/$port\" 2>/dev/null && echo $port) & done; wait";
        let said = self.ok(&["exec", "--from", from], &["--", "bash", "-c", look, address]);
        let mut ports: Vec<u16> = said.lines().map(|port| port.parse().unwrap()).collect();
        ports.sort_unstable();
        ports
    }

    /// When the machine booted, as it says itself on port 443.
    pub(super) fn boot_time(&self, address: &str) -> String {
        let until = Instant::now() + Duration::from_secs(180);
        loop {
            let url = format!("http://{address}:443/");
            let output = self.run(&["exec", "--from", "world"], &["--", "curl", "-sS", "-m", "2", &url]);
            if output.status.success() {
                return String::from_utf8(output.stdout).unwrap();
            }
            assert!(
                Instant::now() < until,
                "port 443 of {address} did not answer within 180 s: {}",
                self.story()
            );
            std::thread::sleep(Duration::from_millis(250));
        }
    }

    /// What the host has of this lab: processes, mounts, namespaces, links, routes and rules.
    pub(super) fn traces(&self) -> BTreeSet<String> {
        let slot = self.slot();
        let (name, dir) = (format!("cb{slot}"), self.dir.display().to_string());
        let all = [
            said("ps", &["-eo", "pid,stat,args"]),
            fs::read_to_string("/proc/self/mounts").unwrap(),
            said("ip", &["netns"]),
            said("ip", &["-o", "link"]),
            said("ip", &["route"]),
            said("ip", &["-6", "route"]),
            said("nft", &["list", "tables"]),
            said("find", &["/sys/fs/cgroup", "-maxdepth", "2", "-name", "cb*"]),
        ];
        let word = |line: &str| line.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| word == name);
        all.iter()
            .flat_map(|text| text.lines())
            .filter(|line| word(line) || line.contains(&dir))
            .map(str::to_owned)
            .collect()
    }

    /// Which ports the machine itself has open, whatever its cloud lets through.
    fn listening(&self) -> BTreeSet<u16> {
        let namespace = format!("--net=/run/netns/cb{}-m{}", self.slot(), self.machine());
        let sockets = said("nsenter", &[&namespace, "ss", "-Hltn"]);
        let port = |line: &str| line.split_whitespace().nth(3)?.rsplit(':').next()?.parse().ok();
        sockets.lines().filter_map(port).collect()
    }

    /// The firewall can only be judged once there is something behind it on every port.
    pub(super) fn wait_for_listeners(&self, wanted: &BTreeSet<u16>) {
        self.wait_until(&format!("the machine listens on {wanted:?}"), || self.listening() == *wanted);
    }

    pub(super) fn wait_until(&self, what: &str, is_so: impl Fn() -> bool) {
        let until = Instant::now() + Duration::from_secs(60);
        while !is_so() {
            assert!(Instant::now() < until, "not within 60 s: {what}: {}", self.story());
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    pub(super) fn slot(&self) -> u64 {
        let record: Value = serde_json::from_slice(&fs::read(self.dir.join("lab.json")).unwrap()).unwrap();
        record["slot"].as_u64().unwrap()
    }

    /// The id of its only machine.
    fn machine(&self) -> String {
        let status: Value = serde_json::from_str(&self.ok(&["status", "--json"], &[])).unwrap();
        status["machines"][0]["id"].to_string()
    }

    pub(super) fn machine_process(&self) -> String {
        fs::read_to_string(self.dir.join("machines").join(self.machine()).join("pid")).unwrap()
    }

    /// Kills the lab's process; its death takes a moment.
    pub(super) fn kill(&self) {
        let process: Value = serde_json::from_slice(&fs::read(self.dir.join("lab.pid")).unwrap()).unwrap();
        let killed = Command::new("kill").args(["-9", &process["pid"].to_string()]).status();
        assert!(killed.unwrap().success());
        let until = Instant::now() + Duration::from_secs(5);
        while !self.ok(&["status"], &[]).starts_with("down") {
            assert!(Instant::now() < until, "a killed lab still answers after 5 s");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn story(&self) -> String {
        fs::read_to_string(self.dir.join("lab.log")).unwrap_or_default()
    }
}

impl Drop for Lab {
    /// A test that failed half-way leaves nothing either.
    fn drop(&mut self) {
        self.run(&["down"], &[]);
    }
}

fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Whether machines can run here. Only a user without root may skip what needs them.
pub(super) fn root() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        assert!(std::env::var_os("CI").is_none(), "the lab's machines need root");
        let _ = std::io::Write::write_all(&mut std::io::stderr(), b"skipped: the lab's machines need root\n");
    }
    root
}
