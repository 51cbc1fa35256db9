//! Images.

use serde::Deserialize;

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
}

impl Client {
    /// The system images there are.
    pub async fn system_images(&self) -> Result<Vec<Image>, Error> {
        self.list("/images", "images", &[("type", "system")]).await
    }
}
