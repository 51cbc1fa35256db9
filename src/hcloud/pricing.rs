//! Prices that belong to no server type.

use serde::Deserialize;

use super::server_type::{Price, TypePrice};
use super::{Client, Error};

/// The prices of the project.
#[derive(Clone, Debug, Deserialize)]
pub struct Pricing {
    /// Such as `EUR`.
    pub currency: String,
    /// What addresses cost.
    #[serde(default)]
    pub primary_ips: Vec<AddressPrices>,
    /// What snapshots cost.
    #[serde(default)]
    pub image: Option<ImagePrice>,
}

/// What snapshots cost.
#[derive(Clone, Debug, Deserialize)]
pub struct ImagePrice {
    /// A GB for a month.
    pub price_per_gb_month: Price,
}

/// What addresses of one family cost.
#[derive(Clone, Debug, Deserialize)]
pub struct AddressPrices {
    /// `ipv4` or `ipv6`.
    #[serde(rename = "type")]
    pub family: String,
    /// The price at each location.
    #[serde(default)]
    pub prices: Vec<TypePrice>,
}

#[derive(Deserialize)]
struct One {
    pricing: Pricing,
}

impl Client {
    /// The prices of the project.
    pub async fn pricing(&self) -> Result<Pricing, Error> {
        Ok(self.get::<One>("/pricing", &[]).await?.pricing)
    }
}
