//! What a server can ask about itself at 169.254.169.254. Who asks is known by the source address.
//!
//! `/hetzner/v1/…` is what Hetzner serves. `/lab/…` is the same for cloud-init's NoCloud source, because its
//! Hetzner source looks for a BIOS that a container has not.

mod private_network;

use std::net::SocketAddr;

use axum::Router;
use axum::extract::{ConnectInfo, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;

pub(crate) use self::private_network::PrivateNetwork;

use super::api::{Cloud, Identity};

/// All routes.
pub(crate) fn router(cloud: Cloud) -> Router {
    let hetzner = Router::new()
        .route("/metadata", answer(all))
        .route("/metadata/instance-id", answer(|server| server.id.to_string()))
        .route("/metadata/hostname", answer(|server| server.name.clone()))
        .route("/metadata/public-ipv4", answer(|server| text(server.ipv4)))
        .route("/metadata/local-ipv4", answer(|_| String::new()))
        .route("/metadata/region", answer(|server| server.region.to_owned()))
        .route("/metadata/availability-zone", answer(|server| server.availability_zone.to_owned()))
        .route("/metadata/private-networks", answer(|server| private_network::list(&server.private_networks)))
        .route("/metadata/public-keys", answer(|server| list(&server.public_keys)))
        .route("/metadata/network-config", answer(network_config))
        .route("/metadata/vendor_data", answer(|_| String::new()))
        .route("/userdata", get(user_data));
    let no_cloud = Router::new()
        .route("/meta-data", answer(no_cloud_metadata))
        .route("/user-data", get(no_cloud_user_data))
        .route("/vendor-data", answer(|_| String::new()))
        .route("/network-config", answer(|_| "version: 2\nethernets: {}\n".to_owned()));
    Router::new().nest("/hetzner/v1", hetzner).nest("/lab", no_cloud).with_state(cloud)
}

/// The server that asks; 404 for whoever is none.
fn asker(cloud: &Cloud, address: SocketAddr) -> Result<Identity, StatusCode> {
    cloud.identity(address.ip()).ok_or(StatusCode::NOT_FOUND)
}

/// A route that tells something about the server that asks.
fn answer(tell: fn(&Identity) -> String) -> axum::routing::MethodRouter<Cloud> {
    get(async move |State(cloud): State<Cloud>, ConnectInfo(address): ConnectInfo<SocketAddr>| {
        asker(&cloud, address).map(|server| tell(&server))
    })
}

/// Byte for byte as it was given; 204 without any.
async fn user_data(State(cloud): State<Cloud>, ConnectInfo(address): ConnectInfo<SocketAddr>) -> Response {
    match asker(&cloud, address).map(|server| server.user_data) {
        Ok(Some(data)) => data.into_response(),
        Ok(None) => StatusCode::NO_CONTENT.into_response(),
        Err(status) => status.into_response(),
    }
}

/// cloud-init's Hetzner source takes base64 off user data and NoCloud does not, so it is taken off here. What is
/// below it, gzip included, both understand.
async fn no_cloud_user_data(
    State(cloud): State<Cloud>,
    ConnectInfo(address): ConnectInfo<SocketAddr>,
) -> Result<Vec<u8>, StatusCode> {
    let data = asker(&cloud, address)?.user_data.unwrap_or_default();
    Ok(BASE64_STANDARD.decode(&data).unwrap_or_else(|_| data.into_bytes()))
}

fn all(server: &Identity) -> String {
    let network_config: String = network_config(server).lines().map(|line| format!("  {line}\n")).collect();
    format!(
        "availability-zone: {zone}\nhostname: {name}\ninstance-id: {id}\nlocal-ipv4: ''\nnetwork-config:\n{network_config}\
         public-ipv4: {ipv4}\npublic-keys: {keys}\nregion: {region}\nvendor_data: ''\n",
        zone = server.availability_zone,
        name = server.name,
        id = server.id,
        ipv4 = text(server.ipv4),
        keys = list(&server.public_keys),
        region = server.region,
    )
}

fn no_cloud_metadata(server: &Identity) -> String {
    format!(
        "instance-id: \"{id}\"\nlocal-hostname: {name}\npublic-keys: {keys}\n",
        id = server.id,
        name = server.name,
        keys = list(&server.public_keys),
    )
}

/// A YAML list; in quotes and on one line, as public keys end in a free comment.
fn list(items: &[String]) -> String {
    serde_json::json!(items).to_string()
}

fn network_config(server: &Identity) -> String {
    let mut subnets = String::new();
    if server.ipv4.is_some() {
        subnets.push_str("  - ipv4: true\n    type: dhcp\n");
    }
    if let Some(ipv6) = server.ipv6 {
        let host = u128::from(ipv6) | 1;
        let host = std::net::Ipv6Addr::from(host);
        subnets.push_str(&format!(
            "  - address: {host}/64\n    gateway: fe80::1\n    ipv6: true\n    type: static\n"
        ));
    }
    format!("config:\n- name: eth0\n  subnets:\n{subnets}  type: physical\nversion: 1\n")
}

fn text(value: Option<impl ToString>) -> String {
    value.map(|v| v.to_string()).unwrap_or_default()
}
