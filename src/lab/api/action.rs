//! Actions: what a request has set going, and how far it is.

use axum::Json;
use axum::Router;
use axum::extract::Path;
use axum::response::Response;
use axum::routing::get;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Cloud;
use super::delays::Delays;
use super::error::ApiError;
use super::fault::ActionFault;
use super::path::Id;
use super::project::Project;
use super::query::Query;
use super::resource::Resource;
use super::server::Server;
use super::sort::{SortKey, sort};
use super::table::Row;
use super::world::World;

/// The fields that `sort` may order by.
const SORTED_BY: &[&str] = &["id", "command", "status", "started", "finished"];

/// What an action does, by the names in the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Command {
    CreateServer,
    StartServer,
    StopServer,
    ShutdownServer,
    RebootServer,
    ResetServer,
    DeleteServer,
    RebuildServer,
    CreateImage,
    ChangeServerType,
    ResetPassword,
    RequestConsole,
    EnableBackup,
    DisableBackup,
    EnableRescue,
    DisableRescue,
    AttachIso,
    DetachIso,
    ChangeProtection,
    ChangeDnsPtr,
    AddToPlacementGroup,
    RemoveFromPlacementGroup,
    AttachToNetwork,
    DetachFromNetwork,
    ChangeAliasIps,
    ApplyFirewall,
    RemoveFirewall,
    SetFirewallRules,
    AssignPrimaryIp,
    UnassignPrimaryIp,
    CreateVolume,
    AttachVolume,
    DetachVolume,
    ResizeVolume,
    AddSubnet,
    DeleteSubnet,
    AddRoute,
    DeleteRoute,
    ChangeIpRange,
    CreateZone,
    DeleteZone,
    ChangeTtl,
    ChangePrimaryNameservers,
    ImportZonefile,
    CreateRrset,
    DeleteRrset,
    SetRrsetRecords,
    AddRrsetRecords,
    RemoveRrsetRecords,
    UpdateRrsetRecords,
    ChangeRrsetTtl,
    ChangeRrsetProtection,
}

impl Command {
    /// Whether a server that it names does nothing else while this runs.
    fn locks(self) -> bool {
        !matches!(self, Self::ApplyFirewall | Self::RemoveFirewall | Self::SetFirewallRules)
    }
}

/// Where an action stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ActionStatus {
    Running,
    Success,
    Error,
}

impl ActionStatus {
    fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Success => "success",
            Self::Error => "error",
        }
    }
}

/// What an action works on: `{"type": "server", "id": 42}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Target {
    pub(crate) id: u64,
    #[serde(rename = "type")]
    pub(crate) kind: String,
}

impl Target {
    pub(crate) fn of<T: Row>(id: u64) -> Self {
        Self { id, kind: T::KIND.to_owned() }
    }
}

/// One action.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Action {
    pub(crate) id: u64,
    pub(crate) command: Command,
    pub(crate) status: ActionStatus,
    pub(crate) started: Timestamp,
    pub(crate) finished: Option<Timestamp>,
    pub(crate) resources: Vec<Target>,
    /// Why it failed.
    pub(crate) error: Option<String>,
    /// The action that starts when this one has succeeded.
    pub(crate) then: Option<u64>,
    #[serde(default)]
    pub(crate) fault: ActionFault,
}

impl Action {
    pub(crate) fn new(id: u64, command: Command, resources: Vec<Target>) -> Self {
        Self {
            id,
            command,
            status: ActionStatus::Running,
            started: Timestamp::now(),
            finished: None,
            resources,
            error: None,
            then: None,
            fault: ActionFault::default(),
        }
    }

    /// Whether it works on a resource.
    pub(crate) fn concerns(&self, kind: &str, id: u64) -> bool {
        self.resources.iter().any(|r| r.kind == kind && r.id == id)
    }

    /// The servers that it locks while it runs.
    pub(crate) fn locked(&self) -> impl Iterator<Item = u64> {
        let locks = self.command.locks();
        self.resources.iter().filter(move |r| locks && r.kind == Server::KIND).map(|r| r.id)
    }

    /// The id of the first resource of a kind.
    pub(crate) fn target<T: Row>(&self) -> Option<u64> {
        self.resources.iter().find(|r| r.kind == T::KIND).map(|r| r.id)
    }

    /// 0 to 95 by the clock while it runs; nobody knows better, the machine's work included.
    fn progress(&self, delays: &Delays) -> u128 {
        if self.status != ActionStatus::Running {
            return 100;
        }
        let passed = Timestamp::now().duration_since(self.started).as_millis().max(0).unsigned_abs();
        let whole = delays.of(self.command) + self.fault.delay;
        (passed * 100 / whole.as_millis().max(1)).min(95)
    }
}

