//! Where a firewall is: on a server, or on all that a label selector selects.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::action::Target;
use super::error::ApiError;
use super::label::Selector;
use super::server::{self, Server};
use super::world::World;

/// Where a firewall is, in the API's own words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Place {
    Server { server: ServerRef },
    LabelSelector { label_selector: SelectorRef },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ServerRef {
    pub(crate) id: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SelectorRef {
    selector: String,
}

impl Place {
    /// On one server.
    pub(crate) fn server(id: u64) -> Self {
        Self::Server { server: ServerRef { id } }
    }

    /// Whether a server is meant.
    pub(crate) fn covers(&self, server: &Server) -> bool {
        match self {
            Self::Server { server: ServerRef { id } } => *id == server.meta.id,
            // checked when it was stored
            Self::LabelSelector { label_selector: SelectorRef { selector } } => {
                Selector::parse(selector).is_ok_and(|s| s.matches(&server.meta.labels))
            }
        }
    }

    /// The servers that are meant now.
    pub(crate) fn servers(&self, world: &World) -> Vec<u64> {
        world.servers.iter().filter(|(_, server)| self.covers(server)).map(|(id, _)| id).collect()
    }

    /// As the API shows it.
    pub(crate) fn view(&self, world: &World) -> Value {
        match self {
            Self::Server { .. } => json!(self),
            Self::LabelSelector { label_selector } => {
                let resources: Vec<Value> = self
                    .servers(world)
                    .iter()
                    .map(|id| json!({"type": "server", "server": {"id": id}}))
                    .collect();
                json!({
                    "type": "label_selector",
                    "label_selector": label_selector,
                    "applied_to_resources": resources,
                })
            }
        }
    }

    /// Refuses a server that is not there, and a selector that is none.
    pub(crate) fn check(&self, world: &World) -> Result<(), ApiError> {
        match self {
            Self::Server { server: ServerRef { id } } if world.servers.get(*id).is_none() => {
                let message = format!("server with ID '{id}' not found");
                Err(ApiError::unprocessable("firewall_resource_not_found", message))
            }
            Self::Server { .. } => Ok(()),
            Self::LabelSelector { label_selector: SelectorRef { selector } } => {
                if selector.trim().is_empty() {
                    return Err(ApiError::field("selector", "must not be empty"));
                }
                Selector::parse(selector).map(|_| ())
            }
        }
    }

    /// Whether this is a server without a public address.
    pub(crate) fn is_private(&self, world: &World) -> bool {
        match self {
            Self::Server { server } => server::addresses(world, server.id).is_empty(),
            Self::LabelSelector { .. } => false,
        }
    }

    /// What an action on this place names besides the firewall.
    pub(crate) fn target(&self) -> Option<Target> {
        match self {
            Self::Server { server: ServerRef { id } } => Some(Target::of::<Server>(*id)),
            Self::LabelSelector { .. } => None,
        }
    }
}
