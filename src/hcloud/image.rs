//! Images.

use serde::Deserialize;

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

    /// Deletes a snapshot.
    pub async fn delete_image(&self, id: u64) -> Result<(), Error> {
        absent_is_fine(self.delete(&format!("/images/{id}")).await)
    }
}
