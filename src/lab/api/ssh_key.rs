//! SSH keys: unique by name and by fingerprint.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use axum::{Json, Router};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Cloud;
use super::body::Body;
use super::error::ApiError;
use super::label::Labels;
use super::path::Id;
use super::query::Query;
use super::sort::SortKey;
use super::table::{Resource, Row, Table};
use super::world::{World, now};

/// An SSH key.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct SshKey {
    pub(crate) id: u64,
    pub(crate) name: String,
    fingerprint: String,
    pub(crate) public_key: String,
    labels: Labels,
    created: Timestamp,
}

impl Row for SshKey {
    const KIND: &'static str = "ssh_key";
    const TITLE: &'static str = "SSH key";
    const FIRST_ID: u64 = 3001;
}

impl Resource for SshKey {
    const PLURAL: &'static str = "ssh_keys";
    const PATH_TAKES_NAME: bool = false;

    fn table(world: &World) -> &Table<Self> {
        &world.ssh_keys
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn labels(&self) -> &Labels {
        &self.labels
    }

    fn sort_key(&self, field: &str) -> Option<SortKey> {
        match field {
            "id" => Some(SortKey::Number(self.id)),
            "name" => Some(SortKey::Text(self.name.clone())),
            _ => None,
        }
    }

    fn view(&self, _world: &World) -> Value {
        json!(self)
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
    Router::new()
        .route("/v1/ssh_keys", get(list).post(create))
        .route("/v1/ssh_keys/{id}", get(one).put(update).delete(remove))
}

async fn list(State(cloud): State<Cloud>, query: Query) -> Result<Response, ApiError> {
    cloud.read(|world| query.list::<SshKey>(world, |key| query.allows("fingerprint", &key.fingerprint)))
}

async fn one(State(cloud): State<Cloud>, Path(Id(id)): Path<Id>) -> Result<Json<Value>, ApiError> {
    cloud.read(|world| Ok(Json(json!({"ssh_key": world.ssh_keys.find(id)?}))))
}

async fn create(State(cloud): State<Cloud>, body: Body) -> Result<(StatusCode, Json<Value>), ApiError> {
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
            let created = now();
            let id =
                world.ssh_keys.insert(|id| SshKey { id, name, fingerprint, public_key, labels, created });
            Ok((StatusCode::CREATED, Json(json!({"ssh_key": world.ssh_keys.find(id)?}))))
        })
        .await
}

async fn update(
    State(cloud): State<Cloud>,
    Path(Id(id)): Path<Id>,
    body: Body,
) -> Result<Json<Value>, ApiError> {
    let (name, labels) = (body.new_name()?, body.labels()?);
    cloud
        .change(|world| {
            world.ssh_keys.find(id)?;
            if let Some(name) = &name {
                world.ssh_keys.check_name_free(name, Some(id))?;
            }
            let key = world.ssh_keys.find_mut(id)?;
            key.name = name.unwrap_or_else(|| key.name.clone());
            key.labels = labels.unwrap_or_else(|| key.labels.clone());
            Ok(Json(json!({"ssh_key": key})))
        })
        .await
}

async fn remove(State(cloud): State<Cloud>, Path(Id(id)): Path<Id>) -> Result<StatusCode, ApiError> {
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
