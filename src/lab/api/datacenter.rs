//! Data centers: in the API until the autumn of 2026, one for each location.

use axum::extract::Path;
use axum::response::Response;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::Cloud;
use super::api_date::ApiDate;
use super::body::{Body, Reference};
use super::error::ApiError;
use super::location::Location;
use super::path::Id;
use super::project::Project;
use super::query::Query;
use super::sort::{SortKey, sort};
use super::world::World;

/// Where a request wants something to be: in a location or, in the old API, in its data center.
#[derive(Debug)]
pub(crate) struct Whereabouts {
    location: Option<Reference>,
    datacenter: Option<Reference>,
}

impl Whereabouts {
    pub(crate) fn read(body: &Body) -> Result<Self, ApiError> {
        Ok(Self { location: body.optional("location")?, datacenter: body.optional("datacenter")? })
    }

    /// The location; `None` where the request leaves it open.
    pub(crate) fn find<'a>(&self, world: &'a World) -> Result<Option<&'a Location>, ApiError> {
        let invalid = |message: &str| ApiError::unprocessable("invalid_input", message);
        let datacenter = self.datacenter.as_ref().filter(|_| world.api_date == ApiDate::June2026);
        let found = match (&self.location, datacenter) {
            (None, None) => return Ok(None),
            (Some(_), Some(_)) => return Err(invalid("location and datacenter exclude each other")),
            (Some(wanted), None) => {
                world.catalog.location(wanted).ok_or_else(|| invalid("location not found"))
            }
            (None, Some(wanted)) => {
                world.catalog.of_datacenter(wanted).ok_or_else(|| invalid("datacenter not found"))
            }
        };
        found.map(Some)
    }
}

/// Adds the field `datacenter` to what stands in a location, in the API that has it.
pub(crate) fn add(view: &mut Value, world: &World, location: &str) {
    let location = world.catalog.locations.iter().find(|l| l.name == location);
    world
        .api_date
        .add_old(view, "datacenter", || json!(location.map(|location| self::view(location, world))));
}

/// As the API shows it.
fn view(location: &Location, world: &World) -> Value {
    let types = || world.catalog.server_types.iter().filter(|t| t.is_in(location.name));
    let available = || types().filter(|t| t.seems_available(world, location.name)).map(|t| t.id);
    json!({
        "id": location.datacenter.id,
        "name": location.datacenter.name,
        "description": location.datacenter.description,
        "location": location,
        "server_types": {
            "supported": types().map(|t| t.id).collect::<Vec<u64>>(),
            "available": available().collect::<Vec<u64>>(),
            "available_for_migration": available().collect::<Vec<u64>>(),
        },
    })
}

/// `/datacenters`.
pub(crate) fn routes() -> Router<Cloud> {
    Router::new().route("/v1/datacenters", get(list)).route("/v1/datacenters/{id}", get(one))
}

fn check_there(world: &World) -> Result<(), ApiError> {
    match world.api_date {
        ApiDate::June2026 => Ok(()),
        ApiDate::November2026 => Err(ApiError::gone("datacenters are no longer available, use locations")),
    }
}

/// What the API recommends does not change: its first data center.
async fn list(Project(cloud): Project, query: Query) -> Result<Response, ApiError> {
    cloud.read(|world| {
        check_there(world)?;
        let wanted = |l: &&Location| query.allows("name", l.datacenter.name);
        let mut rows: Vec<&Location> = world.catalog.locations.iter().filter(wanted).collect();
        sort(&mut rows, &query.orders(), &["id", "name"], |row, field| match field {
            "id" => Some(SortKey::Number(row.datacenter.id)),
            "name" => Some(SortKey::Text(row.datacenter.name.to_owned())),
            _ => None,
        })?;
        let recommendation = world.catalog.locations.first().map(|l| l.datacenter.id);
        let more = [("recommendation", json!(recommendation))];
        query.answer_with("datacenters", &rows, |row| view(row, world), more)
    })
}

async fn one(Project(cloud): Project, Path(Id(id)): Path<Id>) -> Result<Json<Value>, ApiError> {
    cloud.read(|world| {
        check_there(world)?;
        let row = world.catalog.locations.iter().find(|l| l.datacenter.id == id);
        let row = row.ok_or_else(|| ApiError::not_found("datacenter", id))?;
        Ok(Json(json!({"datacenter": view(row, world)})))
    })
}
