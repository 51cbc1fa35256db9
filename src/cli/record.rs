//! What the commands show of instances.

use serde_json::{Value, json};

use crate::model::instance::Instance;

/// An instance for machines. Stable: fields are added, not changed.
pub(super) fn json(instance: &Instance) -> Value {
    let server = instance.stage.server();
    json!({
        "name": instance.name,
        "stage": instance.stage.word(),
        "url": instance.endpoint().map(|endpoint| endpoint.origin()),
        "openclaw": instance.spec.release.openclaw.to_string(),
        "node": instance.spec.release.node.to_string(),
        "server_type": instance.spec.server_type,
        "image": instance.spec.image,
        "domain": instance.spec.domain,
        "created": instance.created,
        "server": server.map(|server| json!({
            "id": server.id,
            "ipv4": server.ipv4,
            "ipv6": server.ipv6,
            "location": server.location,
            "host_key": server.host_key,
            "next_host_key": server.next_host_key,
            "own_host_key": server.own_host_key,
        })),
    })
}

/// An instance as a row of `list`.
pub(super) fn row(instance: &Instance) -> Vec<String> {
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let server = instance.stage.server();
    vec![
        instance.name.to_string(),
        instance.stage.word().to_owned(),
        or_dash(instance.endpoint().map(|endpoint| endpoint.origin())),
        instance.spec.release.openclaw.to_string(),
        instance.spec.server_type.clone(),
        or_dash(server.map(|server| server.location.clone())),
        instance.created.clone(),
    ]
}

/// The heading of `list`.
pub(super) fn heading() -> Vec<String> {
    ["NAME", "STAGE", "URL", "OPENCLAW", "TYPE", "LOCATION", "CREATED"].map(str::to_owned).to_vec()
}
