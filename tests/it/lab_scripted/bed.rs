//! A lab with scripted hosts, and strangers' clients for it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use ssh_key::{Algorithm, LineEnding, PrivateKey};

/// Longest wait for anything here: all of it takes a few seconds.
const SOON: Duration = Duration::from_secs(60);

/// The lab, an operator's home, a key pair.
pub(super) struct Bed {
    dir: tempfile::TempDir,
    variables: Vec<(String, String)>,
}

/// A server that a stranger made.
pub(super) struct Server {
    pub(super) id: u64,
    pub(super) address: String,
}

impl Bed {
    /// Brings a lab up; `hosts` is its script.
    pub(super) fn new(hosts: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("home")).unwrap();
        let mut bed = Self { dir, variables: Vec::new() };
        bed.write("hosts.toml", hosts);
        let key = bed.make_key("operator");
        bed.up();
        bed.post("/ssh_keys", &json!({ "name": "operator", "public_key": key }));
        bed
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        use std::os::unix::fs::PermissionsExt;
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// Makes a key pair in a file; its public half.
    fn make_key(&self, name: &str) -> String {
        let key = PrivateKey::random(&mut rand::rng(), Algorithm::Ed25519).unwrap();
        self.write(name, &key.to_openssh(LineEnding::LF).unwrap());
        key.public_key().to_openssh().unwrap()
    }

    /// Brings the lab up, and exports what it says.
    pub(super) fn up(&mut self) {
        let hosts = self.path("hosts.toml").display().to_string();
        self.ok(&self.lab(&[
            "up",
            "--machines",
            "scripted",
            "--detach",
            "--speed",
            "none",
            "--hosts",
            &hosts,
        ]));
        let exports = self.ok(&self.lab(&["env"]));
        self.variables = exports
            .lines()
            .map(|line| {
                let (name, value) = line.strip_prefix("export ").unwrap().split_once('=').unwrap();
                (name.to_owned(), value.trim_matches('\'').to_owned())
            })
            .collect();
    }

    /// Takes the lab down and brings it up again with another script; returns when all its servers have booted.
    pub(super) fn again_with(&mut self, hosts: &str) {
        self.ok(&self.lab(&["down"]));
        self.write("hosts.toml", hosts);
        self.up();
        for machine in std::fs::read_dir(self.path("lab/machines")).unwrap() {
            let host = read(&machine.unwrap().path().join("host.json"));
            let host: Value = serde_json::from_str(&host).unwrap();
            let address = format!("{}:22", host["address"].as_str().unwrap());
            until("the boot", || std::net::TcpStream::connect(&address).is_ok());
            let address = host["address"].as_str().unwrap();
            until("readiness", || self.curl(address, "/readyz").0 == "200");
        }
    }

    /// A lab command for this lab.
    pub(super) fn lab(&self, words: &[&str]) -> Vec<String> {
        let (command, rest) = words.split_first().unwrap();
        let dir = self.path("lab").display().to_string();
        let words = ["lab", command, "--dir", &dir].into_iter().chain(rest.iter().copied());
        words.map(str::to_owned).collect()
    }

    /// The program as the operator runs it.
    fn program(&self, words: &[impl AsRef<std::ffi::OsStr>]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_clawberth"));
        command.args(words).current_dir(self.path("home")).stdin(Stdio::null());
        command.env("HOME", self.path("home")).env_remove("XDG_STATE_HOME").env_remove("XDG_CONFIG_HOME");
        command.envs(self.variables.iter().cloned());
        command
    }

    pub(super) fn run(&self, words: &[impl AsRef<std::ffi::OsStr>]) -> Output {
        self.program(words).output().unwrap()
    }

