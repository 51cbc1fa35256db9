//! Requests about the records of a zone.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Cloud;
use super::action::Command;
use super::answer::{Created, acted, created};
use super::body::Body;
use super::error::ApiError;
use super::label::{Labels, Selector};
use super::project::Project;
use super::query::Query;
use super::record::{self, Record};
use super::rrset::{Rrset, Wish, add, check_ttl};
use super::sort::{SortKey, sort};
use super::world::World;
use super::zone::Zone;

/// Sets on a page, at most; other lists have half of it.
const PER_PAGE_MAX: usize = 100;

pub(crate) fn routes() -> Router<Cloud> {
    let set = "/v1/zones/{id}/rrsets/{name}/{type}";
    let action = |name: &str| format!("{set}/actions/{name}");
    Router::new()
        .route("/v1/zones/{id}/rrsets", get(list).post(create))
        .route(set, get(one).put(update).delete(remove))
        .route(&action("change_protection"), post(change_protection))
        .route(&action("change_ttl"), post(change_ttl))
        .route(&action("set_records"), post(set_records))
        .route(&action("add_records"), post(add_records))
        .route(&action("remove_records"), post(remove_records))
        .route(&action("update_records"), post(update_records))
}

/// Which set a path means.
#[derive(Debug, Deserialize)]
struct Place {
    /// Id or name of the zone.
    #[serde(rename = "id")]
    zone: String,
    name: String,
    #[serde(rename = "type")]
    kind: String,
}

impl Place {
    fn not_found(&self) -> ApiError {
        let message = format!("rrset '{}/{}' not found", self.name, self.kind);
        ApiError::new(StatusCode::NOT_FOUND, "not_found", message)
    }

    fn set<'a>(&self, zone: &'a Zone) -> Result<&'a Rrset, ApiError> {
        let mut sets = zone.rrsets.iter();
        sets.find(|set| set.is(&self.name, &self.kind)).ok_or_else(|| self.not_found())
    }

    fn set_mut<'a>(&self, zone: &'a mut Zone) -> Result<&'a mut Rrset, ApiError> {
        let mut sets = zone.rrsets.iter_mut();
        sets.find(|set| set.is(&self.name, &self.kind)).ok_or_else(|| self.not_found())
    }
}

/// A zone that has its records here.
fn find<'a>(world: &'a World, zone: &str) -> Result<&'a Zone, ApiError> {
    let zone = world.zones.find(world.zones.resolve(zone)?)?;
    zone.check_primary().map(|()| zone)
}

/// The same, to change it.
fn find_mut<'a>(world: &'a mut World, zone: &str) -> Result<&'a mut Zone, ApiError> {
    let zone = world.zones.find_mut(world.zones.resolve(zone)?)?;
    zone.check_primary().map(|()| zone)
}

async fn list(Project(cloud): Project, Path(zone): Path<String>, query: Query) -> Result<Response, ApiError> {
    let selector = Selector::parse(query.first("label_selector").unwrap_or_default())?;
    cloud.read(|world| {
        let zone = find(world, &zone)?;
        let wanted = |(_, set): &(u64, &Rrset)| {
            query.allows("name", &set.name)
                && query.allows("type", &set.kind)
                && selector.matches(&set.labels)
        };
        // they are kept in the order in which they were made
        let mut sets: Vec<(u64, &Rrset)> = (0..).zip(&zone.rrsets).filter(wanted).collect();
        sort(&mut sets, &query.orders(), &["id", "name", "created"], |(age, set), field| match field {
            "id" => Some(SortKey::Text(set.id())),
            "name" => Some(SortKey::Text(set.name.clone())),
            "created" => Some(SortKey::Number(*age)),
            _ => None,
        })?;
        query.answer_up_to(PER_PAGE_MAX, "rrsets", &sets, |(_, set)| set.view(zone.meta.id))
    })
}

async fn one(Project(cloud): Project, Path(place): Path<Place>) -> Result<Json<Value>, ApiError> {
    cloud.read(|world| {
        let zone = find(world, &place.zone)?;
        Ok(Json(json!({"rrset": place.set(zone)?.view(zone.meta.id)})))
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
            let zone = find_mut(world, &zone)?;
            let set = wish.check(&zone.meta.name)?;
            let view = set.view(zone.meta.id);
            add(&mut zone.rrsets, set)?;
            zone.publish();
            let targets = zone.targets();
            let action = world.act(Command::CreateRrset, targets);
            created(json!({"rrset": view, "action": world.action_view(action)?}))
        })
        .await
}

/// New labels; everything else has its action.
async fn update(
    Project(cloud): Project,
    Path(place): Path<Place>,
    body: Body,
) -> Result<Json<Value>, ApiError> {
    let labels = body.labels()?;
    if body.has("records") {
        let message = "can't update records with this endpoint";
        return Err(ApiError::unprocessable("invalid_input", message));
    }
    cloud
        .change(|world| {
            let zone = find_mut(world, &place.zone)?;
            let id = zone.meta.id;
            let set = place.set_mut(zone)?;
            set.labels = labels.unwrap_or_else(|| set.labels.clone());
            Ok(Json(json!({"rrset": set.view(id)})))
        })
        .await
}

