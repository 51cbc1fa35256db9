//! The lab with real machines, from its first `up` to a host on which nothing of it is left.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may fail loudly")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// What the machine answers with on each port: the moment when it booted, so that a reboot shows.
const USER_DATA: &str = "#cloud-config
write_files:
- path: /etc/systemd/system/boot-time.service
  content: |
    [Service]
    Type=oneshot
    RemainAfterExit=yes
    ExecStart=sh -c 'mkdir -p /run/answer && date +%%s.%%N >/run/answer/index.html'
- path: /etc/systemd/system/answer@.service
  content: |
    [Unit]
    Requires=boot-time.service
    After=boot-time.service
    [Service]
    ExecStart=python3 -m http.server --bind :: --directory /run/answer %i
    [Install]
    WantedBy=multi-user.target
runcmd:
- systemctl enable --now answer@80 answer@443 answer@18789
";

struct Lab {
    dir: PathBuf,
    _temp: tempfile::TempDir,
}

impl Lab {
    fn new() -> Self {
        let temp = tempfile::tempdir_in("/var/tmp").unwrap();
        Self { dir: temp.path().join("lab"), _temp: temp }
    }

    fn run(&self, words: &[&str], rest: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_clawberth"));
        command.arg("lab").args(words).arg("--dir").arg(&self.dir).args(rest);
        command.output().unwrap()
    }

