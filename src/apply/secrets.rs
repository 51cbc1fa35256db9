//! The secrets that policies name, while a command runs.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

use crate::model::policy::{Policy, Source};
use crate::secret::Secret;
use crate::ssh::KeyPair;

/// Bytes of a secret's mark: enough that no two secrets of a fleet share one by chance.
const MARK: usize = 16;

/// Secrets by where they came from. `Debug` shows only that.
#[derive(Clone, Debug, Default)]
pub struct Secrets {
    values: BTreeMap<Source, Secret>,
    /// What marks are made with.
    key: Option<Secret>,
}

impl Secrets {
    /// Takes secrets, and the fleet's key, by which each of them gets its mark.
    ///
    /// # Errors
    /// Never in practice; encoding a key is fallible by type.
    pub fn new(values: BTreeMap<Source, Secret>, key: &KeyPair) -> Result<Self> {
        Ok(Self { values, key: Some(key.private_text()?) })
    }

    /// The secrets of a policy by their places on a server.
    ///
    /// # Errors
    /// One that was not read: a fault of the program.
    pub fn of(&self, policy: &Policy) -> Result<BTreeMap<String, &Secret>> {
        let of = |(place, source): (String, &Source)| {
            let value = self.values.get(source).with_context(|| format!("{source} was not read"))?;
            Ok((place, value))
        };
        policy.secrets().map(of).collect()
    }

    /// What tells each secret of a policy from others, without telling what it is: an HMAC by the fleet's private key. Equal
    /// secrets have equal marks in a fleet, and in no other.
    ///
    /// # Errors
    /// As [`of`](Self::of).
    pub fn marks(&self, policy: &Policy) -> Result<BTreeMap<String, String>> {
        let key = self.key.as_ref().map(Secret::expose).unwrap_or_default();
        let key = Sha256::digest(format!("clawberth: marks of secrets\n{key}"));
        let mark = |(place, secret): (String, &Secret)| {
            let mut mac = Hmac::<Sha256>::new_from_slice(&key).context("a key for marks")?;
            mac.update(secret.expose().as_bytes());
            let bytes = mac.finalize().into_bytes();
            let mark: String = bytes.iter().take(MARK).map(|byte| format!("{byte:02x}")).collect();
            Ok((place, mark))
        };
        self.of(policy)?.into_iter().map(mark).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::Entropy;

    fn secrets(value: &str, key: &KeyPair) -> Secrets {
        let source = "env:K".parse().unwrap();
        Secrets::new(BTreeMap::from([(source, Secret::new(value))]), key).unwrap()
    }

    #[test]
    fn a_mark_tells_secrets_apart_and_nothing_about_them() {
        let policy: Policy = toml::from_str("providers.openai.key = 'env:K'").unwrap();
        let pair = |seed| Entropy::seeded(seed).with(|rng| KeyPair::generate(rng, "").unwrap());
        let (ours, other) = (pair(1), pair(2));
        let mark =
            |value: &str, key: &KeyPair| secrets(value, key).marks(&policy).unwrap()["/model/openai"].clone();
        let one = mark("sk-1", &ours);
        assert_eq!((one.len(), &one), (32, &mark("sk-1", &ours)));
        assert_ne!(one, mark("sk-2", &ours));
        assert_ne!(one, mark("sk-1", &other));
        assert!(!format!("{:?}", secrets("sk-1", &ours)).contains("sk-1"));
    }

    #[test]
    fn a_secret_that_was_not_read_is_missed() {
        let policy: Policy = toml::from_str("providers.openai.key = 'env:K'").unwrap();
        assert_eq!(Secrets::default().of(&policy).unwrap_err().to_string(), "env:K was not read");
    }
}
