//! Server types and what they cost where.

use jiff::Timestamp;
use serde::Deserialize;

use super::{Client, Error};

/// A kind of server.
#[derive(Clone, Debug, Deserialize)]
pub struct ServerType {
    /// Its name, such as `cx23`.
    pub name: String,
    /// Virtual cores.
    pub cores: u32,
    /// Memory in GB.
    pub memory: f64,
    /// Disk in GB.
    pub disk: u32,
    /// `x86` or `arm`.
    pub architecture: String,
    /// What it costs, for each location.
    #[serde(default)]
    pub prices: Vec<TypePrice>,
    /// Where it can be had.
    #[serde(default)]
    pub locations: Vec<TypeLocation>,
    /// That it will not be sold for ever.
    #[serde(default)]
    pub deprecation: Option<Deprecation>,
}

/// The end of something that is sold.
#[derive(Clone, Debug, Deserialize)]
pub struct Deprecation {
    /// When the last one is sold.
    pub unavailable_after: Timestamp,
}

impl ServerType {
    /// Whether it is still sold at that time.
    pub fn is_sold(&self, now: Timestamp) -> bool {
        self.deprecation.as_ref().is_none_or(|end| now <= end.unavailable_after)
    }
}

/// What a server type costs at one location.
#[derive(Clone, Debug, Deserialize)]
pub struct TypePrice {
    /// The location's name.
    pub location: String,
    /// The price of a month.
    pub price_monthly: Price,
}

/// A price, as text with decimals, in the account's currency.
#[derive(Clone, Debug, Deserialize)]
pub struct Price {
    /// Without tax.
    pub net: String,
}

/// Whether a server type can be had at a location.
#[derive(Clone, Debug, Deserialize)]
pub struct TypeLocation {
    /// The location's name.
    pub name: String,
    /// Hetzner's word on stock; it has been wrong in both directions.
    #[serde(default = "presumed")]
    pub available: bool,
}

fn presumed() -> bool {
    true
}

impl Client {
    /// All server types.
    pub async fn server_types(&self) -> Result<Vec<ServerType>, Error> {
        self.list("/server_types", "server_types", &[]).await
    }
}
