//! The npm registry, and the Node distribution.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::routing::get;
use clawberth::registry::{Catalogue, Sources, Wanted, resolve};
use proptest::prelude::*;

use super::damage::{config, damaged};

const PACKAGES: [&str; 1] = [
    r#"{"dist-tags":{"latest":"2027.1.2-1"},"time":{"2027.1.2-1":"2027-01-05T10:00:00.000Z"},"versions":{"2027.1.2-1":{"engines":{"node":">=24.16.0 <25 || >=26.1.0"},
"dist":{"integrity":"sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg=="}}}}"#,
];
const NODES: [&str; 1] = [r#"[{"version":"v26.10.0","lts":false},{"version":"v24.21.0","lts":"Krypton"}]"#];

/// What is pinned is what was asked for, with a Node that it runs on.
#[test]
fn answers_of_a_registry() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _ = rustls::crypto::ring::default_provider().install_default();
    let answers: Arc<Mutex<[Vec<u8>; 2]>> = Arc::default();
    let (package, node) = (Arc::clone(&answers), Arc::clone(&answers));
    let router = Router::new()
        .route("/npm/openclaw", get(async move || package.lock().unwrap()[0].clone()))
        .route("/dist/index.json", get(async move || node.lock().unwrap()[1].clone()));
    let url = runtime.block_on(async move {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        url
    });
    let (catalogue, http) = (Catalogue::built_in().unwrap(), reqwest::Client::new());
    let env = BTreeMap::from([("npm_config_registry".to_owned(), format!("{url}/npm"))]);
    let node_mirror = format!("{url}/dist");
    let latest = || {
        let sources = Sources { catalogue: &catalogue, http: &http, env: &env, node_mirror: &node_mirror };
        runtime.block_on(resolve(Wanted::Latest, &sources))
    };
    *answers.lock().unwrap() = [PACKAGES[0].into(), NODES[0].into()];
    assert_eq!(latest().unwrap().openclaw.to_string(), "2027.1.2-1");
    proptest!(config(), |(package in damaged(&PACKAGES), node in damaged(&NODES))| {
        *answers.lock().unwrap() = [package, node];
        if let Ok(release) = latest() {
            prop_assert!(release.engines.accept(release.node), "{:?}", release);
        }
    });
}
