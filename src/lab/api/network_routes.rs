//! Requests about networks.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::routing::{post, put};
use axum::{Json, Router};
use ipnet::Ipv4Net;
use serde_json::{Value, json};

use super::action::{Command, Target};
use super::answer::{Created, acted, created};
use super::body::Body;
use super::error::ApiError;
use super::gateway_route::Route;
use super::label::Labels;
use super::meta::Meta;
use super::network::{Network, check_range, check_settled, members};
use super::path::Id;
use super::private_net;
use super::project::Project;
use super::resource::{self, Resource};
use super::subnet::{Subnet, Wish};
use super::world::World;
use super::{Cloud, job};

pub(crate) fn routes() -> Router<Cloud> {
    resource::routes::<Network>()
        .route("/v1/networks", post(create))
        .route("/v1/networks/{id}", put(update).delete(remove))
        .route("/v1/networks/{id}/actions/add_subnet", post(add_subnet))
        .route("/v1/networks/{id}/actions/delete_subnet", post(delete_subnet))
        .route("/v1/networks/{id}/actions/add_route", post(add_route))
        .route("/v1/networks/{id}/actions/delete_route", post(delete_route))
        .route("/v1/networks/{id}/actions/change_ip_range", post(change_ip_range))
        .route("/v1/networks/{id}/actions/change_protection", post(protect))
}

/// What a create asks for; only its form is checked.
#[derive(Debug)]
struct Draft {
    name: String,
    labels: Labels,
    ip_range: Ipv4Net,
    subnets: Vec<Wish>,
    routes: Vec<Route>,
    expose_routes_to_vswitch: bool,
}

impl Draft {
    fn read(body: &Body) -> Result<Self, ApiError> {
        let ip_range = body.required("ip_range")?;
        check_range(ip_range)?;
        let subnets: Vec<Body> = body.optional("subnets")?.unwrap_or_default();
        let routes: Vec<Body> = body.optional("routes")?.unwrap_or_default();
        Ok(Self {
            name: body.name()?,
            labels: body.labels()?.unwrap_or_default(),
            ip_range,
            subnets: subnets.iter().map(Wish::read).collect::<Result<_, _>>()?,
            routes: routes.iter().map(Route::read).collect::<Result<_, _>>()?,
            expose_routes_to_vswitch: body.optional("expose_routes_to_vswitch")?.unwrap_or(false),
        })
    }

    /// The network that this makes, each part checked against those before it.
    fn build(self, world: &World) -> Result<Network, ApiError> {
        world.networks.check_name_free(&self.name, None)?;
        let mut network = Network {
            meta: Meta::new(world.networks.next_id(), self.name, self.labels),
            ip_range: self.ip_range,
            subnets: Vec::new(),
            routes: Vec::new(),
            protected: false,
            expose_routes_to_vswitch: self.expose_routes_to_vswitch,
        };
        for wish in self.subnets {
            let subnet = wish.fit(world, &network)?;
            network.subnets.push(subnet);
        }
        for route in self.routes {
            route.check(&network)?;
            network.routes.push(route);
        }
        Ok(network)
    }
}

async fn create(Project(cloud): Project, body: Body) -> Created {
    let draft = Draft::read(&body)?;
    cloud
        .change(|world| {
            let network = draft.build(world)?;
            let id = world.networks.insert(|_| network);
            created(json!({"network": world.networks.find(id)?.view(world)}))
        })
        .await
}

async fn update(project: Project, Path(id): Path<String>, body: Body) -> Result<Json<Value>, ApiError> {
    project.0.read(|world| check_settled(world, world.networks.resolve(&id)?))?;
    resource::update::<Network>(project, Path(id), body).await
}

/// Servers in it leave it.
async fn remove(Project(cloud): Project, Path(Id(id)): Path<Id>) -> Result<StatusCode, ApiError> {
    let left = cloud
        .change(|world| {
            check_settled(world, id)?;
            if world.networks.find(id)?.protected {
                return Err(ApiError::protected("network"));
            }
            let members = members(world, id);
            members.iter().try_for_each(|server| private_net::leave(world, *server, id))?;
            world.networks.remove(id);
            Ok(members)
        })
        .await?;
    job::reconnect(&cloud, left);
    Ok(StatusCode::NO_CONTENT)
}

/// Sets an action on a network going, with what it changes at once.
async fn act(
    cloud: &Cloud,
    id: u64,
    command: Command,
    change: impl FnOnce(&World, &mut Network) -> Result<(), ApiError>,
) -> Created {
    cloud
        .change(|world| {
            check_settled(world, id)?;
            let mut network = world.networks.find(id)?.clone();
            change(world, &mut network)?;
            *world.networks.find_mut(id)? = network;
            acted(world, command, vec![Target::of::<Network>(id)])
        })
        .await
}

async fn add_subnet(Project(cloud): Project, Path(Id(id)): Path<Id>, body: Body) -> Created {
    let wish = Wish::read(&body)?;
    act(&cloud, id, Command::AddSubnet, |world, network| {
        let subnet = wish.fit(world, network)?;
        network.subnets.push(subnet);
        Ok(())
    })
    .await
}

async fn delete_subnet(Project(cloud): Project, Path(Id(id)): Path<Id>, body: Body) -> Created {
    let ip_range: Ipv4Net = body.required("ip_range")?;
    act(&cloud, id, Command::DeleteSubnet, |world, network| {
        let is_it = |subnet: &Subnet| subnet.ip_range == ip_range;
        if !network.subnets.iter().any(is_it) {
            return Err(ApiError::not_found("subnet", ip_range));
        }
        let places = world.servers.iter().flat_map(|(_, server)| &server.private_net);
        let mut addresses = places.filter(|net| net.network == id).flat_map(|net| net.addresses());
        if addresses.any(|ip| ip_range.contains(&ip)) {
            let message = "cannot remove subnet because servers are attached to it";
            return Err(ApiError::service(message));
        }
        network.subnets.retain(|subnet| !is_it(subnet));
        Ok(())
    })
    .await
}

async fn add_route(Project(cloud): Project, Path(Id(id)): Path<Id>, body: Body) -> Created {
    let route = Route::read(&body)?;
    act(&cloud, id, Command::AddRoute, |_, network| {
        route.check(network)?;
        network.routes.push(route);
        Ok(())
    })
    .await
}

async fn delete_route(Project(cloud): Project, Path(Id(id)): Path<Id>, body: Body) -> Created {
    let route = Route::read(&body)?;
    act(&cloud, id, Command::DeleteRoute, |_, network| {
        if !network.routes.contains(&route) {
            return Err(ApiError::not_found("route", route.destination));
        }
        network.routes.retain(|other| *other != route);
        Ok(())
    })
    .await
}

async fn change_ip_range(Project(cloud): Project, Path(Id(id)): Path<Id>, body: Body) -> Created {
    let ip_range: Ipv4Net = body.required("ip_range")?;
    check_range(ip_range)?;
    act(&cloud, id, Command::ChangeIpRange, |_, network| {
        let old = network.ip_range;
        if ip_range.network() != old.network() || ip_range.prefix_len() >= old.prefix_len() {
            return Err(ApiError::field("ip_range", "can only be extended at its end"));
        }
        network.ip_range = ip_range;
        Ok(())
    })
    .await
}

async fn protect(Project(cloud): Project, Path(Id(id)): Path<Id>, body: Body) -> Created {
    let delete: Option<bool> = body.optional("delete")?;
    act(&cloud, id, Command::ChangeProtection, |_, network| {
        network.protected = delete.unwrap_or(network.protected);
        Ok(())
    })
    .await
}