    /// Runs it; it must succeed. Its answer.
    #[track_caller]
    pub(super) fn ok(&self, words: &[impl AsRef<std::ffi::OsStr>]) -> String {
        let output = self.run(words);
        assert!(output.status.success(), "{}", said(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Starts it and does not wait; its story goes to a file of that name.
    pub(super) fn start(&self, words: &[&str], story: &str) -> Child {
        self.start_with(words, story, &[])
    }

    /// The same with variables for this command alone.
    pub(super) fn start_with(&self, words: &[&str], story: &str, variables: &[(&str, &str)]) -> Child {
        let story = std::fs::File::create(self.path(story)).unwrap();
        let mut program = self.program(words);
        program.envs(variables.iter().copied()).stderr(story).stdout(Stdio::null()).spawn().unwrap()
    }

    /// Kills the lab with -9.
    pub(super) fn kill(&self) {
        let record: Value =
            serde_json::from_slice(&std::fs::read(self.path("lab/lab.pid")).unwrap()).unwrap();
        let pid = i32::try_from(record["pid"].as_i64().unwrap()).unwrap();
        let pid = rustix::process::Pid::from_raw(pid).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
        let process = format!("/proc/{}", pid.as_raw_nonzero());
        until("the end of the lab", || !Path::new(&process).exists());
    }

    /// Sets a variable for the commands that follow.
    pub(super) fn set(&mut self, name: &str, value: &str) {
        self.variables.push((name.to_owned(), value.to_owned()));
    }

    pub(super) fn variable(&self, name: &str) -> &str {
        &self.variables.iter().find(|(known, _)| known == name).unwrap().1
    }

    #[track_caller]
    pub(super) fn get(&self, path: &str) -> Value {
        self.ask(path, &[])
    }

    #[track_caller]
    pub(super) fn post(&self, path: &str, body: &Value) -> Value {
        self.ask(path, &["-H", "Content-Type: application/json", "-d", &body.to_string()])
    }

    #[track_caller]
    fn ask(&self, path: &str, with: &[&str]) -> Value {
        let output = Command::new("curl")
            .args(["-sS", "--fail-with-body"])
            .args(with)
            .args(["-H", &format!("Authorization: Bearer {}", self.variable("HCLOUD_TOKEN"))])
            .arg(format!("{}{path}", self.variable("HCLOUD_ENDPOINT")))
            .output()
            .unwrap();
        assert!(output.status.success(), "{path}: {}", said(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Creates a server with a host key of its own, which `ssh` will know.
    pub(super) fn create(&self, name: &str, more: &str) -> Server {
        let host_key = self.make_key("host-key");
        let private = std::fs::read_to_string(self.path("host-key")).unwrap();
        let private: String = private.lines().map(|line| format!("    {line}\n")).collect();
        let user_data = format!(
            "#cloud-config\nssh_keys:\n  ed25519_private: |\n{private}  ed25519_public: {host_key}\n{more}"
        );
        let server = self.create_with(name, &user_data);
        self.write("known_hosts", &format!("{} {host_key}\n", server.address));
        server
    }

    pub(super) fn create_with(&self, name: &str, user_data: &str) -> Server {
        let body = json!({
            "name": name, "server_type": "cx23", "image": "debian-13", "location": "fsn1",
            "ssh_keys": ["operator"], "user_data": user_data,
        });
        let answer = self.post("/servers", &body);
        let address = answer["server"]["public_net"]["ipv4"]["ip"].as_str().unwrap().to_owned();
        Server { id: answer["server"]["id"].as_u64().unwrap(), address }
    }

    /// OpenSSH with the pinned host key and the operator's key.
    pub(super) fn ssh(&self, server: &Server, command: &str) -> Command {
        self.ssh_as("operator", server, command)
    }

    /// The same with the key in a file of that name.
    pub(super) fn ssh_as(&self, key: &str, server: &Server, command: &str) -> Command {
        let mut ssh = Command::new("ssh");
        let known = format!("UserKnownHostsFile={}", self.path("known_hosts").display());
        for option in [&known, "StrictHostKeyChecking=yes", "BatchMode=yes", "ConnectTimeout=5"] {
            ssh.args(["-o", option]);
        }
        ssh.args(["-F", "none", "-i"]).arg(self.path(key));
        ssh.arg(format!("root@{}", server.address)).arg(command).stdin(Stdio::null());
        ssh
    }

    /// What OpenSSH got to a command: exit status, stdout, stderr.
    pub(super) fn asked(&self, server: &Server, command: &str) -> (i32, String, String) {
        answer(self.ssh(server, command))
    }

    /// What curl sees at 443: the HTTP status, 000 where there is none, and the body.
    pub(super) fn curl(&self, address: &str, path: &str) -> (String, String) {
        let output = Command::new("curl")
            .args([
                "-sS",
                "-m",
                "5",
                "-w",
                "\n%{http_code}",
                "--cacert",
                self.variable("CLAWBERTH_ACME_ROOT"),
            ])
            .arg(format!("https://{address}{path}"))
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let (body, status) = text.rsplit_once('\n').unwrap();
        (status.to_owned(), body.to_owned())
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        let output = self.run(&self.lab(&["down"]));
        if !output.status.success() {
            eprintln!("{}", said(&output));
        }
    }
}

/// What a command gave: exit status, stdout, stderr.
pub(super) fn answer(mut command: Command) -> (i32, String, String) {
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// Waits until something holds.
#[track_caller]
pub(super) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + SOON;
    while !holds() {
        assert!(Instant::now() < end, "{what}: not within {SOON:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Waits for a child; whether it succeeded.
#[track_caller]
pub(super) fn ended(child: &mut Child) -> bool {
    let mut status = None;
    until("the end of a command", || {
        status = child.try_wait().unwrap();
        status.is_some()
    });
    status.unwrap().success()
}

pub(super) fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}
