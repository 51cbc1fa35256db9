//! What a server is sent before an update: its files.

use anyhow::{Result, ensure};
use serde::Serialize;

use super::files::{RemoteFile, born, is_plain};
use super::templates::{Template, render};
use crate::model::release::Release;

/// What a server is to run next.
#[derive(Clone, Debug)]
pub struct Update {
    /// The release that it goes to.
    pub release: Release,
    /// The server's full name under the operator's domain, as at its birth.
    pub domain: Option<String>,
    /// Where Node comes from: a URL below which `v24.21.0/SHASUMS256.txt` is found, without a slash at the end.
    pub node_mirror: String,
    /// Seconds from the end of the switch until the server goes back by itself, unless somebody confirms.
    pub revert_after: u32,
}

#[derive(Serialize)]
struct Context<'a> {
    openclaw: String,
    openclaw_sha512: String,
    node: String,
    node_mirror: &'a str,
    revert_after: u32,
    born: String,
}

/// All files of an update, in the order of their paths. They are the same for each server but for its own name.
///
/// # Errors
/// A mirror whose URL would be code in a shell.
pub fn update(update: &Update) -> Result<Vec<RemoteFile>> {
    let mirror = &update.node_mirror;
    ensure!(is_plain(mirror), "{mirror:?} has characters that no URL needs");
    let context = Context {
        openclaw: update.release.openclaw.to_string(),
        openclaw_sha512: update.release.integrity.hex(),
        node: update.release.node.to_string(),
        node_mirror: mirror,
        revert_after: update.revert_after,
        born: born(&update.release, update.domain.as_deref())?,
    };
    Template::UPDATE
        .iter()
        .map(|&(path, mode, template)| Ok(RemoteFile { path, mode, content: render(template, &context)? }))
        .collect()
}
