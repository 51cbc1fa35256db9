//! Where servers stand.

use axum::extract::Path;
use axum::response::Response;
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;
use serde_json::{Value, json};

use super::Cloud;
use super::error::ApiError;
use super::path::Id;
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
    /// Gone from the API by November 2026, but not from the metadata.
    #[serde(skip)]
    pub(crate) datacenter: Datacenter,
}

/// The one data center of a location.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Datacenter {
    pub(crate) id: u64,
    pub(crate) name: &'static str,
    pub(crate) description: &'static str,
}

/// All of them, in the order of their ids.
pub(crate) fn all() -> Vec<Location> {
    vec![
        Location {
            id: 1,
            name: "fsn1",
            description: "Falkenstein DC Park 1",
            country: "DE",
            city: "Falkenstein",
            latitude: 50.47612,
            longitude: 12.370071,
            network_zone: "eu-central",
            datacenter: Datacenter { id: 4, name: "fsn1-dc14", description: "Falkenstein 1 virtual DC 14" },
        },
        Location {
            id: 2,
            name: "nbg1",
            description: "Nuremberg DC Park 1",
            country: "DE",
            city: "Nuremberg",
            latitude: 49.452102,
            longitude: 11.076665,
            network_zone: "eu-central",
            datacenter: Datacenter { id: 2, name: "nbg1-dc3", description: "Nuremberg 1 virtual DC 3" },
        },
        Location {
            id: 3,
            name: "hel1",
            description: "Helsinki DC Park 1",
            country: "FI",
            city: "Helsinki",
            latitude: 60.169855,
            longitude: 24.938379,
            network_zone: "eu-central",
            datacenter: Datacenter { id: 3, name: "hel1-dc2", description: "Helsinki 1 virtual DC 2" },
        },
        Location {
            id: 4,
            name: "ash",
            description: "Ashburn, VA",
            country: "US",
            city: "Ashburn, VA",
            latitude: 39.045821,
            longitude: -77.487073,
            network_zone: "us-east",
            datacenter: Datacenter { id: 5, name: "ash-dc1", description: "Ashburn virtual DC 1" },
        },
        Location {
            id: 5,
            name: "hil",
            description: "Hillsboro, OR",
            country: "US",
            city: "Hillsboro, OR",
            latitude: 45.54222,
            longitude: -122.951924,
            network_zone: "us-west",
            datacenter: Datacenter { id: 6, name: "hil-dc1", description: "Hillsboro virtual DC 1" },
        },
        Location {
            id: 6,
            name: "sin",
            description: "Singapore",
            country: "SG",
            city: "Singapore",
            latitude: 1.283333,
            longitude: 103.833333,
            network_zone: "ap-southeast",
            datacenter: Datacenter { id: 7, name: "sin-dc1", description: "Singapore virtual DC 1" },
        },
    ]
}

/// `/locations`.
pub(crate) fn routes() -> Router<Cloud> {
    Router::new().route("/v1/locations", get(list)).route("/v1/locations/{id}", get(one))
}

async fn list(Project(cloud): Project, query: Query) -> Result<Response, ApiError> {
    cloud.read(|world| {
        let mut rows: Vec<&Location> =
            world.catalog.locations.iter().filter(|l| query.allows("name", l.name)).collect();
        sort(&mut rows, &query.orders(), &["id", "name"], |row, field| match field {
            "id" => Some(SortKey::Number(row.id)),
            "name" => Some(SortKey::Text(row.name.to_owned())),
            _ => None,
        })?;
        query.answer("locations", &rows, |row| json!(row))
    })
}

async fn one(Project(cloud): Project, Path(Id(id)): Path<Id>) -> Result<Json<Value>, ApiError> {
    cloud.read(|world| {
        let row = world.catalog.locations.iter().find(|l| l.id == id);
        let row = row.ok_or_else(|| ApiError::not_found("location", id))?;
        Ok(Json(json!({"location": row})))
    })
}
