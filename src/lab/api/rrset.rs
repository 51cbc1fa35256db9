//! The records of a zone, in sets of one name and type.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Json, Router};
use hickory_proto::rr::{RData, RecordType};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Cloud;
use super::action::{Command, Target};
use super::body::Body;
use super::error::ApiError;
use super::label::{self, Labels, Selector};
use super::query::Query;
use super::sort::{SortKey, sort};
use super::world::World;
use super::zone::{NAME_SERVERS, Zone};

/// Records in one set.
const RECORDS_MAX: usize = 50;
/// The types there are.
const TYPES: [&str; 15] = [
    "A", "AAAA", "CAA", "CNAME", "DS", "HINFO", "HTTPS", "MX", "NS", "PTR", "RP", "SRV", "SVCB", "TLSA",
    "TXT",
];

/// Records of one name and type.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Rrset {
    /// Relative to the zone; `@` is the zone itself.
    pub(crate) name: String,
    /// `A`, `TXT`, …
    pub(crate) kind: String,
    /// Seconds; `None`: the zone's.
    pub(crate) ttl: Option<u32>,
    labels: Labels,
    pub(crate) records: Vec<Record>,
}

/// One record.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) value: String,
    #[serde(default)]
    comment: String,
}

/// A set as a request describes it.
#[derive(Debug, Deserialize)]
pub(crate) struct Wish {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    ttl: Option<u32>,
    records: Vec<Record>,
    #[serde(default)]
    labels: Labels,
}

impl Wish {
    /// The set, if it can be one of the zone.
    pub(crate) fn check(self, zone: &str) -> Result<Rrset, ApiError> {
        let Self {
            name,
            kind,
            ttl,
            records,
            labels,
        } = self;
        check_record_name(&name, zone)?;
        if !TYPES.contains(&kind.as_str()) {
            return Err(ApiError::field("type", "is not a supported record type"));
        }
        ttl.map(check_ttl).transpose()?;
        label::check(&labels)?;
        check_records(&kind, &records)?;
        Ok(Rrset {
            name,
            kind,
            ttl,
            labels,
            records,
        })
    }
}

impl Rrset {
    fn is(&self, name: &str, kind: &str) -> bool {
        self.name == name && self.kind == kind
    }

    fn id(&self) -> String {
        format!("{}/{}", self.name, self.kind)
    }

    fn view(&self, zone: u64) -> Value {
        json!({
            "id": self.id(),
            "name": self.name,
            "type": self.kind,
            "ttl": self.ttl,
            "labels": self.labels,
            "protection": {"change": false},
            "records": self.records,
            "zone": zone,
        })
    }
}

/// What each zone has from its birth.
pub(crate) fn of_new_zone() -> Vec<Rrset> {
    let record = |value: String| Record {
        value,
        comment: String::new(),
    };
    let [first, ..] = NAME_SERVERS;
    let soa = format!("{first} dns.hetzner.com. 2026010100 86400 10800 3600000 3600");
    let set = |kind: &str, records| Rrset {
        name: "@".to_owned(),
        kind: kind.to_owned(),
        ttl: None,
        labels: Labels::new(),
        records,
    };
    let name_servers = NAME_SERVERS
        .iter()
        .map(|name| record((*name).to_owned()))
        .collect();
    vec![set("SOA", vec![record(soa)]), set("NS", name_servers)]
}

/// Adds a set; 409 for a second one of the same name and type, 422 for a CNAME beside others.
pub(crate) fn add(rrsets: &mut Vec<Rrset>, new: Rrset) -> Result<(), ApiError> {
    if rrsets.iter().any(|set| set.is(&new.name, &new.kind)) {
        return Err(ApiError::not_unique(
            "name",
            "RRSet with the same name and type already exists",
        ));
    }
    let is_alias = |set: &Rrset| set.kind == "CNAME";
    if rrsets
        .iter()
        .any(|set| set.name == new.name && (is_alias(set) || is_alias(&new)))
    {
        return Err(ApiError::field(
            "type",
            "a CNAME cannot stand beside other records",
        ));
    }
    rrsets.push(new);
    Ok(())
}

pub(crate) fn check_ttl(ttl: u32) -> Result<(), ApiError> {
    if (60..=2_147_483_647).contains(&ttl) {
        Ok(())
    } else {
        Err(ApiError::field("ttl", "must be between 60 and 2147483647"))
    }
}

/// Refuses what is no relative name.
fn check_record_name(name: &str, zone: &str) -> Result<(), ApiError> {
    let label = |text: &str| {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
        text == "*" || ((1..=63).contains(&text.len()) && text.chars().all(allowed))
    };
    if name == "@" || (name.len() + zone.len() < 253 && name.split('.').all(label)) {
        Ok(())
    } else {
        Err(ApiError::field("name", "is not a valid record name"))
    }
}

