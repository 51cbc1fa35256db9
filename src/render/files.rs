//! The files that a server is born with.

use anyhow::{Context as _, Result, ensure};
use ipnet::IpNet;
use serde::Serialize;

use super::templates::{Template, render};
use super::{Birth, Kind};
use crate::model::release::Release;

/// A file on a server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RemoteFile {
    /// Where it lies.
    pub path: &'static str,
    /// Its permissions, in octal; root owns it.
    pub mode: &'static str,
    /// What is in it.
    pub content: String,
}

/// What the templates may say; strict mode refuses any other name.
#[derive(Serialize)]
struct Context<'a> {
    openclaw: String,
    openclaw_sha512: String,
    node: String,
    node_mirror: &'a str,
    /// The domain, or the placeholder that `setup` replaces by the public address: only the server knows it.
    host: &'a str,
    by_address: bool,
    /// Whether it is to become an image, and so gets nothing of its own.
    is_builder: bool,
    acme_directory: &'a str,
    admin4: Vec<IpNet>,
    admin6: Vec<IpNet>,
    /// What is set up, as JSON.
    born: String,
}

/// What a server remembers of its birth, for whoever has lost the state.
#[derive(Serialize)]
struct Born<'a> {
    release: &'a Release,
    /// Its full name under the operator's domain.
    host: Option<&'a str>,
}

/// Replaced on the server by its public IPv4 address.
const ADDRESS: &str = "@ADDRESS@";

/// All files that a server is born with, in the order of their paths.
///
/// # Errors
/// A value that a template cannot take.
pub fn files(birth: &Birth) -> Result<Vec<RemoteFile>> {
    for value in [&birth.acme_directory, &birth.node_mirror].into_iter().chain(&birth.domain) {
        ensure!(is_plain(value), "{value:?} has characters that no URL or name needs");
    }
    let (admin4, admin6) = birth.admin_networks.iter().partition(|network| network.addr().is_ipv4());
    let context = Context {
        born: born(&birth.release, birth.domain.as_deref())?,
        openclaw: birth.release.openclaw.to_string(),
        openclaw_sha512: birth.release.integrity.hex(),
        node: birth.release.node.to_string(),
        node_mirror: &birth.node_mirror,
        host: birth.domain.as_deref().unwrap_or(ADDRESS),
        by_address: birth.domain.is_none(),
        is_builder: birth.kind == Kind::Builder,
        acme_directory: &birth.acme_directory,
        admin4,
        admin6,
    };
    Template::FILES
        .iter()
        .map(|&(path, mode, template)| Ok(RemoteFile { path, mode, content: render(template, &context)? }))
        .collect()
}

/// What a server remembers of its release and name, as JSON.
pub(super) fn born(release: &Release, host: Option<&str>) -> Result<String> {
    serde_json::to_string(&Born { release, host }).context("writing the release down")
}

/// The file with the admin networks alone, for a server that has another list.
///
/// # Errors
/// Never in practice: the template takes every network.
pub fn admin_networks(networks: &[IpNet]) -> Result<String> {
    #[derive(Serialize)]
    struct Networks {
        admin4: Vec<IpNet>,
        admin6: Vec<IpNet>,
    }
    let (admin4, admin6) = networks.iter().partition(|network| network.addr().is_ipv4());
    render(Template::AdminNetworks, &Networks { admin4, admin6 })
}

/// Whether a value means itself everywhere it is put: in a shell's single quotes, a Caddyfile, JSON and sed.
pub(super) fn is_plain(value: &str) -> bool {
    !value.is_empty() && value.chars().all(|c| c.is_ascii_alphanumeric() || "-._~:/?=%[]".contains(c))
}
