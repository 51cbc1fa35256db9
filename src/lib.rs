//! One dedicated Hetzner Cloud server per user, each running the OpenClaw gateway behind its own certificate.
//!
//! The way through: `cli` parses, `config` merges file, environment and flags into settings, `observe` asks the cloud
//! and the host, `plan` decides, `apply` acts, `ui` tells. `ARCHITECTURE.md` has the map and the allowed arrows.

pub mod apply;
pub mod backoff;
pub mod cli;
pub mod clock;
pub mod config;
pub mod entropy;
pub mod hcloud;
pub mod host;
pub mod lab;
pub mod model;
pub mod observe;
pub mod plan;
pub mod registry;
pub mod render;
pub mod secret;
pub mod ssh;
pub mod store;
pub mod ui;

use std::ffi::OsString;
use std::process::ExitCode;

/// Runs one command line in one environment and says how it ended.
pub fn run(
    args: impl IntoIterator<Item = OsString>,
    env: impl IntoIterator<Item = (OsString, OsString)>,
) -> ExitCode {
    // one TLS provider for every client; a second call in one process keeps the first
    let _ = rustls::crypto::ring::default_provider().install_default();
    cli::run(args, env)
}
