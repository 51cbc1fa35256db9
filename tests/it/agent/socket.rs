//! OpenSSH's agent, and keys for it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::bed::{Cloud, Operator};

/// Longest wait for the agent's socket.
const SOON: Duration = Duration::from_secs(20);

/// An agent, until dropped.
pub(super) struct KeyAgent {
    child: Child,
    folder: PathBuf,
}

impl KeyAgent {
    /// An agent without keys, which says no whenever it is to ask somebody, beside the cloud.
    pub(super) fn start(cloud: &Cloud) -> Self {
        let folder = cloud.path("agent");
        std::fs::create_dir_all(&folder).unwrap();
        let mut command = Command::new("ssh-agent");
        command.arg("-D").arg("-a").arg(folder.join("socket")).stdin(Stdio::null()).stdout(Stdio::null());
        command.env("SSH_ASKPASS", "/bin/false").env("SSH_ASKPASS_REQUIRE", "force").env("DISPLAY", ":0");
        let agent = Self { child: command.spawn().unwrap(), folder };
        let end = Instant::now() + SOON;
        while !Path::new(&agent.socket()).exists() {
            assert!(Instant::now() < end, "no socket within {SOON:?}");
            std::thread::sleep(Duration::from_millis(10));
        }
        agent
    }

    /// Where it listens.
    pub(super) fn socket(&self) -> String {
        self.folder.join("socket").display().to_string()
    }

    /// Ends it.
    pub(super) fn end(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Who has it, and names its key `carol@desk`.
    pub(super) fn operator<'a>(&self, cloud: &'a Cloud) -> Operator<'a> {
        let operator = cloud.operator().unwrap().with("SSH_AUTH_SOCK", &self.socket());
        operator.with("CLAWBERTH_SSH_KEY", "agent:carol@desk")
    }

    /// Makes a key of this type for the agent. Its public half: type and key.
    pub(super) fn make(&self, kind: &str, comment: &str) -> String {
        let file = self.folder.join(format!("{kind}-{comment}"));
        let made = ["-q", "-N", "", "-t", kind, "-C", comment, "-f"];
        succeeds(Command::new("ssh-keygen").args(made).arg(&file));
        self.add(kind, comment);
        let public = std::fs::read_to_string(file.with_added_extension("pub")).unwrap();
        public.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
    }

    /// Gives it such a key again.
    pub(super) fn add(&self, kind: &str, comment: &str) {
        succeeds(self.ssh_add(&[]).arg(self.folder.join(format!("{kind}-{comment}"))));
    }

    /// Lets it ask from now on before it signs with a key.
    pub(super) fn asks_about(&self, kind: &str, comment: &str) {
        let file = self.folder.join(format!("{kind}-{comment}"));
        succeeds(self.ssh_add(&["-d"]).arg(&file));
        succeeds(self.ssh_add(&["-c"]).arg(&file));
    }

    /// `ssh-add -x` or `-X`.
    pub(super) fn lock(&self, how: &str) {
        use std::os::unix::fs::PermissionsExt;
        let ask = self.folder.join("ask");
        std::fs::write(&ask, "#!/bin/sh\necho opensesame\n").unwrap();
        std::fs::set_permissions(&ask, std::fs::Permissions::from_mode(0o755)).unwrap();
        succeeds(self.ssh_add(&[how]).env("SSH_ASKPASS", ask).env("SSH_ASKPASS_REQUIRE", "force"));
    }

    /// Takes all keys away.
    pub(super) fn empty(&self) {
        succeeds(&mut self.ssh_add(&["-D"]));
    }

    fn ssh_add(&self, options: &[&str]) -> Command {
        let mut command = Command::new("ssh-add");
        command.args(options).env("SSH_AUTH_SOCK", self.socket()).stdin(Stdio::null());
        command
    }
}

impl Drop for KeyAgent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[track_caller]
fn succeeds(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// As OpenSSH shows it.
pub(super) fn fingerprint(public: &str) -> String {
    let key = ssh_key::PublicKey::from_openssh(public).unwrap();
    key.fingerprint(ssh_key::HashAlg::Sha256).to_string()
}

/// The keys that each host lets in, by the lab's own record, the hosts in the order of their making.
pub(super) fn admitted(cloud: &Cloud) -> Vec<Vec<String>> {
    let mut hosts: Vec<(u64, Vec<String>)> = std::fs::read_dir(cloud.path("lab/machines"))
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let host = std::fs::read(entry.path().join("host.json")).unwrap();
            let host: serde_json::Value = serde_json::from_slice(&host).unwrap();
            let lines = host["authorized"].as_array().unwrap().iter();
            let key = |line: &str| line.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
            let keys = lines.map(|line| key(line.as_str().unwrap())).collect();
            (entry.file_name().to_str().unwrap().parse().unwrap(), keys)
        })
        .collect();
    hosts.sort();
    hosts.into_iter().map(|(_, keys)| keys).collect()
}

/// The files below a folder in which there is a private key.
pub(super) fn private_keys(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(private_keys(&path));
        } else if std::fs::read(&path).unwrap().windows(11).any(|text| text == b"PRIVATE KEY") {
            found.push(path.file_name().unwrap().to_str().unwrap().to_owned());
        }
    }
    found.sort();
    found
}
