//! What a server is at birth: the user data of its create call.

use anyhow::{Context as _, Result, ensure};
use ipnet::IpNet;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::files::files;
use super::templates::{Template, render};
use crate::model::release::Release;
use crate::secret::Secret;

/// The most that Hetzner takes as `user_data`, in bytes.
pub const MAX_USER_DATA: usize = 32 * 1024;

/// Everything that a new server is told.
#[derive(Clone, Debug)]
pub struct Birth {
    /// What it runs.
    pub release: Release,
    /// Its full name under the operator's domain; without one it is reached by its public IPv4 address.
    pub domain: Option<String>,
    /// Who may connect to port 22.
    pub admin_networks: Vec<IpNet>,
    /// The directory URL of the ACME server that certifies it.
    pub acme_directory: String,
    /// Where Node comes from: a URL below which `v24.21.0/SHASUMS256.txt` is found, without a slash at the end.
    pub node_mirror: String,
    /// What it proves itself with in the first SSH session.
    pub host_key: HostKey,
    /// What is on its disk, and what becomes of it.
    pub kind: Kind,
}

/// What is on a new server's disk, and what becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Nothing but Debian; a gateway.
    Cold,
    /// All that is the same for every gateway of its release; a gateway.
    Baked,
    /// Nothing but Debian; the image of which others are made.
    Builder,
}

/// A throw-away ed25519 key pair: whoever can read the metadata address can read it.
#[derive(Clone, Debug)]
pub struct HostKey {
    /// In OpenSSH's PEM form.
    pub private: Secret,
    /// `ssh-ed25519 AAAA…`.
    pub public: String,
}

#[derive(Serialize)]
struct Context<'a> {
    host_key_private: &'a str,
    host_key_public: &'a str,
    /// Whether Debian's packages are there.
    is_baked: bool,
    files: Vec<super::RemoteFile>,
}

/// A release that nobody runs: what is made by it depends on nothing but the set-up itself.
const ANY_RELEASE: &str = concat!(
    r#"{"openclaw":"2026.1.1","engines":">=24","node":"24.0.0","integrity":"sha512-"#,
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==\"}"
);
/// Characters of the set-up's hash: enough, and short enough for a label.
const HASH: usize = 20;

/// By which set-up servers are made, as a hash: what an image was made by that has another one is not what this version installs.
///
/// # Errors
/// Never in practice: the templates take it.
pub fn set_up() -> Result<String> {
    let birth = Birth {
        release: serde_json::from_str(ANY_RELEASE).context("a release of nobody")?,
        domain: None,
        admin_networks: Vec::new(),
        acme_directory: "acme".to_owned(),
        node_mirror: "mirror".to_owned(),
        host_key: HostKey { private: Secret::new(""), public: String::new() },
        kind: Kind::Builder,
    };
    let scripts = [include_str!("../../templates/unmake.sh"), include_str!("../../templates/identity.sh")];
    let hash = Sha256::digest(scripts.concat() + user_data(&birth)?.expose());
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(hex.chars().take(HASH).collect())
}

/// The cloud-config of a server. Secret only because of the throw-away host key in it.
///
/// # Errors
/// A value that a template cannot take, or a result larger than [`MAX_USER_DATA`].
pub fn user_data(birth: &Birth) -> Result<Secret> {
    let context = Context {
        host_key_private: birth.host_key.private.expose(),
        host_key_public: &birth.host_key.public,
        is_baked: birth.kind == Kind::Baked,
        files: files(birth)?,
    };
    let text = render(Template::UserData, &context)?;
    let size = text.len();
    ensure!(
        size <= MAX_USER_DATA,
        "user data has {size} bytes, more than the {MAX_USER_DATA} that Hetzner takes"
    );
    Ok(Secret::new(text))
}