impl Row for Action {
    const KIND: &'static str = "action";
    const TITLE: &'static str = "action";
    const FIRST_ID: u64 = 500_001;
}

impl Action {
    fn sort_key(&self, field: &str) -> Option<SortKey> {
        match field {
            "id" => Some(SortKey::Number(self.id)),
            "command" => Some(SortKey::Text(format!("{:?}", self.command))),
            "status" => Some(SortKey::Text(self.status.as_str().to_owned())),
            "started" => Some(SortKey::Time(Some(self.started))),
            "finished" => Some(SortKey::Time(self.finished)),
            _ => None,
        }
    }

    /// As the API shows it.
    pub(crate) fn view(&self, world: &World) -> Value {
        let code = self.fault.error.as_ref().map_or("action_failed", |(code, _)| code);
        let error = self.error.as_ref().map(|why| json!({"code": code, "message": why}));
        json!({
            "id": self.id,
            "command": self.command,
            "status": self.status,
            "progress": u64::try_from(self.progress(&world.delays)).unwrap_or(0),
            "started": format!("{:.0}", self.started),
            "finished": self.finished.map(|at| format!("{at:.0}")),
            "resources": self.resources,
            "error": error,
        })
    }
}

/// `/actions`: only by ids, since 2025-01-30.
pub(crate) fn routes() -> Router<Cloud> {
    Router::new().route("/v1/actions", get(many)).route("/v1/actions/{id}", get(one))
}

/// The four action look-ups below a kind of resource.
pub(crate) fn routes_of<T: Resource>() -> Router<Cloud> {
    let base = format!("/v1/{}", T::PLURAL);
    Router::new()
        .route(&format!("{base}/actions"), get(all_of::<T>))
        .route(&format!("{base}/actions/{{id}}"), get(one))
        .route(&format!("{base}/{{id}}/actions"), get(of_one::<T>))
        .route(&format!("{base}/{{id}}/actions/{{action}}"), get(one_of_one::<T>))
}

async fn many(Project(cloud): Project, query: Query) -> Result<Response, ApiError> {
    let ids = query.ids("id")?;
    if ids.is_empty() {
        return Err(ApiError::gone("listing all actions is no longer available, name them by id"));
    }
    cloud.read(|world| page(world, &query, ids.iter().filter_map(|id| world.actions.get(*id))))
}

async fn one(Project(cloud): Project, Path(Id(id)): Path<Id>) -> Result<Json<Value>, ApiError> {
    cloud.read(|world| Ok(Json(json!({"action": world.action_view(id)?}))))
}

async fn all_of<T: Resource>(Project(cloud): Project, query: Query) -> Result<Response, ApiError> {
    let ids = query.ids("id")?;
    let wanted =
        |action: &Action| (ids.is_empty() || ids.contains(&action.id)) && action.target::<T>().is_some();
    cloud.read(|world| page(world, &query, all(world).filter(|action| wanted(action))))
}

/// `id` may be a zone's name, so it is taken as text.
async fn of_one<T: Resource>(
    Project(cloud): Project,
    Path(id): Path<String>,
    query: Query,
) -> Result<Response, ApiError> {
    cloud.read(|world| {
        let id = T::table(world).resolve(&id)?;
        page(world, &query, all(world).filter(|action| action.concerns(T::KIND, id)))
    })
}

async fn one_of_one<T: Resource>(
    Project(cloud): Project,
    Path((id, Id(action))): Path<(String, Id)>,
) -> Result<Json<Value>, ApiError> {
    cloud.read(|world| {
        let id = T::table(world).resolve(&id)?;
        let action = world.actions.find(action)?;
        if !action.concerns(T::KIND, id) {
            return Err(ApiError::not_found("action", action.id));
        }
        Ok(Json(json!({"action": action.view(world)})))
    })
}

fn all(world: &World) -> impl Iterator<Item = &Action> {
    world.actions.iter().map(|(_, action)| action)
}

fn page<'a>(
    world: &World,
    query: &Query,
    actions: impl Iterator<Item = &'a Action>,
) -> Result<Response, ApiError> {
    let mut actions: Vec<&Action> =
        actions.filter(|action| query.allows("status", action.status.as_str())).collect();
    sort(&mut actions, &query.orders(), SORTED_BY, |action, field| action.sort_key(field))?;
    query.answer("actions", &actions, |action| action.view(world))
}
