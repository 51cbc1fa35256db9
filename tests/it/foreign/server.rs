//! What a server says over SSH: one that was taken over may say anything.

use clawberth::host::update::{Part, Preflight, Standing, Switched, ended};
use clawberth::host::{born, gateway, identity, install, rotate, system};
use clawberth::model::endpoint::Endpoint;
use clawberth::model::host_key;
use clawberth::ssh::Output;
use proptest::prelude::*;

use super::damage::{config, damaged};

const UPDATE: [&str; 3] = [
    "serving=2026.9.5\nversion=2026.9.5\nready=yes\nbusy=no\nnode=24.21.0\nstaged=no\nstate_kb=100000\ndisk_free_kb=30000000\n\
     memory_free_kb=4000000\nruns={\"safe\":true,\"counts\":{\"queueSize\":0,\"totalActive\":0},\"blockers\":[]}\n",
    "serving=2026.9.5\nversion=\nready=no\nbusy=yes\narmed=yes\ntrial=2026.9.5 2026.9.6\nreverted=2026.9.6\nrelease=2026.9.5\n\
     release=2026.9.6\nsaved=2026.9.5 1795000000 100000\n",
    "serving=2026.9.6\ndown_ms=18900\nlost_since=1795000000\n",
];
const INSTALL: [&str; 2] = [
    "yes\nno\n1030\n1000 setup started\n1010 node started\n---\n{\"status\": \"running\", \"errors\": []}\n---\nlast line\n",
    "no\nno\n1030\n1000 setup started\n1010 setup done\n---\n{\"status\": \"done\", \"errors\": [\"e\"]}\n---\n",
];
const SYSTEM: [&str; 5] = [
    r#"{"serverVersion":"2026.9.6","serverBuildId":"2026.9.6-release-eb377ac"}"#,
    r##"{"ok":true,"browserUrl":"http://127.0.0.1:18789/#bootstrapToken=abc&bootstrapProfile=owner","browserBootstrapExpiresAtMs":1795000000000}"##,
    r#"{"release":{"openclaw":"2026.9.6","engines":">=24.16.0 <25 || >=26.1.0","integrity":"sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg==","node":"24.21.0"},"host":null}"#,
    "42\n",
    "0a1b2c3d-0000-4000-8000-000000000000\nyes\n",
];

fn output(bytes: &[u8], status: u32) -> Output {
    let text = String::from_utf8_lossy(bytes).into_owned();
    Output { status, stderr: text.clone(), stdout: text }
}

#[test]
fn words_of_an_update() {
    proptest!(config(), |(said in damaged(&UPDATE), status in 0..3_u32)| {
        let output = output(&said, status);
        if let Ok(preflight) = Preflight::parse(&output) {
            drop(preflight.problems());
        }
        let _ = Standing::parse(&output).map(clawberth::model::observed::Releases::from);
        for part in [Part::Switch, Part::Rehearse] {
            if let Ok(switched) = Switched::parse(part, &output) {
                prop_assert_eq!(status, 0, "{:?}", switched);
            }
            prop_assert_eq!(ended(part, &output).is_ok(), status == 0);
        }
    });
}

#[test]
fn words_of_an_installation() {
    proptest!(config(), |(said in damaged(&INSTALL))| {
        let _ = install::parse_progress(&String::from_utf8_lossy(&said));
    });
}

#[test]
fn words_of_a_rotation() {
    const SAID: [&str; 1] = ["kept=1\ndown_ms=14500\nold=AUTH_TOKEN_MISMATCH\nnew=hello-ok\n"];
    proptest!(config(), |(said in damaged(&SAID), status in 0..2_u32)| {
        if let Ok(rotated) = rotate::parse(&output(&said, status)) {
            prop_assert!(status == 0 && !rotated.refusal.contains('\n'), "{:?}", rotated);
        }
    });
}

/// What is taken for a host key is one, and stands on a label as it is.
#[test]
fn words_about_host_keys() {
    const SAID: [&str; 1] =
        ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f root@alice\n\
         SHA256:ZkAslGjFiUHdGf/WUL8rQvkib4PTvQatUV0OUQSncCA\n"];
    proptest!(config(), |(said in damaged(&SAID), status in 0..2_u32)| {
        if let Ok(own) = identity::parse_host_key(&output(&said, status)) {
            let label = host_key::to_label(&own.key);
            prop_assert_eq!(label.as_deref().and_then(host_key::from_label), Some(own.key));
        }
    });
}

/// The single-use token is in no error: errors are printed.
#[test]
fn words_of_a_system() {
    let endpoint = Endpoint::Address("192.0.2.1".parse().unwrap());
    proptest!(config(), |(said in damaged(&SYSTEM), status in 0..2_u32)| {
        let output = output(&said, status);
        let _ = gateway::parse_version(&output.stdout);
        let _ = born::parse(&output);
        let _ = identity::parse_server_id(&output);
        let _ = system::parse_boot(&output);
        match gateway::parse_owner_link(&output.stdout, &endpoint) {
            Ok(link) => prop_assert!(link.url.expose().starts_with("https://192.0.2.1/#bootstrapToken=")),
            Err(error) => prop_assert!(!format!("{error:#}").contains("abc"), "{:#}", error),
        }
    });
}
