//! What Hetzner sells and nobody can change: locations, server types, prices.

use axum::extract::Path;
use axum::response::Response;
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;
use serde_json::{Value, json};

use super::Cloud;
use super::body::Reference;
use super::error::ApiError;
use super::path::Id;
use super::pricing::{self, hourly, included_traffic, monthly};
use super::project::Project;
use super::query::Query;
use super::sort::{SortKey, sort};

/// A place where servers stand.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Location {
    pub(crate) id: u64,
    pub(crate) name: &'static str,
    description: &'static str,
    country: &'static str,
    city: &'static str,
    latitude: f64,
    longitude: f64,
    pub(crate) network_zone: &'static str,
    /// Gone from the API, but not from the metadata.
    #[serde(skip)]
    pub(crate) datacenter: &'static str,
}

/// A size of server.
#[derive(Debug, Clone)]
pub(crate) struct ServerType {
    pub(crate) id: u64,
    pub(crate) name: &'static str,
    cores: u64,
    /// GB.
    memory: u64,
    /// GB.
    pub(crate) disk: u64,
    /// A month, net, in cents.
    cents: u64,
    /// `x86` or `arm`.
    pub(crate) architecture: &'static str,
    category: &'static str,
    /// The names of the locations that have it.
    locations: &'static [&'static str],
}

/// All of it.
#[derive(Debug)]
pub(crate) struct Catalog {
    pub(crate) locations: Vec<Location>,
    pub(crate) server_types: Vec<ServerType>,
}

pub(crate) const EU: &[&str] = &["fsn1", "nbg1", "hel1"];
const EVERYWHERE: &[&str] = &["fsn1", "nbg1", "hel1", "ash", "hil", "sin"];

impl Catalog {
    pub(crate) fn new() -> Self {
        Self { locations: locations(), server_types: server_types() }
    }

    /// The location that a request names.
    pub(crate) fn location(&self, reference: &Reference) -> Option<&Location> {
        self.locations.iter().find(|l| reference.is(l.id, l.name))
    }

    /// The server type that a request names.
    pub(crate) fn server_type(&self, reference: &Reference) -> Option<&ServerType> {
        self.server_types.iter().find(|t| reference.is(t.id, t.name))
    }

    /// The location of a name that was taken from here.
    pub(crate) fn location_view(&self, name: &str) -> Value {
        self.locations.iter().find(|l| l.name == name).map_or(Value::Null, |l| json!(l))
    }
}

fn locations() -> Vec<Location> {
    let place = |id, name, datacenter, country, city, latitude, longitude, network_zone, description| {
        Location { id, name, description, country, city, latitude, longitude, network_zone, datacenter }
    };
    vec![
        place(
            1,
            "fsn1",
            "fsn1-dc14",
            "DE",
            "Falkenstein",
            50.47612,
            12.370071,
            "eu-central",
            "Falkenstein DC Park 1",
        ),
        place(
            2,
            "nbg1",
            "nbg1-dc3",
            "DE",
            "Nuremberg",
            49.452102,
            11.076665,
            "eu-central",
            "Nuremberg DC Park 1",
        ),
        place(
            3,
            "hel1",
            "hel1-dc2",
            "FI",
            "Helsinki",
            60.169855,
            24.938379,
            "eu-central",
            "Helsinki DC Park 1",
        ),
        place(4, "ash", "ash-dc1", "US", "Ashburn, VA", 39.045821, -77.487073, "us-east", "Ashburn, VA"),
        place(5, "hil", "hil-dc1", "US", "Hillsboro, OR", 45.54222, -122.951924, "us-west", "Hillsboro, OR"),
        place(6, "sin", "sin-dc1", "SG", "Singapore", 1.283333, 103.833333, "ap-southeast", "Singapore"),
    ]
}

