//! The secrets that policies name, while a command runs.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

use crate::model::policy::{Policy, Source};
use crate::secret::Secret;
use crate::ssh::LoginKey;

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
    /// An agent that does not sign; where there are no secrets, it is not asked.
    pub async fn new(values: BTreeMap<Source, Secret>, key: &LoginKey) -> Result<Self> {
        let key = match values.is_empty() {
            true => None,
            false => Some(key.own_secret("marks of secrets").await.context("cannot mark secrets")?),
        };
        Ok(Self { values, key })
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

    /// What tells each secret of a policy from others, without telling what it is: an HMAC by what only the fleet's private key can
    /// tell. Equal secrets have equal marks in a fleet, and in no other.
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
    use crate::ssh::KeyPair;

    fn pair(seed: u64) -> LoginKey {
        LoginKey::Here(Entropy::seeded(seed).with(|rng| KeyPair::generate(rng, "").unwrap()))
    }

    async fn secrets(value: &str, key: &LoginKey) -> Secrets {
        let source = "env:K".parse().unwrap();
        Secrets::new(BTreeMap::from([(source, Secret::new(value))]), key).await.unwrap()
    }

    async fn mark(value: &str, key: &LoginKey) -> String {
        let policy: Policy = toml::from_str("providers.openai.key = 'env:K'").unwrap();
        secrets(value, key).await.marks(&policy).unwrap()["/model/openai"].clone()
    }

    #[tokio::test]
    async fn a_mark_tells_secrets_apart_and_nothing_about_them() {
        let (ours, other) = (pair(1), pair(2));
        let one = mark("sk-1", &ours).await;
        assert_eq!((one.len(), &one), (32, &mark("sk-1", &ours).await));
        assert_ne!(one, mark("sk-2", &ours).await);
        assert_ne!(one, mark("sk-1", &other).await);
        assert!(!format!("{:?}", secrets("sk-1", &ours).await).contains("sk-1"));
    }

    #[test]
    fn a_secret_that_was_not_read_is_missed() {
        let policy: Policy = toml::from_str("providers.openai.key = 'env:K'").unwrap();
        assert_eq!(Secrets::default().of(&policy).unwrap_err().to_string(), "env:K was not read");
    }
}
