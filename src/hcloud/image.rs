//! Images.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::action::Action;
use super::firewall::absent_is_fine;
use super::{Client, Error};

/// What a server's disk is made from.
#[derive(Clone, Debug, Deserialize)]
pub struct Image {
    /// Its id.
    pub id: u64,
    /// Its name, such as `debian-13`; once per architecture.
    pub name: Option<String>,
    /// `x86` or `arm`.
    pub architecture: String,
    /// What somebody wrote about it.
    #[serde(default)]
    pub description: String,
    /// How many GB of a snapshot are paid for; none while it is being made.
    #[serde(default)]
    pub image_size: Option<f64>,
    /// How many GB the disk of a server must have at least.
    #[serde(default)]
    pub disk_size: f64,
    /// `available`, `creating`, `unavailable`.
    #[serde(default)]
    pub status: String,
    /// When it was made (RFC 3339).
    #[serde(default)]
    pub created: String,
    /// Its labels.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

#[derive(Serialize)]
struct Snapshot<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    description: &'a str,
    labels: &'a BTreeMap<String, String>,
}

/// A snapshot that is being made.
#[derive(Clone, Debug, Deserialize)]
pub struct Begun {
    /// The snapshot.
    pub image: Image,
    /// The action to wait for.
    #[serde(default)]
    pub action: Option<Action>,
}

#[derive(Deserialize)]
struct One {
    image: Image,
}

impl Client {
    /// The system images there are.
    pub async fn system_images(&self) -> Result<Vec<Image>, Error> {
        self.list("/images", "images", &[("type", "system")]).await
    }

    /// The snapshots with these labels.
    pub async fn snapshots(&self, selector: &str) -> Result<Vec<Image>, Error> {
        self.list("/images", "images", &[("type", "snapshot"), ("label_selector", selector)]).await
    }

    /// The image with this id.
    pub async fn image(&self, id: u64) -> Result<Option<Image>, Error> {
        match self.get::<One>(&format!("/images/{id}"), &[]).await {
            Ok(one) => Ok(Some(one.image)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Begins a snapshot of a server. Not repeated on its own when no answer comes: the caller looks the labels up first.
    pub async fn take_snapshot(
        &self,
        server: u64,
        description: &str,
        labels: &BTreeMap<String, String>,
    ) -> Result<Begun, Error> {
        let body = Snapshot { kind: "snapshot", description, labels };
        self.post(&format!("/servers/{server}/actions/create_image"), &body).await
    }

    /// Deletes a snapshot.
    pub async fn delete_image(&self, id: u64) -> Result<(), Error> {
        absent_is_fine(self.delete(&format!("/images/{id}")).await)
    }
}