/// Changes a set that is not protected, and begins the action that is said to do it. A set ends with its last record.
async fn change(
    cloud: Cloud,
    place: Place,
    command: Command,
    change: impl FnOnce(&mut Rrset, &str) -> Result<(), ApiError>,
) -> Created {
    cloud
        .change(|world| {
            let zone = find_mut(world, &place.zone)?;
            let name = zone.meta.name.clone();
            let set = place.set_mut(zone)?;
            set.check_unprotected()?;
            change(set, &name)?;
            zone.rrsets.retain(|set| !set.records.is_empty());
            zone.publish();
            let targets = zone.targets();
            acted(world, command, targets)
        })
        .await
}

/// Refuses to leave a zone without its SOA record.
fn check_removable(set: &Rrset) -> Result<(), ApiError> {
    if set.kind == "SOA" {
        return Err(ApiError::unprocessable("invalid_input", "the SOA RRSet cannot be deleted"));
    }
    Ok(())
}

async fn remove(Project(cloud): Project, Path(place): Path<Place>) -> Created {
    change(cloud, place, Command::DeleteRrset, |set, _| {
        check_removable(set)?;
        set.records.clear();
        Ok(())
    })
    .await
}

async fn change_protection(Project(cloud): Project, Path(place): Path<Place>, body: Body) -> Created {
    let protected = body.required("change")?;
    cloud
        .change(|world| {
            let zone = find_mut(world, &place.zone)?;
            place.set_mut(zone)?.protected = protected;
            let targets = zone.targets();
            acted(world, Command::ChangeRrsetProtection, targets)
        })
        .await
}

async fn change_ttl(Project(cloud): Project, Path(place): Path<Place>, body: Body) -> Created {
    let ttl = body.nullable("ttl")?;
    ttl.map(check_ttl).transpose()?;
    change(cloud, place, Command::ChangeRrsetTtl, |set, _| {
        set.ttl = ttl;
        Ok(())
    })
    .await
}

/// The records in a request.
fn records(body: &Body) -> Result<Vec<Record>, ApiError> {
    let records: Vec<Record> = body.required("records")?;
    record::check_distinct(&records).map(|()| records)
}

async fn set_records(Project(cloud): Project, Path(place): Path<Place>, body: Body) -> Created {
    let records = records(&body)?;
    change(cloud, place, Command::SetRrsetRecords, |set, zone| {
        record::check(zone, &set.kind, &records)?;
        set.records = records;
        Ok(())
    })
    .await
}

/// Makes the set if it is missing.
async fn add_records(Project(cloud): Project, Path(place): Path<Place>, body: Body) -> Created {
    let records = records(&body)?;
    let ttl: Option<u32> = body.optional("ttl")?;
    ttl.map(check_ttl).transpose()?;
    cloud
        .change(|world| {
            let zone = find_mut(world, &place.zone)?;
            let name = zone.meta.name.clone();
            match place.set_mut(zone) {
                Ok(set) => extend(set, &name, records, ttl)?,
                Err(_) => {
                    let Place { name, kind, .. } = place;
                    let wish = Wish { name, kind, ttl, records, labels: Labels::new() };
                    let set = wish.check(&zone.meta.name)?;
                    add(&mut zone.rrsets, set)?;
                }
            }
            zone.publish();
            let targets = zone.targets();
            acted(world, Command::AddRrsetRecords, targets)
        })
        .await
}

fn extend(set: &mut Rrset, zone: &str, records: Vec<Record>, ttl: Option<u32>) -> Result<(), ApiError> {
    set.check_unprotected()?;
    if ttl.is_some() && set.ttl.is_some() && ttl != set.ttl {
        return Err(ApiError::field("ttl", "must be the same as that of the RRSet"));
    }
    let all: Vec<Record> = set.records.iter().cloned().chain(records).collect();
    record::check(zone, &set.kind, &all)?;
    set.records = all;
    set.ttl = ttl.or(set.ttl);
    Ok(())
}

async fn remove_records(Project(cloud): Project, Path(place): Path<Place>, body: Body) -> Created {
    let gone = records(&body)?;
    change(cloud, place, Command::RemoveRrsetRecords, |set, _| {
        check_removable(set)?;
        set.check_has(&gone)?;
        set.records.retain(|record| !gone.iter().any(|gone| gone.value == record.value));
        Ok(())
    })
    .await
}

/// New comments; 200, where the other actions have 201.
async fn update_records(Project(cloud): Project, Path(place): Path<Place>, body: Body) -> Created {
    let given: Vec<Value> = body.required("records")?;
    if given.iter().any(|record| !record["comment"].is_string()) {
        return Err(ApiError::field("records", "comment is required"));
    }
    let new = records(&body)?;
    let (_, answer) = change(cloud, place, Command::UpdateRrsetRecords, |set, _| {
        set.check_has(&new)?;
        for record in &mut set.records {
            let update = new.iter().find(|new| new.value == record.value);
            record.comment = update.unwrap_or(record).comment.clone();
        }
        Ok(())
    })
    .await?;
    Ok((StatusCode::OK, answer))
}
