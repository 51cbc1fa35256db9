//! The images that servers are made from. All are played by the lab's one Debian.

use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::Cloud;
use super::error::ApiError;
use super::label::{Labels, Selector};
use super::path::Id;
use super::query::Query;
use super::sort::{SortKey, sort};

/// An image.
#[derive(Debug, Clone)]
pub(crate) struct Image {
    pub(crate) id: u64,
    pub(crate) name: &'static str,
    description: &'static str,
    os_flavor: &'static str,
    os_version: &'static str,
    /// `x86` or `arm`.
    pub(crate) architecture: &'static str,
    created: &'static str,
}

/// Hetzner's own images; each name once for each architecture.
pub(crate) fn system() -> Vec<Image> {
    let image = |id, architecture, name, description, os_flavor, os_version, created| Image {
        id,
        name,
        description,
        os_flavor,
        os_version,
        architecture,
        created,
    };
    let debian_12 = "2023-06-13T06:00:00Z";
    let ubuntu = "2024-04-25T13:00:00Z";
    let debian_13 = "2025-08-11T06:00:00Z";
    vec![
        image(114_690_387, "x86", "debian-12", "Debian 12", "debian", "12", debian_12),
        image(114_690_389, "arm", "debian-12", "Debian 12", "debian", "12", debian_12),
        image(161_547_269, "x86", "ubuntu-24.04", "Ubuntu 24.04", "ubuntu", "24.04", ubuntu),
        image(161_547_270, "arm", "ubuntu-24.04", "Ubuntu 24.04", "ubuntu", "24.04", ubuntu),
        image(310_557_660, "x86", "debian-13", "Debian 13", "debian", "13", debian_13),
        image(310_557_661, "arm", "debian-13", "Debian 13", "debian", "13", debian_13),
    ]
}

impl Image {
    /// As the API shows it.
    pub(crate) fn view(&self) -> Value {
        json!({
            "id": self.id,
            "type": "system",
            "status": "available",
            "name": self.name,
            "description": self.description,
            "image_size": null,
            "disk_size": 5,
            "created": self.created,
            "created_from": null,
            "bound_to": null,
            "os_flavor": self.os_flavor,
            "os_version": self.os_version,
            "rapid_deploy": true,
            "protection": {"delete": false},
            "deprecation": null,
            "deleted": null,
            "labels": {},
            "architecture": self.architecture,
        })
    }

    /// Whether a list shows it: system images are bound to no server and have no labels.
    fn is_wanted(&self, query: &Query, selector: &Selector) -> bool {
        query.allows("name", self.name)
            && query.allows("architecture", self.architecture)
            && query.allows("type", "system")
            && query.allows("status", "available")
            && query.first("bound_to").is_none()
            && selector.matches(&Labels::new())
    }
}

pub(crate) fn routes() -> Router<Cloud> {
    Router::new().route("/v1/images", get(list)).route("/v1/images/{id}", get(one))
}

async fn list(State(cloud): State<Cloud>, query: Query) -> Result<Response, ApiError> {
    let selector = Selector::parse(query.first("label_selector").unwrap_or_default())?;
    cloud.read(|world| {
        let mut rows: Vec<&Image> =
            world.catalog.images.iter().filter(|i| i.is_wanted(&query, &selector)).collect();
        sort(&mut rows, &query.orders(), |row, field| match field {
            "id" => Some(SortKey::Number(row.id)),
            "name" => Some(SortKey::Text(row.name.to_owned())),
            "created" => Some(SortKey::Text(row.created.to_owned())),
            _ => None,
        })?;
        query.answer("images", &rows, |row| row.view())
    })
}

async fn one(State(cloud): State<Cloud>, Path(Id(id)): Path<Id>) -> Result<Json<Value>, ApiError> {
    cloud.read(|world| {
        let row = world.catalog.images.iter().find(|i| i.id == id);
        let row = row.ok_or_else(|| ApiError::not_found("image", id))?;
        Ok(Json(json!({"image": row.view()})))
    })
}
