//! Creates a server exactly once, without an idempotency key: the name is unique, the labels say whose it is, and
//! the host key of every create is written down before the request is sent.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::World;
use super::adopt::{self, Made};
use super::instance::Done;
use crate::hcloud::{Error, FirewallRef, PublicNetCreate, Server as CloudServer, ServerCreate};
use crate::model::event::What;
use crate::model::fleet::{self, INSTANCE, OP, OpId};
use crate::model::instance::{Instance, Outcome, Server};
use crate::model::refusal::Refusal;
use crate::observe;
use crate::plan::{Order, Origin};
use crate::render;
use crate::ssh::KeyPair;

/// Longest wait for other work on a server to end.
const UNLOCKED: Duration = Duration::from_secs(180);
/// Longest wait for a server to be switched on.
const POWER_ON: Duration = Duration::from_secs(120);

pub(super) async fn create(order: &Order, instance: &Instance, world: &World) -> Result<Done> {
    let server =
        somewhere(order, instance, world, |location| place(order, location, instance, world)).await?;
    record(&server, "created", instance, world).await
}

/// Tries one location after the other, while one is out of stock.
pub(super) async fn somewhere<'a, T, P>(
    order: &'a Order,
    instance: &Instance,
    world: &World,
    place: impl Fn(&'a str) -> P,
) -> Result<T>
where
    P: Future<Output = Result<T>>,
{
    let mut sold_out = None;
    for location in &order.locations {
        world.doing(instance, format!("creating the server ({}, {location})", order.server_type));
        match place(location).await {
            Ok(made) => return Ok(made),
            Err(error) if is_sold_out(&error) => {
                let line = format!("{} is out of stock in {location}", order.server_type);
                world.say(instance.name.as_str(), What::Did(line, Duration::ZERO));
                sold_out = Some(error);
            }
            Err(error) => return Err(error.context(format!("cannot create the server of {}", instance.name))),
        }
    }
    let everywhere = order.locations.join(", ");
    let hint = "try again later, or name another --type or --location; nothing was created";
    let why = sold_out.map_or_else(String::new, |error| error.root_cause().to_string());
    let what = format!("{} is out of stock in {everywhere}", order.server_type);
    Err(Refusal::new(what, hint).because(why).into())
}

pub(super) async fn take_over(id: u64, instance: &Instance, world: &World) -> Result<Done> {
    world.doing(instance, format!("taking over server {id}"));
    let server = world.cloud.server(id).await?.with_context(|| format!("server {id} is gone"))?;
    record(&server, "taken over", instance, world).await
}

pub(super) async fn power_on(id: u64, instance: &Instance, world: &World) -> Result<Done> {
    world.doing(instance, "switching the server on");
    let action = adopt::when_free(UNLOCKED, || world.cloud.power_on(id)).await?;
    world.cloud.wait_for(vec![action], POWER_ON).await?;
    let server = instance.stage.server().context("a server that is switched on is known")?;
    Ok(Done::new(Outcome::Created(server.clone()), "server switched on"))
}

/// One location: sends the create until its fate is known.
async fn place(order: &Order, location: &str, instance: &Instance, world: &World) -> Result<CloudServer> {
    let create = async || -> Result<_> {
        let request = request(order, location, instance, world).await?;
        Ok(world.cloud.create_server(&request).await)
    };
    let send = async || {
        let common = world.common().await?;
        match create().await? {
            Err(error) if error.is_not_found() && world.may_be_another(&common).await => create().await,
            answer => Ok(answer),
        }
    };
    match adopt::once(send, || find(instance, world)).await? {
        Made::New(server) | Made::Found(server) => Ok(server),
    }
}

/// What to POST; its host key is in the state before this returns.
async fn request(order: &Order, location: &str, instance: &Instance, world: &World) -> Result<ServerCreate> {
    let fleet = world.store.fleet();
    let op = OpId::from_bytes(world.entropy.id());
    let host_key = world.entropy.with(|rng| KeyPair::generate(rng, ""))?;
    let public = host_key.public_text()?;
    world.lease(&instance.name)?.put_creation(&op, &public, &world.clock.now()).await?;

    let mut labels = fleet.server_labels(&instance.name, &instance.spec, &[&public]);
    labels.insert(OP.to_owned(), op.to_string());
    let kind = match order.image {
        Origin::Stock(_) => render::Kind::Cold,
        Origin::Baked(_) => render::Kind::Baked,
    };
    let newborn = Newborn { name: fleet.server_name(&instance.name), labels, host_key, kind };
    newborn.request(order, location, instance, world).await
}