/// Prices: the order of magnitude of mid-2026, net; whoever needs the truth asks the real API.
fn server_types() -> Vec<ServerType> {
    let kind = |id, name, cores, memory, disk, cents, architecture, category, locations| ServerType {
        id,
        name,
        cores,
        memory,
        disk,
        cents,
        architecture,
        category,
        locations,
    };
    vec![
        kind(114, "cx23", 2, 4, 40, 549, "x86", "Cost-Optimized", EU),
        kind(115, "cx33", 4, 8, 80, 849, "x86", "Cost-Optimized", EU),
        kind(116, "cx43", 8, 16, 160, 1549, "x86", "Cost-Optimized", EU),
        kind(109, "cpx22", 2, 4, 80, 999, "x86", "Regular Performance", EVERYWHERE),
        kind(110, "cpx32", 4, 8, 160, 1799, "x86", "Regular Performance", EVERYWHERE),
        kind(45, "cax11", 2, 4, 40, 599, "arm", "Cost-Optimized", EU),
        kind(93, "cax21", 4, 8, 80, 999, "arm", "Cost-Optimized", EU),
    ]
}

impl ServerType {
    /// Whether a location has it.
    pub(crate) fn is_in(&self, location: &str) -> bool {
        self.locations.contains(&location)
    }

    /// The location that is taken where a request names none.
    pub(crate) fn first_location(&self) -> Option<&'static str> {
        self.locations.first().copied()
    }

    /// As the API shows it.
    pub(crate) fn view(&self, catalog: &Catalog) -> Value {
        let here = |l: &&Location| self.is_in(l.name);
        let locations: Vec<Value> = catalog
            .locations
            .iter()
            .filter(here)
            .map(|l| {
                json!({"id": l.id, "name": l.name, "deprecation": null, "recommended": true, "available": true})
            })
            .collect();
        json!({
            "id": self.id,
            "name": self.name,
            "description": self.name.to_uppercase(),
            "cores": self.cores,
            "memory": self.memory,
            "disk": self.disk,
            "prices": self.prices(),
            "storage_type": "local",
            "cpu_type": "shared",
            "category": self.category,
            "architecture": self.architecture,
            "deprecation": null,
            "locations": locations,
        })
    }

    /// What it costs in each location.
    pub(crate) fn prices(&self) -> Vec<Value> {
        let price = |location: &&str| {
            json!({
                "location": location,
                "price_hourly": hourly(self.cents),
                "price_monthly": monthly(self.cents),
                "included_traffic": included_traffic(location),
                "price_per_tb_traffic": monthly(100),
            })
        };
        self.locations.iter().map(price).collect()
    }
}

/// `/locations`, `/server_types` and `/pricing`.
pub(crate) fn routes() -> Router<Cloud> {
    Router::new()
        .route("/v1/locations", get(list_locations))
        .route("/v1/locations/{id}", get(get_location))
        .route("/v1/server_types", get(list_server_types))
        .route("/v1/server_types/{id}", get(get_server_type))
        .merge(pricing::routes())
}

async fn list_locations(Project(cloud): Project, query: Query) -> Result<Response, ApiError> {
    cloud.read(|world| {
        let mut rows: Vec<&Location> =
            world.catalog.locations.iter().filter(|l| query.allows("name", l.name)).collect();
        sort(&mut rows, &query.orders(), |row, field| match field {
            "id" => Some(SortKey::Number(row.id)),
            "name" => Some(SortKey::Text(row.name.to_owned())),
            _ => None,
        })?;
        query.answer("locations", &rows, |row| json!(row))
    })
}

async fn get_location(Project(cloud): Project, Path(Id(id)): Path<Id>) -> Result<Json<Value>, ApiError> {
    cloud.read(|world| {
        let row = world.catalog.locations.iter().find(|l| l.id == id);
        let row = row.ok_or_else(|| ApiError::not_found("location", id))?;
        Ok(Json(json!({"location": row})))
    })
}

async fn list_server_types(Project(cloud): Project, query: Query) -> Result<Response, ApiError> {
    cloud.read(|world| {
        let rows: Vec<&ServerType> =
            world.catalog.server_types.iter().filter(|t| query.allows("name", t.name)).collect();
        query.answer("server_types", &rows, |row| row.view(&world.catalog))
    })
}

async fn get_server_type(Project(cloud): Project, Path(Id(id)): Path<Id>) -> Result<Json<Value>, ApiError> {
    cloud.read(|world| {
        let row = world.catalog.server_types.iter().find(|t| t.id == id);
        let row = row.ok_or_else(|| ApiError::not_found("server type", id))?;
        Ok(Json(json!({"server_type": row.view(&world.catalog)})))
    })
}
