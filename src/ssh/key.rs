//! Ed25519 key pairs: the operator's, and the throw-away host keys.

use std::sync::Arc;

use anyhow::{Context, Result};
use ssh_key::rand_core::CryptoRng;
use ssh_key::{Algorithm, LineEnding, PrivateKey};

use crate::secret::Secret;

/// An Ed25519 key pair. `Debug` shows the public half only.
#[derive(Clone)]
pub struct KeyPair(Arc<PrivateKey>);

impl KeyPair {
    /// Makes a key pair.
    ///
    /// # Errors
    /// Where the random source fails.
    pub fn generate(rng: &mut impl CryptoRng, comment: &str) -> Result<Self> {
        let mut key = PrivateKey::random(rng, Algorithm::Ed25519).context("cannot make an SSH key")?;
        key.set_comment(comment);
        Ok(Self(Arc::new(key)))
    }

    /// Reads an OpenSSH private key without passphrase.
    ///
    /// # Errors
    /// Where the text is none.
    pub fn parse(text: &str) -> Result<Self> {
        Ok(Self(Arc::new(PrivateKey::from_openssh(text).context("not an OpenSSH private key")?)))
    }

    /// The private half as an OpenSSH file.
    ///
    /// # Errors
    /// Never in practice; encoding is fallible by type.
    pub fn private_text(&self) -> Result<Secret> {
        let text = self.0.to_openssh(LineEnding::LF).context("cannot encode an SSH key")?;
        Ok(Secret::new(text.as_str()))
    }

    /// The public half as one line: type, key, comment.
    ///
    /// # Errors
    /// Never in practice; encoding is fallible by type.
    pub fn public_text(&self) -> Result<String> {
        self.0.public_key().to_openssh().context("cannot encode an SSH key")
    }

    pub(super) fn inner(&self) -> Arc<PrivateKey> {
        Arc::clone(&self.0)
    }
}

impl std::fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("KeyPair").field(&self.public_text().unwrap_or_default()).finish()
    }
}
