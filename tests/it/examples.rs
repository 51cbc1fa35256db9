//! Every fleet in `examples/` can be planned, in a cloud that has what it needs.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

const PROGRAM: &str = env!("CARGO_BIN_EXE_clawberth");

/// Hetzner's API on loopback, and a home to use it from. Gone when dropped.
struct Cloud {
    child: Child,
    dir: tempfile::TempDir,
}

impl Cloud {
    fn up() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut child = Command::new(PROGRAM)
            .args(["lab", "api", "--dir"])
            .arg(dir.path().join("lab"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let story = BufReader::new(child.stdout.take().unwrap()).lines();
        let ready = story.map_while(Result::ok).any(|line| line.starts_with("the lab is ready"));
        assert!(ready, "the lab ended before it was ready");
        Self { child, dir }
    }

    fn record(&self) -> (String, String) {
        let record = std::fs::read(self.dir.path().join("lab/lab.json")).unwrap();
        let record: Value = serde_json::from_slice(&record).unwrap();
        (
            format!("http://127.0.0.1:{}/v1", record["port"]),
            record["projects"][0]["token"].as_str().unwrap().to_owned(),
        )
    }

    async fn make_zone(&self, name: &str) {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (endpoint, token) = self.record();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let request = client.post(format!("{endpoint}/zones")).bearer_auth(token);
        let answer = request.json(&json!({ "name": name, "mode": "primary" })).send().await.unwrap();
        assert_eq!(answer.status(), 201);
    }

    /// The plan that an example leads to, with nothing in the environment but the cloud.
    fn plan(&self, example: &str, names: &[&str]) -> String {
        let (endpoint, token) = self.record();
        let file =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(example).join("clawberth.toml");
        let output = Command::new(PROGRAM)
            .args(["deploy", "--dry-run", "--config"])
            .arg(file)
            .args(names)
            .env_clear()
            .envs([("HCLOUD_ENDPOINT", endpoint), ("HCLOUD_TOKEN", token)])
            .env("HOME", self.dir.path())
            .current_dir(self.dir.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{example}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for Cloud {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_team_of_ten_by_address() {
    let team = ["anna", "ben", "clara", "david", "emma", "felix", "greta", "henri", "ida", "jonas"];
    let plan = Cloud::up().plan("team", &team);
    assert_eq!(plan.matches("create a cx33 server in nbg1, else fsn1").count(), 10, "{plan}");
    let admins = "22/tcp from 198.51.100.20/32, 2001:db8:7::/48, 203.0.113.7/32";
    assert!(plan.contains(admins), "{plan}");
    assert!(!plan.contains("point its name"), "{plan}");
}

#[tokio::test]
async fn instances_with_names_in_a_zone() {
    let cloud = Cloud::up();
    cloud.make_zone("gateways.example").await;
    let plan = cloud.plan("named", &["alice", "bob"]);
    assert_eq!(plan.matches("point its name in gateways.example at the server").count(), 2, "{plan}");
    assert_eq!(plan.matches("OpenClaw 2026.9.5").count(), 2, "{plan}");
}

#[test]
fn each_example_has_its_test() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut found: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.sort();
    let names: Vec<_> = found.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
    assert_eq!(names, ["named", "team"], "an example without a test here may not work");
}
