//! Requests about zones.

use axum::extract::Path;
use axum::routing::{get, post, put};
use axum::{Json, Router};
use serde_json::{Value, json};

use super::Cloud;
use super::action::Command;
use super::answer::{Created, acted, created};
use super::body::Body;
use super::error::ApiError;
use super::meta::Meta;
use super::project::Project;
use super::resource::{self, Resource};
use super::rrset::{self, Rrset, Wish, check_ttl};
use super::zone::{Mode, Primary, Zone};
use super::zone_file::{self, ZoneFile};

/// Seconds that a record may be kept where nobody says otherwise.
const DEFAULT_TTL: u32 = 3600;

pub(crate) fn routes() -> Router<Cloud> {
    let actions = "/v1/zones/{id}/actions";
    resource::routes::<Zone>()
        .route("/v1/zones", post(create))
        .route("/v1/zones/{id}", put(update).delete(remove))
        .route("/v1/zones/{id}/zonefile", get(export))
        .route(&format!("{actions}/change_primary_nameservers"), post(change_primary_nameservers))
        .route(&format!("{actions}/change_protection"), post(change_protection))
        .route(&format!("{actions}/change_ttl"), post(change_ttl))
        .route(&format!("{actions}/import_zonefile"), post(import))
}

async fn create(Project(cloud): Project, body: Body) -> Created {
    let name: String = body.required("name")?;
    Zone::check_name(&name)?;
    let mode = mode(&body)?;
    let labels = body.labels()?.unwrap_or_default();
    let ttl: Option<u32> = body.optional("ttl")?;
    ttl.map(check_ttl).transpose()?;
    let file = match mode {
        Mode::Primary => records(&body, &name)?,
        Mode::Secondary(_) => ZoneFile { ttl: None, rrsets: Vec::new() },
    };
    let ttl = file.ttl.or(ttl).unwrap_or(DEFAULT_TTL);
    cloud
        .change(|world| {
            world.zones.check_name_free(&name, None)?;
            let id = world.zones.insert(|id| Zone::new(Meta::new(id, name, labels), mode, ttl, file.rrsets));
            let action = world.act(Command::CreateZone, world.zones.find(id)?.targets());
            created(json!({
                "zone": world.zones.find(id)?.view(world),
                "action": world.action_view(action)?,
            }))
        })
        .await
}

fn mode(body: &Body) -> Result<Mode, ApiError> {
    match body.required::<String>("mode")?.as_str() {
        "primary" => Ok(Mode::Primary),
        "secondary" => Ok(Mode::Secondary(body.optional("primary_nameservers")?.unwrap_or_default())),
        _ => Err(ApiError::field("mode", "must be primary or secondary")),
    }
}

/// The records that a new zone begins with: those of the request, and what each zone must have.
fn records(body: &Body, zone: &str) -> Result<ZoneFile, ApiError> {
    let wishes: Vec<Wish> = body.optional("rrsets")?.unwrap_or_default();
    let text: Option<String> = body.optional("zonefile")?;
    if text.is_some() && !wishes.is_empty() {
        return Err(ApiError::field("rrsets", "must be empty with a zone file"));
    }
    let mut file = zone_file::read(text.as_deref().unwrap_or_default(), zone)?;
    let own = std::mem::take(&mut file.rrsets);
    let missing = |set: &Rrset| !own.iter().any(|given| given.is(&set.name, &set.kind));
    file.rrsets = rrset::of_new_zone().into_iter().filter(missing).collect();
    let wishes = wishes.into_iter().map(|wish| wish.check(zone)).collect::<Result<Vec<_>, _>>()?;
    for set in own.into_iter().chain(wishes) {
        rrset::add(&mut file.rrsets, set)?;
    }
    Ok(file)
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
            let zone = world.zones.find(id)?;
            if zone.protected {
                return Err(ApiError::protected("zone"));
            }
            let targets = zone.targets();
            world.zones.remove(id);
            acted(world, Command::DeleteZone, targets)
        })
        .await
}

async fn export(Project(cloud): Project, Path(id): Path<String>) -> Result<Json<Value>, ApiError> {
    cloud.read(|world| {
        let zone = world.zones.find(world.zones.resolve(&id)?)?;
        zone.check_primary()?;
        Ok(Json(json!({"zonefile": zone_file::write(zone)})))
    })
}

/// Changes a zone and begins the action that is said to do it.
async fn change(
    cloud: Cloud,
    id: String,
    command: Command,
    change: impl FnOnce(&mut Zone) -> Result<(), ApiError>,
) -> Created {
    cloud
        .change(|world| {
            let id = world.zones.resolve(&id)?;
            let zone = world.zones.find_mut(id)?;
            change(zone)?;
            let targets = zone.targets();
            acted(world, command, targets)
        })
        .await
}

async fn change_primary_nameservers(Project(cloud): Project, Path(id): Path<String>, body: Body) -> Created {
    let new: Vec<Primary> = body.required("primary_nameservers")?;
    change(cloud, id, Command::ChangePrimaryNameservers, |zone| match &mut zone.mode {
        Mode::Primary => Err(Zone::incorrect_mode()),
        Mode::Secondary(primaries) => {
            *primaries = new;
            Ok(())
        }
    })
    .await
}

async fn change_protection(Project(cloud): Project, Path(id): Path<String>, body: Body) -> Created {
    let delete: Option<bool> = body.optional("delete")?;
    change(cloud, id, Command::ChangeProtection, |zone| {
        zone.protected = delete.unwrap_or(zone.protected);
        Ok(())
    })
    .await
}

async fn change_ttl(Project(cloud): Project, Path(id): Path<String>, body: Body) -> Created {
    let ttl = body.required("ttl")?;
    check_ttl(ttl)?;
    change(cloud, id, Command::ChangeTtl, |zone| {
        zone.check_primary()?;
        zone.ttl = ttl;
        zone.publish();
        Ok(())
    })
    .await
}

/// Replaces all records.
async fn import(Project(cloud): Project, Path(id): Path<String>, body: Body) -> Created {
    let text: String = body.required("zonefile")?;
    change(cloud, id, Command::ImportZonefile, |zone| {
        zone.check_primary()?;
        zone.rrsets.iter().try_for_each(Rrset::check_unprotected)?;
        let file = zone_file::read(&text, &zone.meta.name)?;
        zone_file::check_whole(&file.rrsets)?;
        let mut rrsets = Vec::new();
        for set in file.rrsets {
            rrset::add(&mut rrsets, set)?;
        }
        zone.rrsets = rrsets;
        zone.ttl = file.ttl.unwrap_or(zone.ttl);
        zone.publish();
        Ok(())
    })
    .await
}
