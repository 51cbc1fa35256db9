//! What Hetzner sells and nobody can change: locations and server types.

use serde_json::{Value, json};

use super::body::Reference;
use super::location::{self, Location};
use super::server_type::{self, ServerType};

/// All of it.
#[derive(Debug)]
pub(crate) struct Catalog {
    pub(crate) locations: Vec<Location>,
    pub(crate) server_types: Vec<ServerType>,
}

impl Catalog {
    pub(crate) fn new() -> Self {
        Self { locations: location::all(), server_types: server_type::all() }
    }

    /// The location that a request names.
    pub(crate) fn location(&self, reference: &Reference) -> Option<&Location> {
        self.locations.iter().find(|l| reference.is(l.id, l.name))
    }

    /// The location whose data center a request names.
    pub(crate) fn of_datacenter(&self, reference: &Reference) -> Option<&Location> {
        self.locations.iter().find(|l| reference.is(l.datacenter.id, l.datacenter.name))
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
