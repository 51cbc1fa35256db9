//! DNS zones. Their records are `rrset`.

use axum::extract::Path;
use axum::routing::{post, put};
use axum::{Json, Router};
use hickory_proto::rr::Name;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Cloud;
use super::action::{Command, Target};
use super::answer::{Created, acted, created};
use super::body::Body;
use super::error::ApiError;
use super::meta::Meta;
use super::project::Project;
use super::query::Query;
use super::resource::{self, Resource};
use super::rrset::{self, Rrset};
use super::table::{Row, Table};
use super::world::World;
use crate::lab::dns::ZoneData;

/// Seconds that a record may be kept where nobody says otherwise.
const DEFAULT_TTL: u32 = 3600;
/// The name servers of each zone.
pub(crate) const NAME_SERVERS: [&str; 3] =
    ["hydrogen.ns.hetzner.com.", "oxygen.ns.hetzner.com.", "helium.ns.hetzner.de."];

/// A zone.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Zone {
    pub(crate) meta: Meta,
    /// Seconds, for the records that have none of their own.
    pub(crate) ttl: u32,
    pub(crate) rrsets: Vec<Rrset>,
}

impl Row for Zone {
    const KIND: &'static str = "zone";
    const TITLE: &'static str = "zone";
    const FIRST_ID: u64 = 6001;
}

impl Resource for Zone {
    const PLURAL: &'static str = "zones";
    const PATH_TAKES_NAME: bool = true;

    fn table(world: &World) -> &Table<Self> {
        &world.zones
    }

    fn table_mut(world: &mut World) -> &mut Table<Self> {
        &mut world.zones
    }

    fn meta(&self) -> &Meta {
        &self.meta
    }

    fn meta_mut(&mut self) -> &mut Meta {
        &mut self.meta
    }

    fn is_wanted(&self, _world: &World, query: &Query) -> bool {
        query.allows("mode", "primary")
    }

    fn view(&self, _world: &World) -> Value {
        json!({
            "id": self.meta.id,
            "name": self.meta.name,
            "mode": "primary",
            "created": self.meta.created,
            "primary_nameservers": [],
            "labels": self.meta.labels,
            "protection": {"delete": false},
            "ttl": self.ttl,
            "status": "ok",
            "record_count": self.rrsets.iter().map(|rrset| rrset.records.len()).sum::<usize>(),
            "authoritative_nameservers": {
                "assigned": NAME_SERVERS,
                "delegated": NAME_SERVERS,
                "delegation_last_check": self.meta.created,
                "delegation_status": "valid",
            },
            "registrar": "other",
        })
    }
}

/// Refuses what cannot be a zone here: a lower-case name of at least two labels, without the dot at the end.
fn check_zone_name(name: &str) -> Result<(), ApiError> {
    let label = |text: &str| {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        (1..=63).contains(&text.len())
            && !text.starts_with('-')
            && !text.ends_with('-')
            && text.chars().all(allowed)
    };
    if name.len() <= 253 && name.contains('.') && name.split('.').all(label) {
        Ok(())
    } else {
        Err(ApiError::field("name", "is not a valid domain name"))
    }
}

/// All zones as the name server needs them.
pub(crate) fn all_data(world: &World) -> Vec<ZoneData> {
    world.zones.iter().filter_map(|(_, zone)| zone.data()).collect()
}

impl Zone {
    /// `None` for a name that cannot be one in DNS, which `check_zone_name` keeps out.
    fn data(&self) -> Option<ZoneData> {
        let origin = Name::from_ascii(format!("{}.", self.meta.name)).ok()?;
        let records = self.rrsets.iter().flat_map(|set| set.dns_records(&origin, self.ttl)).collect();
        Some(ZoneData { name: origin, records })
    }
}

pub(crate) fn routes() -> Router<Cloud> {
    resource::routes::<Zone>()
        .route("/v1/zones", post(create))
        .route("/v1/zones/{id}", put(update).delete(remove))
}

async fn create(Project(cloud): Project, body: Body) -> Created {
    let name = body.name()?;
    check_zone_name(&name)?;
    if body.required::<String>("mode")? != "primary" {
        return Err(ApiError::field("mode", "only primary zones are supported"));
    }
    let labels = body.labels()?.unwrap_or_default();
    let ttl = body.optional("ttl")?;
    ttl.map(rrset::check_ttl).transpose()?;
    let wishes: Vec<rrset::Wish> = body.optional("rrsets")?.unwrap_or_default();
    let mut rrsets = rrset::of_new_zone();
    for wish in wishes {
        rrset::add(&mut rrsets, wish.check(&name)?)?;
    }
    cloud
        .change(|world| {
            world.zones.check_name_free(&name, None)?;
            let ttl = ttl.unwrap_or(DEFAULT_TTL);
            let id = world.zones.insert(|id| Zone { meta: Meta::new(id, name, labels), ttl, rrsets });
            let action = world.act(Command::CreateZone, vec![Target::of::<Zone>(id)]);
            created(json!({
                "zone": world.zones.find(id)?.view(world),
                "action": world.action_view(action)?,
            }))
        })
        .await
}

async fn update(
    Project(cloud): Project,
    Path(id): Path<String>,
    body: Body,
) -> Result<Json<Value>, ApiError> {
    let labels = body.labels()?;
    cloud
        .change(|world| {
            let id = world.zones.resolve(&id)?;
            let zone = world.zones.find_mut(id)?;
            zone.meta.labels = labels.unwrap_or_else(|| zone.meta.labels.clone());
            resource::answer::<Zone>(world, id)
        })
        .await
}

async fn remove(Project(cloud): Project, Path(id): Path<String>) -> Created {
    cloud
        .change(|world| {
            let id = world.zones.resolve(&id)?;
            world.zones.remove(id);
            acted(world, Command::DeleteZone, vec![Target::of::<Zone>(id)])
        })
        .await
}
