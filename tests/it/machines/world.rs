//! Telegram and a model out in the world, at names that DNS knows and with certificates that a server trusts.

use std::process::{Child, Command};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::bed::Bed;

/// Where Telegram is asked, as everywhere.
pub(super) const TELEGRAM: &str = "api.telegram.org";
/// Where the model is asked.
pub(super) const MODEL: &str = "llm.example.net";

/// The stand-ins, until they are dropped.
pub(super) struct World {
    process: Child,
    /// Their address.
    pub(super) address: String,
}

impl World {
    /// They serve, and DNS leads to them.
    pub(super) fn up(bed: &Bed) -> Self {
        let address = said(bed, &["ip", "-4", "-oneline", "address", "show", "dev", "eth0"]);
        let address = address.split_whitespace().nth(3).unwrap().split('/').next().unwrap().to_owned();
        for name in [TELEGRAM, MODEL] {
            let (host, zone) = name.split_once('.').unwrap();
            ask(bed, "zones", &json!({ "name": zone, "mode": "primary" }));
            let record = json!({ "name": host, "type": "A", "ttl": 60, "records": [{ "value": address }] });
            ask(bed, &format!("zones/{zone}/rrsets"), &record);
        }
        certify(bed);
        std::fs::write(bed.scratch("stand_ins.js"), include_str!("stand_ins.js")).unwrap();
        let file = |name: &str| bed.scratch(name).to_str().unwrap().to_owned();
        let mut command = bed.command(&["lab", "exec", "--from", "world", "--dir"]);
        command.arg(bed.lab_dir()).args(["--", "node"]);
        command.args([file("stand_ins.js"), file("world.key"), file("world.pem")]);
        let world = Self { process: command.spawn().unwrap(), address };
        let late = Instant::now() + Duration::from_secs(60);
        while !bed.seen_from("world", &["curl", "-fs", "http://127.0.0.1:28998/seen"]).status.success() {
            assert!(Instant::now() < late, "the stand-ins do not come up");
            std::thread::sleep(Duration::from_millis(100));
        }
        world
    }

    /// A server takes their certificate.
    pub(super) fn is_trusted_by(bed: &Bed, name: &str) {
        let pem = std::fs::read_to_string(bed.scratch("world.pem")).unwrap();
        bed.on(name, &format!("echo '{pem}' >/usr/local/share/ca-certificates/world.crt; update-ca-certificates >/dev/null 2>&1"));
    }

    /// Somebody writes to the bot, in private.
    pub(super) fn writes(bed: &Bed, who: u32, text: &str) {
        let message = json!({
            "from": { "id": who, "is_bot": false, "first_name": format!("u{who}") },
            "chat": { "id": who, "type": "private", "first_name": format!("u{who}") }, "text": text,
        });
        said(bed, &["curl", "-fsS", "-d", &message.to_string(), "http://127.0.0.1:28998/push"]);
    }

    /// How many answers the bot has sent.
    pub(super) fn answers(bed: &Bed) -> usize {
        let seen = said(bed, &["curl", "-fsS", "http://127.0.0.1:28998/seen"]);
        serde_json::from_str::<Value>(&seen).unwrap()["sent"].as_array().unwrap().len()
    }

    /// Somebody writes, and is answered.
    pub(super) fn is_answered(bed: &Bed, who: u32, text: &str) {
        let before = Self::answers(bed);
        Self::writes(bed, who, text);
        let late = Instant::now() + Duration::from_secs(300);
        while Self::answers(bed) == before {
            assert!(Instant::now() < late, "nobody answers {text:?}");
            std::thread::sleep(Duration::from_millis(500));
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

fn certify(bed: &Bed) {
    let names = format!("subjectAltName=DNS:{TELEGRAM},DNS:{MODEL}");
    let mut openssl = Command::new("openssl");
    openssl.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]);
    openssl.args(["-days", "2", "-subj", "/CN=world", "-addext", &names]);
    openssl.arg("-keyout").arg(bed.scratch("world.key")).arg("-out").arg(bed.scratch("world.pem"));
    let output = openssl.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// The lab's API, of which Debian's client does not know all.
fn ask(bed: &Bed, path: &str, body: &Value) {
    let url = format!("{}/{path}", bed.variable("HCLOUD_ENDPOINT"));
    let bearer = format!("Authorization: Bearer {}", bed.variable("HCLOUD_TOKEN"));
    let mut curl = Command::new("curl");
    curl.args([
        "-sS",
        "--fail-with-body",
        "-H",
        &bearer,
        "-H",
        "Content-Type: application/json",
        "-d",
        &body.to_string(),
        &url,
    ]);
    let output = curl.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

fn said(bed: &Bed, words: &[&str]) -> String {
    let output = bed.seen_from("world", words);
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
