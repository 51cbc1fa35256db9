//! Ed25519 keys: the operator's, here or in an agent, and the throw-away host keys.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use ssh_key::rand_core::CryptoRng;
use ssh_key::{Algorithm, HashAlg, LineEnding, PrivateKey, PublicKey};

use super::AgentKey;
use crate::secret::Secret;

/// The keys that commands log in with.
#[derive(Clone, Debug)]
pub struct KeyRing {
    /// The fleet's own.
    pub key: LoginKey,
    /// While that is replaced: the one that is to follow it, or the one before, which a server may still be the only one to know.
    pub other: Option<LoginKey>,
}

impl KeyRing {
    /// All of them, in the order in which they are tried.
    pub fn all(&self) -> Vec<LoginKey> {
        [&self.key].into_iter().chain(&self.other).cloned().collect()
    }
}

/// A key that logs in.
#[derive(Clone, Debug)]
pub enum LoginKey {
    /// Its private half is here.
    Here(KeyPair),
    /// Its private half is in an agent.
    InAgent(AgentKey),
}

impl LoginKey {
    /// The public half without a comment: type and key.
    ///
    /// # Errors
    /// Never in practice; encoding is fallible by type.
    pub fn bare_public(&self) -> Result<String> {
        match self {
            Self::Here(pair) => pair.bare_public(),
            Self::InAgent(key) => key.bare_public(),
        }
    }

    /// What nobody knows who has not this key, and who has it always finds the same: the private half, or what the agent signs for
    /// this purpose.
    ///
    /// # Errors
    /// An agent that does not sign.
    pub async fn own_secret(&self, purpose: &str) -> Result<Secret> {
        match self {
            Self::Here(pair) => pair.private_text(),
            Self::InAgent(key) => {
                let signature = key.sign("clawberth", purpose).await?;
                Ok(Secret::new(signature.iter().map(|byte| format!("{byte:02x}")).collect::<String>()))
            }
        }
    }
}

/// Somebody's public key, as a line of text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicLine {
    /// Type and key.
    pub public: String,
    /// What its owner wrote behind it, without what a terminal would act on.
    pub comment: String,
    /// SHA256 in base64, as OpenSSH shows it.
    pub fingerprint: String,
}

impl PublicLine {
    /// Reads a line in OpenSSH's format.
    ///
    /// # Errors
    /// What is no public key, or one of another kind than Ed25519, also on a security key.
    pub fn parse(text: &str) -> Result<Self> {
        let key = PublicKey::from_openssh(text.trim()).context("not an OpenSSH public key")?;
        let kind = key.algorithm();
        ensure!(
            matches!(kind, Algorithm::Ed25519 | Algorithm::SkEd25519),
            "a key of the type {kind}, and only Ed25519 is taken"
        );
        let words: Vec<&str> = text.split_whitespace().collect();
        let (public, comment) = words.split_at(words.len().min(2));
        let comment: String = comment.join(" ").chars().filter(|c| !c.is_control()).collect();
        let fingerprint = key.fingerprint(HashAlg::Sha256).to_string();
        Ok(Self { public: public.join(" "), comment, fingerprint })
    }
}

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

    /// The public half without its comment: type and key.
    ///
    /// # Errors
    /// Never in practice; encoding is fallible by type.
    pub fn bare_public(&self) -> Result<String> {
        Ok(self.public_text()?.split_whitespace().take(2).collect::<Vec<_>>().join(" "))
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
