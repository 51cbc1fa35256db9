//! Sizes of servers.

use std::sync::OnceLock;

use axum::extract::Path;
use axum::response::Response;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::Cloud;
use super::deprecation::Deprecation;
use super::error::ApiError;
use super::path::Id;
use super::pricing::{hourly, included_traffic, monthly};
use super::project::Project;
use super::query::Query;
use super::world::World;

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
    family: &'static Family,
    /// No longer sold; servers that have it keep it.
    pub(crate) deprecation: Option<Deprecation>,
    shown: OnceLock<Value>,
}

/// What the sizes of one line share.
#[derive(Debug)]
struct Family {
    category: &'static str,
    /// `x86` or `arm`.
    architecture: &'static str,
    /// `shared` or `dedicated`.
    cpu_type: &'static str,
    /// The names of the locations that have it.
    locations: &'static [&'static str],
}

/// The locations in Europe.
pub(crate) const EU: &[&str] = &["fsn1", "nbg1", "hel1"];
const EVERYWHERE: &[&str] = &["fsn1", "nbg1", "hel1", "ash", "hil", "sin"];

const CX: &Family =
    &Family { category: "Cost-Optimized", architecture: "x86", cpu_type: "shared", locations: EU };
const CAX: &Family =
    &Family { category: "Cost-Optimized", architecture: "arm", cpu_type: "shared", locations: EU };
const CPX: &Family = &Family {
    category: "Regular Performance",
    architecture: "x86",
    cpu_type: "shared",
    locations: EVERYWHERE,
};
const CCX: &Family = &Family {
    category: "General Purpose",
    architecture: "x86",
    cpu_type: "dedicated",
    locations: EVERYWHERE,
};

/// Prices: the order of magnitude of mid-2026, net; whoever needs the truth asks the real API.
pub(crate) fn all() -> Vec<ServerType> {
    let size = |id, name, cores, memory, disk, cents, family| ServerType {
        id,
        name,
        cores,
        memory,
        disk,
        cents,
        family,
        deprecation: None,
        shown: OnceLock::new(),
    };
    // announced on 2025-10-16, not sold after 2025-12-31
    let deprecation = Some(Deprecation::new(1_760_572_800, 1_767_225_599));
    vec![
        size(114, "cx23", 2, 4, 40, 549, CX),
        size(115, "cx33", 4, 8, 80, 849, CX),
        size(116, "cx43", 8, 16, 160, 1549, CX),
        size(109, "cpx22", 2, 4, 80, 999, CPX),
        size(110, "cpx32", 4, 8, 160, 1799, CPX),
        size(111, "cpx42", 8, 16, 320, 3299, CPX),
        size(45, "cax11", 2, 4, 40, 599, CAX),
        size(93, "cax21", 4, 8, 80, 999, CAX),
        size(94, "cax31", 8, 16, 160, 1899, CAX),
        size(96, "ccx13", 2, 8, 80, 1699, CCX),
        size(97, "ccx23", 4, 16, 160, 3299, CCX),
        ServerType { deprecation, ..size(104, "cx22", 2, 4, 40, 479, CX) },
    ]
}

/// What the API says of a location that does not have a type, or has none left.
pub(crate) fn unsupported_location() -> ApiError {
    ApiError::unprocessable("invalid_input", "unsupported location for server type")
}

impl ServerType {
    /// `x86` or `arm`.
    pub(crate) fn architecture(&self) -> &'static str {
        self.family.architecture
    }

    /// Whether a location has it.
    pub(crate) fn is_in(&self, location: &str) -> bool {
        self.family.locations.contains(&location)
    }

    /// The location that is taken where a request names none.
    pub(crate) fn first_location(&self) -> Option<&'static str> {
        self.family.locations.first().copied()
    }

    /// Whether the API says that a location has some left, which need not be so.
    pub(crate) fn seems_available(&self, world: &World, location: &str) -> bool {
        self.is_in(location) && self.deprecation.is_none() && world.seems_in_stock(self.name, location)
    }

    /// As the API shows it: made once, where no fault has a say in it, as it is most of what servers show.
    pub(crate) fn view(&self, world: &World) -> Value {
        match world.encounter {
            None => self.shown.get_or_init(|| self.make_view(world)).clone(),
            Some(_) => self.make_view(world),
        }
    }

    fn make_view(&self, world: &World) -> Value {
        let mut view = json!({
            "id": self.id,
            "name": self.name,
            "description": self.name.to_uppercase(),
            "cores": self.cores,
            "memory": self.memory,
            "disk": self.disk,
            "prices": self.prices(),
            "storage_type": "local",
            "cpu_type": self.family.cpu_type,
            "category": self.family.category,
            "architecture": self.family.architecture,
            "deprecation": self.deprecation,
            "locations": self.locations(world),
        });
        world.api_date.add_old(&mut view, "deprecated", || json!(self.deprecation.is_some()));
        view
    }

    fn locations(&self, world: &World) -> Vec<Value> {
        let locations = world.catalog.locations.iter().filter(|l| self.is_in(l.name));
        locations
            .map(|l| {
                json!({
                    "id": l.id,
                    "name": l.name,
                    "deprecation": self.deprecation,
                    "recommended": self.deprecation.is_none(),
                    "available": self.seems_available(world, l.name),
                })
            })
            .collect()
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
        self.family.locations.iter().map(price).collect()
    }
}

/// `/server_types`.
pub(crate) fn routes() -> Router<Cloud> {
    Router::new().route("/v1/server_types", get(list)).route("/v1/server_types/{id}", get(one))
}

async fn list(Project(cloud): Project, query: Query) -> Result<Response, ApiError> {
    cloud.read(|world| {
        let rows: Vec<&ServerType> =
            world.catalog.server_types.iter().filter(|t| query.allows("name", t.name)).collect();
        query.answer("server_types", &rows, |row| row.view(world))
    })
}

async fn one(Project(cloud): Project, Path(Id(id)): Path<Id>) -> Result<Json<Value>, ApiError> {
    cloud.read(|world| {
        let row = world.catalog.server_types.iter().find(|t| t.id == id);
        let row = row.ok_or_else(|| ApiError::not_found("server type", id))?;
        Ok(Json(json!({"server_type": row.view(world)})))
    })
}
