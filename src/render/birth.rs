//! What a server is at birth: the user data of its create call.

use anyhow::{Result, ensure};
use ipnet::IpNet;
use serde::Serialize;

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
    files: Vec<super::RemoteFile>,
}

/// The cloud-config of a server. Secret only because of the throw-away host key in it.
///
/// # Errors
/// A value that a template cannot take, or a result larger than [`MAX_USER_DATA`].
pub fn user_data(birth: &Birth) -> Result<Secret> {
    let context = Context {
        host_key_private: birth.host_key.private.expose(),
        host_key_public: &birth.host_key.public,
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
