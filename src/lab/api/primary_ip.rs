//! Primary IPs: the addresses of servers, made with them or kept for themselves.

use std::net::IpAddr;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Json, Router};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::action::{self, Command, Target};
use super::body::{Body, Reference};
use super::error::ApiError;
use super::label::Labels;
use super::path::Id;
use super::query::Query;
use super::server::{self, Server, ServerStatus};
use super::sort::SortKey;
use super::table::{Resource, Row, Table};
use super::world::{World, now};
use super::{Cloud, address};

/// The two kinds of address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Family {
    Ipv4,
    Ipv6,
}

impl Family {
    fn as_str(self) -> &'static str {
        match self {
            Self::Ipv4 => "ipv4",
            Self::Ipv6 => "ipv6",
        }
    }
}

/// A primary IP.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct PrimaryIp {
    pub(crate) id: u64,
    name: String,
    labels: Labels,
    created: Timestamp,
    /// Its location's name.
    location: String,
    family: Family,
    /// The last number of its address, see `address`.
    pub(crate) number: u8,
    /// Goes with the server it is assigned to.
    auto_delete: bool,
    /// The server that has it.
    assignee: Option<u64>,
}

impl Row for PrimaryIp {
    const KIND: &'static str = "primary_ip";
    const TITLE: &'static str = "primary IP";
    const FIRST_ID: u64 = 4001;
}

impl Resource for PrimaryIp {
    const PLURAL: &'static str = "primary_ips";
    const PATH_TAKES_NAME: bool = false;

    fn table(world: &World) -> &Table<Self> {
        &world.primary_ips
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn labels(&self) -> &Labels {
        &self.labels
    }

    fn sort_key(&self, field: &str) -> Option<SortKey> {
        match field {
            "id" => Some(SortKey::Number(self.id)),
            "created" => Some(SortKey::Time(Some(self.created))),
            _ => None,
        }
    }

    fn view(&self, world: &World) -> Value {
        let ip = self.ip(world.slot);
        let pointers = match self.family {
            Family::Ipv4 => json!([{"ip": ip, "dns_ptr": self.default_pointer()}]),
            Family::Ipv6 => json!([]),
        };
        json!({
            "id": self.id,
            "name": self.name,
            "labels": self.labels,
            "created": self.created,
            "blocked": false,
            "location": world.catalog.location_view(&self.location),
            "ip": ip,
            "dns_ptr": pointers,
            "protection": {"delete": false},
            "type": self.family,
            "auto_delete": self.auto_delete,
            "assignee_type": if self.assignee.is_some() { "server" } else { "unassigned" },
            "assignee_id": self.assignee,
        })
    }
}

impl PrimaryIp {
    /// `198.18.0.2`, or the network `2001:db8:0:2::/64`.
    pub(crate) fn ip(&self, slot: u8) -> String {
        match self.family {
            Family::Ipv4 => address::v4(slot, self.number).to_string(),
            Family::Ipv6 => format!("{}/64", address::v6(slot, self.number)),
        }
    }

    /// The reverse name an IPv4 address has until somebody sets another.
    pub(crate) fn default_pointer(&self) -> String {
        format!("static.{}.18.198.clients.your-server.de", self.number)
    }

