//! SSH keys: unique by name and by fingerprint.

use axum::Router;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::routing::{post, put};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Cloud;
use super::answer::{Created, created};
use super::body::Body;
use super::error::ApiError;
use super::meta::Meta;
use super::path::Id;
use super::project::Project;
use super::query::Query;
use super::resource::{self, Resource};
use super::table::{Row, Table};
use super::world::World;

/// An SSH key.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct SshKey {
    pub(crate) meta: Meta,
    fingerprint: String,
    pub(crate) public_key: String,
}

impl Row for SshKey {
    const KIND: &'static str = "ssh_key";
    const TITLE: &'static str = "SSH key";
    const FIRST_ID: u64 = 3001;

    fn name(&self) -> Option<&str> {
        Some(&self.meta.name)
    }
}

impl Resource for SshKey {
    const PLURAL: &'static str = "ssh_keys";

    fn table(world: &World) -> &Table<Self> {
        &world.ssh_keys
    }

    fn table_mut(world: &mut World) -> &mut Table<Self> {
        &mut world.ssh_keys
    }

    fn meta(&self) -> &Meta {
        &self.meta
    }

    fn meta_mut(&mut self) -> &mut Meta {
        &mut self.meta
    }

    fn is_wanted(&self, _world: &World, query: &Query) -> bool {
        query.allows("fingerprint", &self.fingerprint)
    }

    fn view(&self, _world: &World) -> Value {
        json!({
            "id": self.meta.id,
            "name": self.meta.name,
            "fingerprint": self.fingerprint,
            "public_key": self.public_key,
            "labels": self.meta.labels,
            "created": self.meta.created,
        })
    }
}

/// MD5 over the key itself, in pairs of hexadecimal digits; `None` if the text is no public key.
fn fingerprint(public_key: &str) -> Option<String> {
    let mut words = public_key.split_whitespace();
    let (algorithm, blob) = (words.next()?, BASE64_STANDARD.decode(words.next()?).ok()?);
    // a blob begins with the length and the text of the algorithm
    let length = usize::try_from(u32::from_be_bytes(blob.get(..4)?.try_into().ok()?)).ok()?;
    if blob.get(4..4 + length)? != algorithm.as_bytes() {
        return None;
    }
    let pairs: Vec<String> = md5::compute(&blob).0.iter().map(|byte| format!("{byte:02x}")).collect();
    Some(pairs.join(":"))
}

pub(crate) fn routes() -> Router<Cloud> {
    resource::routes::<SshKey>()
        .route("/v1/ssh_keys", post(create))
        .route("/v1/ssh_keys/{id}", put(resource::update::<SshKey>).delete(remove))
}

async fn create(Project(cloud): Project, body: Body) -> Created {
    let name = body.name()?;
    let public_key: String = body.required("public_key")?;
    let public_key = public_key.trim().to_owned();
    let labels = body.labels()?.unwrap_or_default();
    let fingerprint = fingerprint(&public_key)
        .ok_or_else(|| ApiError::field("public_key", "is not a valid SSH public key"))?;
    cloud
        .change(|world| {
            world.ssh_keys.check_name_free(&name, None)?;
            if world.ssh_keys.iter().any(|(_, key)| key.fingerprint == fingerprint) {
                let message = "SSH key with the same fingerprint already exists";
                return Err(ApiError::not_unique("public_key", message));
            }
            let id = world.ssh_keys.insert(|id| {
                let meta = Meta::new(id, name, labels);
                SshKey { meta, fingerprint, public_key }
            });
            created(json!({"ssh_key": world.ssh_keys.find(id)?.view(world)}))
        })
        .await
}

async fn remove(Project(cloud): Project, Path(Id(id)): Path<Id>) -> Result<StatusCode, ApiError> {
    cloud
        .change(|world| {
            world.ssh_keys.find(id)?;
            world.ssh_keys.remove(id);
            Ok(StatusCode::NO_CONTENT)
        })
        .await
}

#[cfg(test)]
mod tests {
    use super::fingerprint;

    #[test]
    fn the_fingerprint_is_that_of_ssh_keygen() {
        let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBtKY2eAq6tIFoWejsAXVmj5I3B/HrQzmCoF/WVmojFO somebody";
        assert_eq!(fingerprint(key).unwrap(), "e9:64:2f:c7:6b:39:6e:9e:7e:40:44:3b:9c:12:07:d8");
        assert_eq!(
            fingerprint("ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIBtKY2eAq6tIFoWejsAXVmj5I3B/HrQzmCoF/WVmojFO"),
            None
        );
        assert_eq!(fingerprint("hello"), None);
        assert_eq!(fingerprint(""), None);
    }
}
