//! SSH keys.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::firewall::absent_is_fine;
use super::{Client, Error};

/// A public key that the project knows.
#[derive(Clone, Debug, Deserialize)]
pub struct SshKey {
    /// Its id.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// The OpenSSH public key.
    pub public_key: String,
    /// Its labels.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

#[derive(Serialize)]
struct Create<'a> {
    name: &'a str,
    public_key: &'a str,
    labels: &'a BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct One {
    ssh_key: SshKey,
}

impl Client {
    /// All keys with these labels.
    pub async fn ssh_keys(&self, selector: &str) -> Result<Vec<SshKey>, Error> {
        self.list("/ssh_keys", "ssh_keys", &[("label_selector", selector)]).await
    }

    /// The key with this id.
    pub async fn ssh_key(&self, id: u64) -> Result<Option<SshKey>, Error> {
        match self.get::<One>(&format!("/ssh_keys/{id}"), &[]).await {
            Ok(one) => Ok(Some(one.ssh_key)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// All keys of the project.
    pub async fn all_ssh_keys(&self) -> Result<Vec<SshKey>, Error> {
        self.list("/ssh_keys", "ssh_keys", &[]).await
    }

    /// Makes a public key known to the project.
    pub async fn create_ssh_key(
        &self,
        name: &str,
        public_key: &str,
        labels: &BTreeMap<String, String>,
    ) -> Result<SshKey, Error> {
        Ok(self.post::<_, One>("/ssh_keys", &Create { name, public_key, labels }).await?.ssh_key)
    }

    /// Deletes a key.
    pub async fn delete_ssh_key(&self, id: u64) -> Result<(), Error> {
        absent_is_fine(self.delete(&format!("/ssh_keys/{id}")).await)
    }
}