/// What is a new server's own.
pub(super) struct Newborn {
    pub(super) name: String,
    pub(super) labels: BTreeMap<String, String>,
    /// What it shows first.
    pub(super) host_key: KeyPair,
    pub(super) kind: render::Kind,
}

impl Newborn {
    /// What to POST.
    pub(super) async fn request(
        self,
        order: &Order,
        location: &str,
        instance: &Instance,
        world: &World,
    ) -> Result<ServerCreate> {
        let Self { name, labels, host_key, kind } = self;
        let common = world.common().await?;
        let (private, public) = (host_key.private_text()?, host_key.public_text()?);
        let birth = render::Birth {
            release: instance.spec.release.clone(),
            domain: instance.spec.host_name(&instance.name),
            admin_networks: world.birth.admin.as_ref().map(|admin| admin.all().to_vec()).unwrap_or_default(),
            acme_directory: world.birth.acme_directory.clone(),
            node_mirror: world.birth.node_mirror.clone(),
            host_key: render::HostKey { private, public },
            kind,
        };
        Ok(ServerCreate {
            name,
            server_type: order.server_type.clone(),
            location: location.to_owned(),
            image: order.image.id(),
            ssh_keys: common.ssh_keys.clone(),
            firewalls: vec![FirewallRef { firewall: common.firewall }],
            user_data: render::user_data(&birth)?.expose().to_owned(),
            labels,
            public_net: PublicNetCreate { enable_ipv4: true, enable_ipv6: true },
        })
    }
}

/// Looks up the unique name: ours, absent, or somebody else's.
pub(super) async fn find(instance: &Instance, world: &World) -> Result<Option<CloudServer>> {
    let fleet = world.store.fleet();
    let name = fleet.server_name(&instance.name);
    let Some(server) = world.cloud.server_by_name(&name).await? else {
        return Ok(None);
    };
    if fleet.owns(&server.labels)
        && server.labels.get(INSTANCE).is_some_and(|of| of == instance.name.as_str())
    {
        return Ok(Some(server));
    }
    let hint = format!("rename or delete server {} in the console, or choose another name", server.id);
    let why = format!("server {} has that name, but not the labels of this fleet", server.id);
    Err(Refusal::new(format!("the name {name} is taken"), hint).because(why).into())
}

/// Takes the server into the record, with the host key that its create injected; `how` it came about is told.
async fn record(server: &CloudServer, how: &str, instance: &Instance, world: &World) -> Result<Done> {
    let name = &instance.name;
    let op = server.labels.get(OP).cloned().map(OpId::stored);
    let host_key = match &op {
        Some(op) => world.store.host_key_of(op, name).await?,
        None => None,
    };
    // a create that this state does not know, or a key that the server has made since, is on a label, which only the
    // project's token can write
    let mut keys: Vec<String> = host_key.into_iter().collect();
    for key in fleet::host_keys(&server.labels) {
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    let mut keys = keys.into_iter();
    let (Some(host_key), next_host_key) = (keys.next(), keys.next()) else {
        let hint = format!("run `clawberth destroy {name}` and deploy it again");
        return Err(Refusal::new(format!("server {} of {name} cannot be trusted", server.id), hint)
            .because("it was created from another state file, so its host key is not known")
            .into());
    };
    let facts = observe::server(server);
    let Some(ipv4) = facts.ipv4 else { bail!("server {} has no IPv4 address", server.id) };
    let location = facts.location;
    let line = format!("server {how} ({location}, {ipv4})");
    Ok(Done::new(
        Outcome::Created(Server {
            id: server.id,
            ipv4,
            ipv6: facts.ipv6,
            location,
            host_key,
            next_host_key,
            own_host_key: false,
            birth_key: None,
            admitted: None,
            standby: None,
        }),
        line,
    ))
}

/// Both ways in which Hetzner says that a type is out of stock.
fn is_sold_out(error: &anyhow::Error) -> bool {
    let Some(Error::Api(api)) = error.downcast_ref::<Error>() else {
        return false;
    };
    api.code == "resource_unavailable"
        || (api.code == "invalid_input" && api.message.contains("unsupported location for server type"))
}
