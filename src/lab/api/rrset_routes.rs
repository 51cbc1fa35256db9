//! Requests about the records of a zone.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use super::Cloud;
use super::action::{Command, Target};
use super::answer::{Created, created};
use super::body::Body;
use super::error::ApiError;
use super::label::{Labels, Selector};
use super::project::Project;
use super::query::Query;
use super::rrset::{Record, Rrset, Wish, add, check_records};
use super::sort::{SortKey, sort};
use super::world::World;
use super::zone::Zone;

pub(crate) fn routes() -> Router<Cloud> {
    let set = "/v1/zones/{id}/rrsets/{name}/{type}";
    Router::new()
        .route("/v1/zones/{id}/rrsets", get(list).post(create))
        .route(set, get(one).delete(remove))
        .route(&format!("{set}/actions/set_records"), post(set_records))
        .route(&format!("{set}/actions/add_records"), post(add_records))
        .route(&format!("{set}/actions/remove_records"), post(remove_records))
}

fn not_found(name: &str, kind: &str) -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "not_found", format!("rrset '{name}/{kind}' not found"))
}

async fn list(Project(cloud): Project, Path(zone): Path<String>, query: Query) -> Result<Response, ApiError> {
    let selector = Selector::parse(query.first("label_selector").unwrap_or_default())?;
    cloud.read(|world| {
        let zone = world.zones.find(world.zones.resolve(&zone)?)?;
        let wanted = |set: &&Rrset| {
            query.allows("name", &set.name)
                && query.allows("type", &set.kind)
                && selector.matches(&set.labels)
        };
        let mut sets: Vec<&Rrset> = zone.rrsets.iter().filter(wanted).collect();
        sort(&mut sets, &query.orders(), |set, field| match field {
            "id" => Some(SortKey::Text(set.id())),
            "name" => Some(SortKey::Text(set.name.clone())),
            _ => None,
        })?;
        query.answer("rrsets", &sets, |set| set.view(zone.meta.id))
    })
}

async fn one(
    Project(cloud): Project,
    Path((zone, name, kind)): Path<(String, String, String)>,
) -> Result<Json<Value>, ApiError> {
    cloud.read(|world| {
        let zone = world.zones.find(world.zones.resolve(&zone)?)?;
        let set = zone.rrsets.iter().find(|set| set.is(&name, &kind));
        let set = set.ok_or_else(|| not_found(&name, &kind))?;
        Ok(Json(json!({"rrset": set.view(zone.meta.id)})))
    })
}

async fn create(Project(cloud): Project, Path(zone): Path<String>, body: Body) -> Created {
    let wish = Wish {
        name: body.required("name")?,
        kind: body.required("type")?,
        ttl: body.optional("ttl")?,
        records: body.required("records")?,
        labels: body.labels()?.unwrap_or_default(),
    };
    cloud
        .change(|world| {
            let id = world.zones.resolve(&zone)?;
            let zone = world.zones.find_mut(id)?;
            let set = wish.check(&zone.meta.name)?;
            let view = set.view(id);
            add(&mut zone.rrsets, set)?;
            answer(world, id, Command::CreateRrset, Some(view))
        })
        .await
}

async fn remove(
    Project(cloud): Project,
    Path((zone, name, kind)): Path<(String, String, String)>,
) -> Created {
    cloud
        .change(|world| {
            let id = world.zones.resolve(&zone)?;
            let zone = world.zones.find_mut(id)?;
            let place = zone.rrsets.iter().position(|set| set.is(&name, &kind));
            zone.rrsets.remove(place.ok_or_else(|| not_found(&name, &kind))?);
            answer(world, id, Command::DeleteRrset, None)
        })
        .await
}

fn answer(world: &mut World, zone: u64, command: Command, rrset: Option<Value>) -> Created {
    let action = world.act(command, vec![Target::of::<Zone>(zone)]);
    let action = world.action_view(action)?;
    created(match rrset {
        Some(rrset) => json!({"rrset": rrset, "action": action}),
        None => json!({"action": action}),
    })
}

async fn set_records(
    Project(cloud): Project,
    Path((zone, name, kind)): Path<(String, String, String)>,
    body: Body,
) -> Created {
    let records: Vec<Record> = body.required("records")?;
    check_records(&kind, &records)?;
    cloud
        .change(|world| {
            let id = world.zones.resolve(&zone)?;
            let sets = &mut world.zones.find_mut(id)?.rrsets;
            let set = sets.iter_mut().find(|set| set.is(&name, &kind));
            set.ok_or_else(|| not_found(&name, &kind))?.records = records;
            answer(world, id, Command::SetRrsetRecords, None)
        })
        .await
}

/// Makes the set if it is missing.
async fn add_records(
    Project(cloud): Project,
    Path((zone, name, kind)): Path<(String, String, String)>,
    body: Body,
) -> Created {
    let records: Vec<Record> = body.required("records")?;
    let ttl: Option<u32> = body.optional("ttl")?;
    cloud
        .change(|world| {
            let id = world.zones.resolve(&zone)?;
            let zone = world.zones.find_mut(id)?;
            match zone.rrsets.iter_mut().find(|set| set.is(&name, &kind)) {
                Some(set) => {
                    let all: Vec<Record> = set.records.iter().cloned().chain(records).collect();
                    check_records(&kind, &all)?;
                    set.records = all;
                    set.ttl = ttl.or(set.ttl);
                }
                None => {
                    let wish = Wish { name, kind, ttl, records, labels: Labels::new() };
                    let set = wish.check(&zone.meta.name)?;
                    add(&mut zone.rrsets, set)?;
                }
            }
            answer(world, id, Command::AddRrsetRecords, None)
        })
        .await
}

/// Removes the set with its last record.
async fn remove_records(
    Project(cloud): Project,
    Path((zone, name, kind)): Path<(String, String, String)>,
    body: Body,
) -> Created {
    let records: Vec<Record> = body.required("records")?;
    cloud
        .change(|world| {
            let id = world.zones.resolve(&zone)?;
            let zone = world.zones.find_mut(id)?;
            let set = zone.rrsets.iter_mut().find(|set| set.is(&name, &kind));
            let set = set.ok_or_else(|| not_found(&name, &kind))?;
            let gone = |record: &Record| records.iter().any(|wanted| wanted.value == record.value);
            if !records.iter().all(|wanted| set.records.iter().any(|r| r.value == wanted.value)) {
                return Err(ApiError::field("records", "not all of them exist"));
            }
            set.records.retain(|record| !gone(record));
            zone.rrsets.retain(|set| !set.records.is_empty());
            answer(world, id, Command::RemoveRrsetRecords, None)
        })
        .await
}
