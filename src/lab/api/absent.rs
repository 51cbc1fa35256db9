//! Kinds of resource that the lab does not play: their lists are empty, and none can be made.

use axum::Router;
use axum::extract::Path;
use axum::response::Response;
use axum::routing::{get, post};
use serde_json::Value;

use super::Cloud;
use super::error::ApiError;
use super::query::Query;

/// A kind of resource that nobody has.
#[derive(Debug, Clone, Copy)]
struct Absent {
    /// The JSON key of a list, and the path.
    plural: &'static str,
    /// As messages name one.
    title: &'static str,
    /// Whether Hetzner's clients may make, change and delete one.
    theirs: bool,
}

const KINDS: [Absent; 5] = [
    Absent { plural: "isos", title: "ISO", theirs: false },
    Absent { plural: "load_balancer_types", title: "load balancer type", theirs: false },
    Absent { plural: "load_balancers", title: "load balancer", theirs: true },
    Absent { plural: "floating_ips", title: "floating IP", theirs: true },
    Absent { plural: "certificates", title: "certificate", theirs: true },
];

pub(crate) fn routes() -> Router<Cloud> {
    KINDS.into_iter().map(Absent::routes).fold(Router::new(), Router::merge)
}

impl Absent {
    fn routes(self) -> Router<Cloud> {
        let list = async move |query: Query| empty(&query, self.plural);
        let none = async move |Path(id): Path<String>| ApiError::not_found(self.title, id);
        let make = async move || {
            ApiError::unprocessable(
                "unsupported_error",
                format!("the lab has no {}", self.plural.replace('_', " ")),
            )
        };
        let all = format!("/v1/{}", self.plural);
        let router = Router::new().route(&all, get(list)).route(&format!("{all}/{{id}}"), get(none));
        if self.theirs {
            let actions = async move |query: Query| empty(&query, "actions");
            router.route(&all, post(make)).route(&format!("{all}/actions"), get(actions))
        } else {
            router
        }
    }
}

fn empty(query: &Query, plural: &str) -> Result<Response, ApiError> {
    query.answer(plural, &[], |(): &()| Value::Null)
}
