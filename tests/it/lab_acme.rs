//! Let's Encrypt's rate limits in front of the lab's ACME server, as certbot's library meets them in the hands of a
//! stranger. Nothing is assumed valid: the stranger has certificates for its own address, by HTTP-01.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Debian's, for which Debian's library is.
const PYTHON: &str = "/usr/bin/python3";

struct Lab {
    dir: PathBuf,
    temp: tempfile::TempDir,
}

impl Lab {
    /// `None` without root, which only a user's own computer may be.
    fn up(words: &[&str]) -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            assert!(std::env::var_os("CI").is_none(), "the lab's network needs root");
            eprintln!("skipped: the lab's network needs root");
            return None;
        }
        let temp = tempfile::tempdir_in("/var/tmp").unwrap();
        let lab = Self { dir: temp.path().join("lab"), temp };
        let up = lab.run(&["up", "--detach"], words);
        assert!(up.status.success(), "{}", String::from_utf8_lossy(&up.stderr));
        Some(lab)
    }

    fn run(&self, words: &[&str], rest: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_clawberth"));
        command.arg("lab").args(words).arg("--dir").arg(&self.dir).args(rest);
        command.output().unwrap()
    }

    /// The stranger's address.
    fn address(&self) -> String {
        let record: Value = serde_json::from_slice(&fs::read(self.dir.join("lab.json")).unwrap()).unwrap();
        format!("198.19.{}.6", record["slot"])
    }

    /// Lets an account do something so many times, or until it is refused.
    fn client(&self, account: &str, verb: &str, times: u32, words: &[&str]) -> Outcome {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/lab_acme.py");
        let directory = format!("https://{}:14000/dir", self.address());
        let authority = self.dir.join("ca.pem").display().to_string();
        let key = self.temp.path().join(account).display().to_string();
        let times = times.to_string();
        let mut all = vec!["--", PYTHON, script, &directory, &authority, &key, verb, &times];
        all.extend(words);
        let output = self.run(&["exec", "--from", "world"], &all);
        let story = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{account} {verb}: {story}");
        let outcome: Value = serde_json::from_slice(&output.stdout).unwrap();
        Outcome {
            done: outcome["done"].as_u64().unwrap(),
            last: outcome["last"].as_str().unwrap_or_default().to_owned(),
            refused: outcome["refused"].clone(),
        }
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.run(&["down"], &[]);
    }
}

/// How far a client came.
struct Outcome {
    done: u64,
    last: String,
    /// The problem, with what matters of its headers.
    refused: Value,
}

impl Outcome {
    /// Done so many times, then refused as Let's Encrypt refuses. Returns the seconds until the next.
    fn limited(&self, done: u64, what: &str) -> u64 {
        let refused = &self.refused;
        assert_eq!(self.done, done, "{refused}");
        assert_eq!(refused["type"], "urn:ietf:params:acme:error:rateLimited", "{refused}");
        assert_eq!(refused["status"], 429, "{refused}");
        assert_eq!(refused["content_type"], "application/problem+json", "{refused}");
        assert_eq!(refused["nonce"], true, "{refused}");
        assert!(refused["detail"].as_str().unwrap().starts_with(what), "{refused}");
        refused["retry_after"].as_u64().unwrap()
    }
}

fn within(seconds: u64, limit: u64, since: Instant) {
    let passed = since.elapsed().as_secs() + 1;
    assert!((limit.saturating_sub(passed)..=limit).contains(&seconds), "{seconds} s of {limit} s");
}

#[test]
fn a_strangers_client_meets_lets_encrypts_limits() {
    let Some(lab) = Lab::up(&[]) else { return };
    let address = lab.address();
    let start = Instant::now();

    let failing = lab.client("a", "failures", 6, &[&address]);
    let failures = format!("too many failed authorizations (5) for {address:?} in the last 1h0m0s");
    within(failing.limited(5, &failures), 12 * 60, start);

    let set =
        "too many certificates (5) already issued for this exact set of identifiers in the last 168h0m0s";
    let first = lab.client("b", "certificates", 6, &[&address]);
    within(first.limited(5, set), 120_960, start);
    lab.client("c", "certificates", 1, &[&address]).limited(0, set);

    let announced = lab.client("b", "certificates", 2, &[&address, &first.last]);
    announced.limited(1, set);
    let again = lab.client("b", "certificates", 1, &[&address, &first.last]);
    assert_eq!(
        (again.done, &again.refused["status"]),
        (0, &409.into()),
        "it was replaced: {}",
        again.refused
    );
    let foreign = lab.client("c", "certificates", 1, &[&address, &announced.last]);
    assert_eq!((foreign.done, &foreign.refused["status"]), (0, &403.into()), "not c's: {}", foreign.refused);

    let orders = "too many new orders (300) from this account in the last 3h0m0s";
    let ordering = Instant::now();
    let many = lab.client("d", "orders", 320, &["example.test"]);
    let refilled = ordering.elapsed().as_secs() / 36;
    assert!((300..=300 + refilled).contains(&many.done), "{} orders", many.done);
    assert!(many.limited(many.done, orders) <= 36, "{}", many.refused);

    let accounts = "too many new registrations (10) from this IP address in the last 3h0m0s";
    within(lab.client("e", "accounts", 7, &["-"]).limited(6, accounts), 18 * 60, start);
    lab.client("b", "certificates", 1, &[&address]).limited(0, set);
}

#[test]
fn in_compressed_time_a_refused_certificate_is_soon_issued() {
    let Some(lab) = Lab::up(&["--acme-speed", "5000"]) else { return };
    let address = lab.address();
    let set = "too many certificates (5)";
    let wait = lab.client("a", "certificates", 6, &[&address]).limited(5, set);
    assert!((1..=25).contains(&wait), "34 hours are 24 seconds, not {wait}");
    std::thread::sleep(Duration::from_secs(wait));
    lab.client("a", "certificates", 2, &[&address]).limited(1, set);
}
