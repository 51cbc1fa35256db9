//! Putting servers into networks and taking them out.

use axum::Router;
use axum::extract::Path;
use axum::routing::post;

use super::Cloud;
use super::action::Command;
use super::answer::{Created, acted};
use super::body::Body;
use super::error::ApiError;
use super::network::check_settled;
use super::path::Id;
use super::private_net::{PrivateNet, Wish, check_aliases, leave, targets};
use super::project::Project;
use super::server::{self, Server};
use super::world::World;

pub(crate) fn routes() -> Router<Cloud> {
    Router::new()
        .route("/v1/servers/{id}/actions/attach_to_network", post(attach))
        .route("/v1/servers/{id}/actions/detach_from_network", post(detach))
        .route("/v1/servers/{id}/actions/change_alias_ips", post(change_alias_ips))
}

/// Refuses what is not there, and what is busy.
fn check_idle(world: &World, server: u64, network: u64) -> Result<(), ApiError> {
    world.servers.find(server)?;
    world.networks.find(network)?;
    server::check_unlocked(world, server)?;
    check_settled(world, network)
}

async fn attach(Project(cloud): Project, Path(Id(id)): Path<Id>, body: Body) -> Created {
    let wish = Wish {
        network: body.required("network")?,
        ip: body.optional("ip")?,
        alias_ips: body.optional("alias_ips")?.unwrap_or_default(),
        ip_range: body.optional("ip_range")?,
    };
    cloud
        .change(|world| {
            let network = wish.network;
            check_idle(world, id, network)?;
            let server = world.servers.find(id)?;
            let place = wish.find(world, &server.location, &server.private_net)?;
            world.servers.find_mut(id)?.private_net.push(place);
            acted(world, Command::AttachToNetwork, targets(id, network))
        })
        .await
}

async fn detach(Project(cloud): Project, Path(Id(id)): Path<Id>, body: Body) -> Created {
    let network = body.required("network")?;
    cloud
        .change(|world| {
            check_idle(world, id, network)?;
            place(world.servers.find(id)?, network)?;
            leave(world, id, network)?;
            acted(world, Command::DetachFromNetwork, targets(id, network))
        })
        .await
}

async fn change_alias_ips(Project(cloud): Project, Path(Id(id)): Path<Id>, body: Body) -> Created {
    let network = body.required("network")?;
    let alias_ips: Vec<_> = body.required("alias_ips")?;
    cloud
        .change(|world| {
            check_idle(world, id, network)?;
            let server = world.servers.find(id)?;
            check_aliases(world, server, place(server, network)?, &alias_ips)?;
            let places = &mut world.servers.find_mut(id)?.private_net;
            if let Some(place) = places.iter_mut().find(|net| net.network == network) {
                place.alias_ips = alias_ips;
            }
            acted(world, Command::ChangeAliasIps, targets(id, network))
        })
        .await
}

/// The place of a server in a network that it is in.
fn place(server: &Server, network: u64) -> Result<&PrivateNet, ApiError> {
    let place = server.private_net.iter().find(|net| net.network == network);
    place.ok_or_else(|| ApiError::service("server is not attached to the network"))
}
