//! Locations.

use serde::Deserialize;

use super::{Client, Error};

/// A place with data centres.
#[derive(Clone, Debug, Deserialize)]
pub struct Location {
    /// Its name, such as `fsn1`.
    pub name: String,
    /// The country's ISO code, such as `DE`.
    pub country: String,
    /// The town.
    pub city: String,
    /// The network zone, such as `eu-central`.
    pub network_zone: String,
}

impl Client {
    /// All locations.
    pub async fn locations(&self) -> Result<Vec<Location>, Error> {
        self.list("/locations", "locations", &[]).await
    }
}