    /// Runs a lab command that must succeed and returns its answer.
    fn ok(&self, words: &[&str], rest: &[&str]) -> String {
        let output = self.run(words, rest);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "lab {words:?}: {said}{}", String::from_utf8_lossy(&output.stderr));
        said
    }

    fn variable(&self, name: &str) -> String {
        let exports = self.ok(&["env"], &[]);
        let line = exports.lines().find_map(|line| line.strip_prefix(&format!("export {name}='")));
        line.and_then(|line| line.strip_suffix('\''))
            .unwrap_or_else(|| panic!("no {name} in {exports}"))
            .to_owned()
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        let request = ["-sS", "--fail-with-body", "-H", "Content-Type: application/json", "-d"];
        let output = Command::new("curl")
            .args(request)
            .arg(body.to_string())
            .args(["-H", &format!("Authorization: Bearer {}", self.variable("HCLOUD_TOKEN"))])
            .arg(format!("{}{path}", self.variable("HCLOUD_ENDPOINT")))
            .output()
            .unwrap();
        let answer = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "POST {path}: {answer}{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_str(&answer).unwrap()
    }

    /// Which of the ports answer from a point of view.
    fn open_ports(&self, from: &str, address: &str) -> Vec<u16> {
        let look = "for port in 22 80 443 8080 18789; do \
                    (timeout 2 bash -c \": </dev/tcp/$0/$port\" 2>/dev/null && echo $port) & done; wait";
        let said = self.ok(&["exec", "--from", from], &["--", "bash", "-c", look, address]);
        let mut ports: Vec<u16> = said.lines().map(|port| port.parse().unwrap()).collect();
        ports.sort_unstable();
        ports
    }

    /// When the machine booted, as it says itself on port 443.
    fn boot_time(&self, address: &str) -> String {
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
    fn traces(&self) -> BTreeSet<String> {
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
    fn wait_for_listeners(&self, wanted: &BTreeSet<u16>) {
        let until = Instant::now() + Duration::from_secs(60);
        while self.listening() != *wanted {
            assert!(Instant::now() < until, "after 60 s the machine listens on {:?}", self.listening());
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn slot(&self) -> u64 {
        let record: Value = serde_json::from_slice(&fs::read(self.dir.join("lab.json")).unwrap()).unwrap();
        record["slot"].as_u64().unwrap()
    }

    /// The id of its only machine.
    fn machine(&self) -> String {
        let status: Value = serde_json::from_str(&self.ok(&["status", "--json"], &[])).unwrap();
        status["machines"][0]["id"].to_string()
    }

    fn machine_process(&self) -> String {
        fs::read_to_string(self.dir.join("machines").join(self.machine()).join("pid")).unwrap()
    }

    /// Kills the lab's process; its death takes a moment.
    fn kill(&self) {
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
fn root() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        assert!(std::env::var_os("CI").is_none(), "the lab's machines need root");
        let _ = std::io::Write::write_all(&mut std::io::stderr(), b"skipped: the lab's machines need root\n");
    }
    root
}

/// Creates a server behind a firewall and returns its addresses.
fn create(lab: &Lab) -> (String, String) {
    let admins: Vec<String> =
        lab.variable("CLAWBERTH_ADMIN_NETWORKS").split(',').map(str::to_owned).collect();
    let rule = |port: &str, sources: Value| json!({"direction": "in", "protocol": "tcp", "port": port, "source_ips": sources});
    let rules = json!([rule("443", json!(["0.0.0.0/0", "::/0"])), rule("22", json!(admins))]);
    let firewall = lab.post("/firewalls", &json!({"name": "gateway", "rules": rules}));
    let created = lab.post(
        "/servers",
        &json!({
            "name": "alice", "server_type": "cx23", "image": "debian-13", "location": "fsn1",
            "user_data": USER_DATA, "firewalls": [{"firewall": firewall["firewall"]["id"]}],
        }),
    );
    let net = &created["server"]["public_net"];
    let v4 = net["ipv4"]["ip"].as_str().unwrap().to_owned();
    let v6 = net["ipv6"]["ip"].as_str().unwrap();
    (v4, format!("{}1", v6.split('/').next().unwrap()))
}

#[test]
fn a_server_lives_through_down_up_and_a_killed_lab_and_nothing_is_left_of_it() {
    if !root() {
        return;
    }
    let lab = Lab::new();
    lab.ok(&["up", "--detach"], &[]);
    let (v4, v6) = create(&lab);
    let booted = lab.boot_time(&v4);
    lab.wait_for_listeners(&BTreeSet::from([22, 80, 443, 18789]));
    for address in [&v4, &v6] {
        assert_eq!(lab.open_ports("world", address), [443], "{address} from the world");
        assert_eq!(lab.open_ports("admin", address), [22, 443], "{address} from the operator");
    }
    assert!(lab.traces().len() > 10, "a lab that is up has traces: {:?}", lab.traces());

    let process = lab.machine_process();
    lab.kill();
    lab.ok(&["up", "--detach"], &[]);
    assert_eq!(
        (lab.boot_time(&v4), lab.machine_process()),
        (booted.clone(), process),
        "the machine was adopted"
    );
    assert_eq!(lab.open_ports("world", &v4), [443], "after the lab was killed");

    lab.ok(&["down"], &[]);
    assert_eq!(lab.traces(), BTreeSet::new(), "after down");
    lab.ok(&["up", "--detach"], &[]);
    assert_ne!(lab.boot_time(&v4), booted, "the machine booted again, with its disk");
    assert_eq!(lab.open_ports("world", &v4), [443], "after down and up");

    lab.kill();
    lab.ok(&["down"], &[]);
    assert_eq!(lab.traces(), BTreeSet::new(), "after a kill and down alone");
}

#[test]
fn a_second_up_says_that_the_lab_runs_and_exec_passes_the_exit_code_on() {
    if !root() {
        return;
    }
    let lab = Lab::new();
    assert!(!lab.run(&["env"], &[]).status.success(), "there is nothing to export before the first up");
    lab.ok(&["up", "--detach"], &[]);
    assert!(lab.ok(&["up", "--detach"], &[]).contains("runs already"));
    assert_eq!(lab.run(&["exec", "--from", "world"], &["--", "sh", "-c", "exit 7"]).status.code(), Some(7));
    let resolver = lab.ok(&["exec", "--from", "admin"], &["--", "cat", "/etc/resolv.conf"]);
    assert!(resolver.starts_with("nameserver 198.19."), "{resolver}");
    assert!(Path::new(&lab.variable("CLAWBERTH_ACME_ROOT")).is_file());
    let mirror = lab.variable("CLAWBERTH_NODE_MIRROR");
    let check = "set -e; curl -sSf -O \"$0/SHASUMS256.txt\" -O \"$0/$1\" && sha256sum -c SHASUMS256.txt && tar -xzf \"$1\" \
                 && PATH=$PWD/${1%.tar.gz}/bin:$PATH && node --version && npm --version";
    let checked = Command::new("sh")
        .args(["-c", check, &format!("{mirror}/v24.21.0"), "node-v24.21.0-linux-x64.tar.gz"])
        .current_dir(lab.dir.parent().unwrap())
        .output()
        .unwrap();
    let checked = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(checked.contains("OK\nv24.21.0\n11."), "{checked}");
    lab.ok(&["down"], &[]);
    assert!(lab.ok(&["down"], &[]).contains("was down already"));
}
