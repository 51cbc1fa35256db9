//! Releases out of an npm registry and a Node mirror, both played on loopback.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly, in its helpers too")]

use std::collections::BTreeMap;

use axum::{Json, Router, routing::get};
use clawberth::model::release::Release;
use clawberth::registry::{Catalogue, ReleaseError, Sources, Wanted, resolve};
use serde_json::{Value, json};

const INTEGRITY: &str =
    "sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg==";

fn package() -> Value {
    let manifest = |engines: &str| json!({"engines": {"node": engines}, "dist": {"integrity": INTEGRITY}});
    json!({
        "dist-tags": {"latest": "2027.1.2-1"},
        "time": {"created": "2026-01-01T00:00:00.000Z", "2027.1.2-1": "2027-01-05T10:00:00.000Z"},
        "versions": {
            "2027.1.2-1": manifest(">=24.16.0 <25 || >=26.1.0"),
            "2027.1.3": manifest(">=99"),
            "2027.1.4": {"engines": {"node": ">=24"}, "dist": {}},
            "2026.8.2": manifest(">=22"),
            "2026.3.13": {"dependencies": {}},
        }
    })
}

fn node() -> Value {
    json!([{"version": "v26.10.0", "lts": false}, {"version": "v24.21.0", "lts": "Krypton"}])
}

/// The URL of a server with both, below `/npm` and `/dist`.
pub(crate) async fn serve() -> String {
    let router = Router::new()
        .route("/npm/openclaw", get(async || Json(package())))
        .route("/dist/index.json", get(async || Json(node())));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

async fn ask(wanted: &str, npm: Option<&str>) -> Result<Release, ReleaseError> {
    // another test may have installed it already
    let _ = rustls::crypto::ring::default_provider().install_default();
    let url = serve().await;
    let home = tempfile::tempdir().unwrap();
    let env = match npm {
        Some(path) => [("NPM_Config_Registry".to_owned(), format!("{url}{path}"))].into(),
        // no npm on the path, no .npmrc at home
        None => {
            BTreeMap::from(["HOME", "PATH"].map(|key| (key.to_owned(), home.path().display().to_string())))
        }
    };
    let sources = Sources {
        catalogue: &Catalogue::built_in().unwrap(),
        http: &reqwest::Client::builder().no_proxy().build().unwrap(),
        env: &env,
        node_mirror: &format!("{url}/dist"),
    };
    resolve(wanted.parse().unwrap(), &sources).await
}

async fn refused(wanted: &str, npm: Option<&str>) -> (String, String) {
    let error = ask(wanted, npm).await.unwrap_err();
    (error.to_string(), error.hint())
}

#[tokio::test]
async fn latest_is_pinned_with_the_node_it_accepts() {
    let release = ask("latest", Some("/npm/")).await.unwrap();
    assert_eq!(release.to_string(), "OpenClaw 2027.1.2-1 on Node 24.21.0");
    assert_eq!(release.integrity.to_string(), INTEGRITY);
}

#[tokio::test]
async fn a_tested_version_needs_no_registry() {
    let tested = Catalogue::built_in().unwrap().oldest().clone();
    assert_eq!(ask(&tested.openclaw.to_string(), None).await.unwrap(), tested);
}

#[tokio::test]
async fn each_refusal_says_why() {
    let npm = Some("/npm");
    assert_eq!(
        refused("2027.1.2", npm).await,
        ("there is no OpenClaw 2027.1.2".into(), "did you mean 2027.1.2-1 or 2027.1.4 or 2027.1.3?".into())
    );
    assert_eq!(
        refused("2026.8.2", npm).await,
        (
            "OpenClaw 2026.8.2 is older than 2026.9.5, the oldest that this clawberth can configure".into(),
            "use --version 2026.9.5 or newer".into()
        )
    );
    let (engines, _) = refused("2027.1.3", npm).await;
    assert!(engines.starts_with("OpenClaw 2027.1.3 runs on Node >=99, and http://127.0.0.1:"), "{engines}");
    assert_eq!(
        refused("2027.1.4", npm).await.0,
        "the npm registry's entry for OpenClaw 2027.1.4 is unusable"
    );
    assert_eq!(refused("latest", Some("/nothing")).await.0, "the npm registry gives no answer");
    assert_eq!(refused("latest", None).await.0, "no npm registry is configured");
    assert!("newest".parse::<Wanted>().is_err());
}