fn check_records(kind: &str, records: &[Record]) -> Result<(), ApiError> {
    if records.is_empty() || records.len() > RECORDS_MAX {
        return Err(ApiError::field("records", "must be between 1 and 50"));
    }
    for (i, record) in records.iter().enumerate() {
        if records
            .iter()
            .take(i)
            .any(|earlier| earlier.value == record.value)
        {
            return Err(ApiError::field("records", "must not have a value twice"));
        }
        if data(kind, &record.value).is_none() {
            return Err(ApiError::field(
                "records",
                &format!("'{}' is no value for {kind}", record.value),
            ));
        }
    }
    if kind == "CNAME" && records.len() > 1 {
        return Err(ApiError::field("records", "a CNAME has one record"));
    }
    Ok(())
}

/// A value as DNS has it; `None` if it cannot be one of the type. Text stands in quotes, as in a zone file.
pub(crate) fn data(kind: &str, value: &str) -> Option<RData> {
    if kind == "TXT" && !(value.starts_with('"') && value.ends_with('"') && value.len() >= 2) {
        return None;
    }
    let kind: RecordType = kind.parse().ok()?;
    RData::try_from_str(kind, value).ok()
}

pub(crate) fn routes() -> Router<Cloud> {
    let set = "/v1/zones/{id}/rrsets/{name}/{type}";
    Router::new()
        .route("/v1/zones/{id}/rrsets", get(list).post(create))
        .route(set, get(one).delete(remove))
        .route(&format!("{set}/actions/set_records"), post(set_records))
        .route(&format!("{set}/actions/add_records"), post(add_records))
        .route(&format!("{set}/actions/remove_records"), post(remove_records))
}

type Answer = Result<(StatusCode, Json<Value>), ApiError>;

fn not_found(name: &str, kind: &str) -> ApiError {
    ApiError::new(
        StatusCode::NOT_FOUND,
        "not_found",
        format!("rrset '{name}/{kind}' not found"),
    )
}

async fn list(
    State(cloud): State<Cloud>,
    Path(zone): Path<String>,
    query: Query,
) -> Result<Response, ApiError> {
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
        query.answer("rrsets", &sets, |set| set.view(zone.id))
    })
}

async fn one(
    State(cloud): State<Cloud>,
    Path((zone, name, kind)): Path<(String, String, String)>,
) -> Result<Json<Value>, ApiError> {
    cloud.read(|world| {
        let zone = world.zones.find(world.zones.resolve(&zone)?)?;
        let set = zone.rrsets.iter().find(|set| set.is(&name, &kind));
        let set = set.ok_or_else(|| not_found(&name, &kind))?;
        Ok(Json(json!({"rrset": set.view(zone.id)})))
    })
}

async fn create(State(cloud): State<Cloud>, Path(zone): Path<String>, body: Body) -> Answer {
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
            let set = wish.check(&zone.name)?;
            let view = set.view(id);
            add(&mut zone.rrsets, set)?;
            answer(world, id, Command::CreateRrset, Some(view))
        })
        .await
}

async fn remove(
    State(cloud): State<Cloud>,
    Path((zone, name, kind)): Path<(String, String, String)>,
) -> Answer {
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

fn answer(world: &mut World, zone: u64, command: Command, rrset: Option<Value>) -> Answer {
    let action = world.act(command, vec![Target::of::<Zone>(zone)]);
    let action = world.actions.find(action)?.view(world);
    let body = match rrset {
        Some(rrset) => json!({"rrset": rrset, "action": action}),
        None => json!({"action": action}),
    };
    Ok((StatusCode::CREATED, Json(body)))
}

async fn set_records(
    State(cloud): State<Cloud>,
    Path((zone, name, kind)): Path<(String, String, String)>,
    body: Body,
) -> Answer {
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
    State(cloud): State<Cloud>,
    Path((zone, name, kind)): Path<(String, String, String)>,
    body: Body,
) -> Answer {
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
                    let wish = Wish {
                        name,
                        kind,
                        ttl,
                        records,
                        labels: Labels::new(),
                    };
                    let set = wish.check(&zone.name)?;
                    add(&mut zone.rrsets, set)?;
                }
            }
            answer(world, id, Command::AddRrsetRecords, None)
        })
        .await
}

/// Removes the set with its last record.
async fn remove_records(
    State(cloud): State<Cloud>,
    Path((zone, name, kind)): Path<(String, String, String)>,
    body: Body,
) -> Answer {
    let records: Vec<Record> = body.required("records")?;
    cloud
        .change(|world| {
            let id = world.zones.resolve(&zone)?;
            let zone = world.zones.find_mut(id)?;
            let set = zone.rrsets.iter_mut().find(|set| set.is(&name, &kind));
            let set = set.ok_or_else(|| not_found(&name, &kind))?;
            let gone = |record: &Record| records.iter().any(|wanted| wanted.value == record.value);
            if !records
                .iter()
                .all(|wanted| set.records.iter().any(|r| r.value == wanted.value))
            {
                return Err(ApiError::field("records", "not all of them exist"));
            }
            set.records.retain(|record| !gone(record));
            zone.rrsets.retain(|set| !set.records.is_empty());
            answer(world, id, Command::RemoveRrsetRecords, None)
        })
        .await
}