    fn is_at(&self, slot: u8, wanted: &str) -> bool {
        match (self.family, wanted.parse()) {
            (Family::Ipv4, Ok(IpAddr::V4(ip))) => ip == address::v4(slot, self.number),
            (Family::Ipv6, Ok(IpAddr::V6(ip))) => ip == address::v6(slot, self.number),
            _ => self.ip(slot) == wanted,
        }
    }
}

/// The address of a family that a server has.
pub(crate) fn of_server(world: &World, server: u64, family: Family) -> Option<&PrimaryIp> {
    world
        .primary_ips
        .iter()
        .map(|(_, ip)| ip)
        .find(|ip| ip.assignee == Some(server) && ip.family == family)
}

/// Refuses an existing primary IP that a new server cannot have.
pub(crate) fn check_usable(world: &World, id: u64, family: Family, location: &str) -> Result<(), ApiError> {
    let ip = world.primary_ips.find(id)?;
    if ip.family != family {
        let message = "primary IP has the wrong IP version";
        Err(ApiError::new(
            StatusCode::PRECONDITION_FAILED,
            "primary_ip_version_mismatch",
            message,
        ))
    } else if ip.assignee.is_some() {
        Err(ApiError::unprocessable(
            "primary_ip_assigned",
            "primary IP is already assigned to a server",
        ))
    } else if ip.location != location {
        let message = "primary IP is in a different datacenter";
        Err(ApiError::unprocessable("primary_ip_datacenter_mismatch", message))
    } else {
        Ok(())
    }
}

/// Gives an existing primary IP to a server.
pub(crate) fn assign(world: &mut World, id: u64, server: u64) -> Result<(), ApiError> {
    world.primary_ips.find_mut(id)?.assignee = Some(server);
    Ok(())
}

/// Makes a primary IP that goes with its server.
pub(crate) fn make_for(
    world: &mut World,
    family: Family,
    server: u64,
    location: &str,
) -> Result<(), ApiError> {
    let wish = Wish {
        name: None,
        labels: Labels::new(),
        family,
        auto_delete: true,
        assignee: Some(server),
    };
    make(world, wish, location.to_owned()).map(|_| ())
}

/// Takes a deleted server's addresses from it.
pub(crate) fn release(world: &mut World, server: u64) {
    let ids: Vec<u64> = server::addresses(world, server).iter().map(|ip| ip.id).collect();
    for id in ids {
        let Some(ip) = world.primary_ips.get_mut(id) else {
            continue;
        };
        ip.assignee = None;
        if ip.auto_delete {
            drop_ip(world, id);
        }
    }
}

fn drop_ip(world: &mut World, id: u64) {
    match world.primary_ips.remove(id) {
        Some(PrimaryIp {
            family: Family::Ipv4,
            number,
            ..
        }) => world.addresses().free_v4(number),
        Some(PrimaryIp {
            family: Family::Ipv6,
            number,
            ..
        }) => world.addresses().free_v6(number),
        None => {}
    }
}

/// What a new primary IP is to be.
#[derive(Debug)]
struct Wish {
    /// `None`: named after its id.
    name: Option<String>,
    labels: Labels,
    family: Family,
    auto_delete: bool,
    assignee: Option<u64>,
}

fn make(world: &mut World, wish: Wish, location: String) -> Result<u64, ApiError> {
    let Wish {
        name,
        labels,
        family,
        auto_delete,
        assignee,
    } = wish;
    let number = match family {
        Family::Ipv4 => world.addresses().take_v4(),
        Family::Ipv6 => {
            // both addresses of a server end alike where that is possible
            let sibling = assignee
                .and_then(|id| of_server(world, id, Family::Ipv4))
                .map(|ip| ip.number);
            world.addresses().take_v6(sibling)
        }
    };
    let number = number.ok_or_else(|| ApiError::limit_exceeded("primary_ip_limit"))?;
    Ok(world.primary_ips.insert(|id| PrimaryIp {
        id,
        name: name.unwrap_or_else(|| format!("primary_ip-{id}")),
        labels,
        created: now(),
        location,
        family,
        number,
        auto_delete,
        assignee,
    }))
}

pub(crate) fn routes() -> Router<Cloud> {
    Router::new()
        .route("/v1/primary_ips", get(list).post(create))
        .route("/v1/primary_ips/{id}", get(one).put(update).delete(remove))
        .route("/v1/primary_ips/{id}/actions/assign", post(assign_to))
        .route("/v1/primary_ips/{id}/actions/unassign", post(unassign))
        .merge(action::routes_of::<PrimaryIp>())
}

async fn list(State(cloud): State<Cloud>, query: Query) -> Result<Response, ApiError> {
    cloud.read(|world| {
        query.list::<PrimaryIp>(world, |ip| {
            query
                .first("ip")
                .is_none_or(|wanted| ip.is_at(world.slot, wanted))
                && query.allows("type", ip.family.as_str())
        })
    })
}

async fn one(State(cloud): State<Cloud>, Path(Id(id)): Path<Id>) -> Result<Json<Value>, ApiError> {
    cloud.read(|world| {
        Ok(Json(
            json!({"primary_ip": world.primary_ips.find(id)?.view(world)}),
        ))
    })
}

async fn create(State(cloud): State<Cloud>, body: Body) -> Result<(StatusCode, Json<Value>), ApiError> {
    let name = body.name()?;
    let labels = body.labels()?.unwrap_or_default();
    let family: Family = body.required("type")?;
    let auto_delete = body.optional("auto_delete")?.unwrap_or(false);
    let assignee: Option<u64> = body.optional("assignee_id")?;
    let location: Option<Reference> = body.optional("location")?;
    cloud
        .change(|world| {
            world.primary_ips.check_name_free(&name, None)?;
            let location = place(world, assignee, location.as_ref())?;
            if let Some(server) = assignee {
                check_assignable(world, server, family)?;
            }
            let wish = Wish {
                name: Some(name),
                labels,
                family,
                auto_delete,
                assignee,
            };
            let id = make(world, wish, location)?;
            let action = assignee.map(|server| begin(world, Command::AssignPrimaryIp, id, server));
            let mut answer = json!({"primary_ip": world.primary_ips.find(id)?.view(world)});
            if let (Some(action), Some(answer)) = (action, answer.as_object_mut()) {
                answer.insert("action".to_owned(), world.actions.find(action)?.view(world));
            }
            Ok((StatusCode::CREATED, Json(answer)))
        })
        .await
}

/// Where a new primary IP is: with its server, or where the request says.
fn place(world: &World, assignee: Option<u64>, location: Option<&Reference>) -> Result<String, ApiError> {
    match (assignee, location) {
        (Some(server), None) => Ok(world.servers.find(server)?.location.clone()),
        (_, Some(wanted)) => {
            let found = world.catalog.location(wanted);
            found
                .map(|l| l.name.to_owned())
                .ok_or_else(|| ApiError::field("location", "location not found"))
        }
        (None, None) => Err(ApiError::field("location", "is required without assignee_id")),
    }
}

/// Refuses a server that runs, is busy or has an address of the family.
fn check_assignable(world: &World, server: u64, family: Family) -> Result<(), ApiError> {
    check_stopped(world, server)?;
    match (of_server(world, server, family), family) {
        (None, _) => Ok(()),
        (Some(_), Family::Ipv4) => Err(ApiError::unprocessable(
            "server_has_ipv4",
            "server already has an IPv4 address",
        )),
        (Some(_), Family::Ipv6) => Err(ApiError::unprocessable(
            "server_has_ipv6",
            "server already has an IPv6 address",
        )),
    }
}

fn check_stopped(world: &World, server: u64) -> Result<(), ApiError> {
    server::check_unlocked(world, server)?;
    match world.servers.find(server)?.status {
        ServerStatus::Off => Ok(()),
        _ => Err(ApiError::unprocessable(
            "server_not_stopped",
            "server is not stopped",
        )),
    }
}

fn begin(world: &mut World, command: Command, ip: u64, server: u64) -> u64 {
    world.act(
        command,
        vec![Target::of::<PrimaryIp>(ip), Target::of::<Server>(server)],
    )
}

async fn update(
    State(cloud): State<Cloud>,
    Path(Id(id)): Path<Id>,
    body: Body,
) -> Result<Json<Value>, ApiError> {
    let (name, labels) = (body.new_name()?, body.labels()?);
    let auto_delete = body.optional("auto_delete")?;
    cloud
        .change(|world| {
            world.primary_ips.find(id)?;
            if let Some(name) = &name {
                world.primary_ips.check_name_free(name, Some(id))?;
            }
            let ip = world.primary_ips.find_mut(id)?;
            ip.name = name.unwrap_or_else(|| ip.name.clone());
            ip.labels = labels.unwrap_or_else(|| ip.labels.clone());
            ip.auto_delete = auto_delete.unwrap_or(ip.auto_delete);
            Ok(Json(
                json!({"primary_ip": world.primary_ips.find(id)?.view(world)}),
            ))
        })
        .await
}

async fn remove(State(cloud): State<Cloud>, Path(Id(id)): Path<Id>) -> Result<StatusCode, ApiError> {
    cloud
        .change(|world| {
            if world.primary_ips.find(id)?.assignee.is_some() {
                return Err(ApiError::unprocessable(
                    "must_be_unassigned",
                    "primary IP must be unassigned",
                ));
            }
            drop_ip(world, id);
            Ok(StatusCode::NO_CONTENT)
        })
        .await
}

async fn assign_to(
    State(cloud): State<Cloud>,
    Path(Id(id)): Path<Id>,
    body: Body,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let server: u64 = body.required("assignee_id")?;
    cloud
        .change(|world| {
            let ip = world.primary_ips.find(id)?;
            let family = ip.family;
            if ip.assignee.is_some() {
                let message = "primary IP is already assigned to a server";
                return Err(ApiError::unprocessable("primary_ip_already_assigned", message));
            }
            if ip.location != world.servers.find(server)?.location {
                return Err(ApiError::field(
                    "assignee_id",
                    "server is in a different location",
                ));
            }
            check_assignable(world, server, family)?;
            assign(world, id, server)?;
            let action = begin(world, Command::AssignPrimaryIp, id, server);
            Ok((
                StatusCode::CREATED,
                Json(json!({"action": world.actions.find(action)?.view(world)})),
            ))
        })
        .await
}

async fn unassign(
    State(cloud): State<Cloud>,
    Path(Id(id)): Path<Id>,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    cloud
        .change(|world| {
            let assignee = world.primary_ips.find(id)?.assignee;
            let server = assignee
                .ok_or_else(|| ApiError::unprocessable("invalid_input", "primary IP is not assigned"))?;
            check_stopped(world, server)?;
            world.primary_ips.find_mut(id)?.assignee = None;
            let action = begin(world, Command::UnassignPrimaryIp, id, server);
            Ok((
                StatusCode::CREATED,
                Json(json!({"action": world.actions.find(action)?.view(world)})),
            ))
        })
        .await
}
