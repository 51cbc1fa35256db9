//! The labels that a request is about.

use axum::body::Body;
use axum::extract::Request;
use serde_json::Value;

use crate::lab::api::Cloud;
use crate::lab::api::body;
use crate::lab::api::error::ApiError;
use crate::lab::api::firewall::Firewall;
use crate::lab::api::image::Image;
use crate::lab::api::label::Labels;
use crate::lab::api::network::Network;
use crate::lab::api::placement_group::PlacementGroup;
use crate::lab::api::primary_ip::PrimaryIp;
use crate::lab::api::resource::Resource;
use crate::lab::api::server::Server;
use crate::lab::api::ssh_key::SshKey;
use crate::lab::api::volume::Volume;
use crate::lab::api::world::World;
use crate::lab::api::zone::Zone;

/// Those in its body, and those of the resource in its path; and the request with its body to be read again.
pub(super) async fn of(
    cloud: &Cloud,
    request: Request,
    path: &str,
) -> Result<(Request, Vec<Labels>), ApiError> {
    let (parts, content) = request.into_parts();
    let bytes = body::read(content).await?;
    let named: Option<Labels> = serde_json::from_slice::<Value>(&bytes)
        .ok()
        .and_then(|mut body| serde_json::from_value(body.get_mut("labels")?.take()).ok());
    let there = cloud.read(|world| at(world, path));
    Ok((Request::from_parts(parts, Body::from(bytes)), named.into_iter().chain(there).collect()))
}

/// The labels of the resource that a path names.
fn at(world: &World, path: &str) -> Option<Labels> {
    let mut segments = path.trim_start_matches('/').split('/');
    let (kind, id) = (segments.next()?, segments.next()?);
    match kind {
        Server::PLURAL => labels::<Server>(world, id),
        Firewall::PLURAL => labels::<Firewall>(world, id),
        SshKey::PLURAL => labels::<SshKey>(world, id),
        Image::PLURAL => labels::<Image>(world, id),
        PrimaryIp::PLURAL => labels::<PrimaryIp>(world, id),
        Volume::PLURAL => labels::<Volume>(world, id),
        Network::PLURAL => labels::<Network>(world, id),
        PlacementGroup::PLURAL => labels::<PlacementGroup>(world, id),
        Zone::PLURAL => labels::<Zone>(world, id),
        _ => None,
    }
}

fn labels<T: Resource>(world: &World, id: &str) -> Option<Labels> {
    let table = T::table(world);
    let id = table.resolve(id).ok()?;
    table.get(id).map(|row| row.meta().labels.clone())
}
