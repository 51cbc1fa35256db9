//! Pebble, Let's Encrypt's own test server: the real ACME protocol, from a stranger's point of view.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use axum::http::header::USER_AGENT;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::cache::Cache;
use super::dir::LabDir;
use super::process::Process;
use super::slot::Slot;
use super::tool;
use super::trust::{self, Trust};

/// Debian's stable releases have a Pebble without profiles, which ignores them silently; unstable's has them and
/// runs on all of them.
const SUITE: &str = "unstable";
/// A few seconds with a near mirror.
const FETCH: Duration = Duration::from_secs(5 * 60);
/// An ACME server refuses whoever does not say who asks (RFC 8555, 6.1).
pub(super) const AGENT: &str = "clawberth-lab";
const START: Duration = Duration::from_secs(20);
/// Pebble gives itself a minute for a request.
const ANSWER: Duration = Duration::from_secs(60);
/// How long one look during the start may take.
const ATTEMPT: Duration = Duration::from_secs(5);
/// Validity in seconds: Let's Encrypt's `default` is 90 days, `shortlived` (also for IP addresses) 160 h. No others: where a client
/// names none, Pebble takes one of them at random.
const PROFILES: [(&str, &str, u32); 2] =
    [("default", "90 days", 7_776_000), ("shortlived", "160 hours, also for IP addresses", 576_000)];

/// The directory in the cache that holds Debian's package unpacked.
pub(super) async fn prepare(cache: &Cache) -> Result<PathBuf> {
    let fetch = async |dir: &Path| {
        let words =
            ["--mount", "--propagation", "private", "mmdebstrap", "--variant=extract", "--format=directory"];
        // unstable's index expires after a week, which a frozen mirror cannot help
        let valid = ["--aptopt=Acquire::Check-Valid-Until \"false\"", "--include=pebble", SUITE];
        let target = dir.to_string_lossy();
        let arguments = words.into_iter().chain(valid).chain([target.as_ref()]);
        tool::run("unshare", arguments, FETCH).await.map(drop)
    };
    cache.entry("pebble", &format!("1\n{SUITE}"), fetch).await
}

/// Where ACME clients begin.
pub(super) fn directory(slot: Slot) -> String {
    format!("https://{}/dir", public(slot))
}

/// Where clients find Let's Encrypt's limits, and Pebble behind them.
pub(super) fn public(slot: Slot) -> SocketAddr {
    (slot.stranger().0, 14000).into()
}

/// Where Pebble itself listens; the router lets only this computer through, see `filter`.
pub(super) fn behind(slot: Slot) -> SocketAddr {
    (slot.stranger().0, 14001).into()
}

/// Where Pebble tells its root, as guarded.
fn management(slot: Slot) -> SocketAddr {
    (slot.stranger().0, 15000).into()
}

/// A client that trusts Pebble's certificate and takes answers as they are.
pub(super) fn client(trust: &Trust) -> Result<reqwest::Client> {
    // Whoever runs first installs the provider; it is the same one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let authority = reqwest::Certificate::from_pem(trust.root.as_bytes())?;
    let client = reqwest::Client::builder()
        .tls_certs_only([authority])
        .no_proxy()
        .no_gzip()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(ANSWER);
    Ok(client.build()?)
}

/// Starts Pebble, unless it still runs, and publishes its root, which is another one after each start.
pub(super) async fn start(dir: &LabDir, slot: Slot, package: &Path, trust: &Trust) -> Result<()> {
    if Process::load(&pid(dir)).is_none() {
        let config = dir.file("pebble.json");
        fs::write(&config, serde_json::to_vec_pretty(&configuration(dir, slot))?)?;
        let binary = package.join("usr/bin/pebble");
        let words = [
            format!("--net=/run/netns/{}", slot.world()),
            binary.to_string_lossy().into_owned(),
            "-config".to_owned(),
            config.to_string_lossy().into_owned(),
            "-dnsserver".to_owned(),
            format!("{}:53", slot.services().0),
        ];
        // Without it Pebble waits up to 15 s before each validation.
        let env = [("PEBBLE_VA_NOSLEEP", "1")];
        Process::detach("nsenter", &words, &env, &dir.file("pebble.log"))?.save(&pid(dir))?;
    }
    let root = answer(dir, slot, trust).await?;
    publish(&dir.acme_root(), &root).context("cannot publish the ACME root")
}

/// Adds a root to those of earlier starts: what they signed on machines that live on stays valid.
fn publish(file: &Path, root: &str) -> std::io::Result<()> {
    let known = fs::read_to_string(file).unwrap_or_default();
    if known.contains(root.trim()) { Ok(()) } else { fs::write(file, format!("{known}{}\n", root.trim())) }
}

/// Stops Pebble, if it runs. What is left of it ends with the stranger's namespace.
pub(super) async fn stop(dir: &LabDir) {
    if let Some(process) = Process::load(&pid(dir)) {
        process.end(Duration::from_secs(5)).await;
    }
}

fn pid(dir: &LabDir) -> PathBuf {
    dir.file("pebble.pid")
}

fn configuration(dir: &LabDir, slot: Slot) -> Value {
    let profile = |(name, description, seconds): (&str, &str, u32)| {
        (name.to_owned(), json!({ "description": description, "validityPeriod": seconds }))
    };
    let profiles: serde_json::Map<String, Value> = PROFILES.into_iter().map(profile).collect();
    let [_, certificate, key] = trust::FILES.map(|name| dir.file(name));
    json!({ "pebble": {
        "listenAddress": behind(slot),
        "managementListenAddress": management(slot),
        "certificate": certificate,
        "privateKey": key,
        "httpPort": 80,
        "tlsPort": 443,
        "ocspResponderURL": "",
        "externalAccountBindingRequired": false,
        "retryAfter": { "authz": 1, "order": 1 },
        "profiles": profiles,
    }})
}

/// The root, once the server answers and has both profiles.
async fn answer(dir: &LabDir, slot: Slot, trust: &Trust) -> Result<String> {
    let client = client(trust)?;
    let until = Instant::now() + START;
    loop {
        match ask(&client, slot).await {
            Ok(root) => return Ok(root),
            Err(error) if Instant::now() >= until || Process::load(&pid(dir)).is_none() => {
                let log = fs::read_to_string(dir.file("pebble.log")).unwrap_or_default();
                let last = tool::last_lines(&log, 3);
                return Err(error.context(format!("the ACME server does not answer after {START:?}: {last}")));
            }
            Err(_) => sleep(Duration::from_millis(100)).await,
        }
    }
}

async fn ask(client: &reqwest::Client, slot: Slot) -> Result<String> {
    let get = async |url: String| {
        let request = client.get(url).header(USER_AGENT, AGENT).timeout(ATTEMPT);
        request.send().await?.error_for_status()
    };
    let directory: Value = get(format!("https://{}/dir", behind(slot))).await?.json().await?;
    for (name, _, _) in PROFILES {
        let known = directory.pointer("/meta/profiles").and_then(|profiles| profiles.get(name));
        known.with_context(|| format!("this Pebble has no profile {name}"))?;
    }
    Ok(get(format!("https://{}/roots/0", management(slot))).await?.text().await?)
}
