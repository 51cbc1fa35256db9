//! `POST /servers`: everything is checked first, then everything is made at once.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::{Value, json};

use super::action::{Command, Target};
use super::answer::{Created, created};
use super::body::{Body, Reference};
use super::datacenter::Whereabouts;
use super::error::ApiError;
use super::image::{self, Image};
use super::label::Labels;
use super::meta::Meta;
use super::primary_ip::{self, Family, PrimaryIp};
use super::private_net::{self, PrivateNet};
use super::project::Project;
use super::resource::Resource;
use super::server::{Protection, Server, ServerStatus};
use super::table::Row;
use super::world::World;
use super::{firewall, network, password, placement_group, server_type, volume};

/// Bytes of user data.
const USER_DATA_MAX: usize = 32 * 1024;

/// What a request asks for; only its form is checked.
#[derive(Debug)]
struct Wish {
    name: String,
    server_type: Reference,
    image: Reference,
    location: Whereabouts,
    start: bool,
    ssh_keys: Vec<Reference>,
    firewalls: Vec<u64>,
    volumes: Vec<u64>,
    networks: Vec<u64>,
    placement_group: Option<u64>,
    user_data: Option<String>,
    labels: Labels,
    public_net: PublicNet,
}

/// A firewall in a create: `{"firewall": 38}`.
#[derive(Debug, Deserialize)]
struct FirewallWish {
    firewall: u64,
}

/// Which addresses a server gets.
#[derive(Debug, Deserialize)]
#[serde(default)]
struct PublicNet {
    enable_ipv4: bool,
    enable_ipv6: bool,
    /// An existing primary IP instead of a new one.
    ipv4: Option<u64>,
    ipv6: Option<u64>,
}

impl Default for PublicNet {
    fn default() -> Self {
        Self { enable_ipv4: true, enable_ipv6: true, ipv4: None, ipv6: None }
    }
}

/// What a wish means in this world.
#[derive(Debug)]
struct Found {
    server_type: u64,
    /// GB.
    disk: u64,
    image: u64,
    location: String,
    ssh_keys: Vec<String>,
    private_net: Vec<PrivateNet>,
}

impl Wish {
    fn read(body: &Body) -> Result<Self, ApiError> {
        let name = body.name()?;
        check_host_name(&name)?;
        // the lab's machines mount every volume, whether they are asked to or not
        body.optional::<bool>("automount")?;
        let firewalls: Vec<FirewallWish> = body.optional("firewalls")?.unwrap_or_default();
        Ok(Self {
            name,
            server_type: body.required("server_type")?,
            image: body.required("image")?,
            location: Whereabouts::read(body)?,
            start: body.optional("start_after_create")?.unwrap_or(true),
            ssh_keys: body.optional("ssh_keys")?.unwrap_or_default(),
            firewalls: firewalls.into_iter().map(|f| f.firewall).collect(),
            volumes: body.optional("volumes")?.unwrap_or_default(),
            networks: body.optional("networks")?.unwrap_or_default(),
            placement_group: body.optional("placement_group")?,
            user_data: user_data(body)?,
            labels: body.labels()?.unwrap_or_default(),
            public_net: body.optional("public_net")?.unwrap_or_default(),
        })
    }

    /// Resolves all references, or says which of them is wrong.
    fn find(&self, world: &World) -> Result<Found, ApiError> {
        let invalid = |message: &str| ApiError::unprocessable("invalid_input", message);
        world.servers.check_name_free(&self.name, None)?;
        let server_type =
            world.catalog.server_type(&self.server_type).ok_or_else(|| invalid("server type not found"))?;
        if server_type.deprecation.is_some() {
            return Err(invalid("server type is deprecated"));
        }
        let image = image::find_usable(world, &self.image, server_type.architecture(), server_type.disk)?;
        let location = self.location.find(world)?.map(|l| l.name).or_else(|| server_type.first_location());
        let location = location.filter(|location| server_type.is_in(location));
        let location = location.ok_or_else(server_type::unsupported_location)?.to_owned();
        for id in &self.firewalls {
            world.firewalls.find(*id)?;
        }
        self.check_volumes(world, &location)?;
        let private_net = self.find_private_net(world, &location)?;
        self.placement_group.map(|group| placement_group::check_room(world, group)).transpose()?;
        world.check_quota::<Server>(1)?;
        self.check_public_net(world, &location)?;
        world.check_stock(server_type.name, &location)?;
        let ssh_keys = self.ssh_keys.iter().map(|key| public_key(world, key)).collect::<Result<_, _>>()?;
        Ok(Found {
            server_type: server_type.id,
            disk: server_type.disk,
            image: image.meta.id,
            location,
            ssh_keys,
            private_net,
        })
    }

    fn check_volumes(&self, world: &World, location: &str) -> Result<(), ApiError> {
        volume::check_count(self.volumes.len())?;
        if self.volumes.iter().collect::<BTreeSet<_>>().len() < self.volumes.len() {
            return Err(ApiError::field("volumes", "names a volume twice"));
        }
        self.volumes.iter().try_for_each(|id| volume::check_attachable(world, *id, location))
    }

    fn find_private_net(&self, world: &World, location: &str) -> Result<Vec<PrivateNet>, ApiError> {
        let mut places = Vec::new();
        for network in &self.networks {
            network::check_settled(world, *network)?;
            let wish = private_net::Wish { network: *network, ..Default::default() };
            let place = wish.find(world, location, &places)?;
            places.push(place);
        }
        Ok(places)
    }

    fn check_public_net(&self, world: &World, location: &str) -> Result<(), ApiError> {
        let net = &self.public_net;
        if !net.enable_ipv4 && !net.enable_ipv6 {
            if self.networks.is_empty() {
                let why = "a server without a public address needs a network";
                return Err(ApiError::field("public_net", why));
            }
            if !self.firewalls.is_empty() {
                return Err(firewall::no_public_interface("incompatible_network_type"));
            }
        }
        for (enabled, family, given) in
            [(net.enable_ipv4, Family::Ipv4, net.ipv4), (net.enable_ipv6, Family::Ipv6, net.ipv6)]
        {
            match given {
                Some(_) if !enabled => {
                    return Err(ApiError::field("public_net", "an address is given but not enabled"));
                }
                Some(id) => primary_ip::check_usable(world, id, family, location)?,
                None if enabled && !world.pool.has(family) => {
                    return Err(ApiError::limit_exceeded("primary_ip_limit"));
                }
                None => {}
            }
        }
        let new = [(net.enable_ipv4, net.ipv4), (net.enable_ipv6, net.ipv6)];
        world.check_quota::<PrimaryIp>(
            new.iter().filter(|(enabled, given)| *enabled && given.is_none()).count(),
        )
    }

    /// Makes the server with its addresses and firewalls.
    fn make(self, world: &mut World, found: Found) -> Result<u64, ApiError> {
        let Found { server_type, disk, image, location, ssh_keys, private_net } = found;
        let net = &self.public_net;
        let (v4, v6) = (net.enable_ipv4.then_some(net.ipv4), net.enable_ipv6.then_some(net.ipv6));
        let id = world.servers.insert(|id| Server {
            meta: Meta::new(id, self.name, self.labels),
            status: ServerStatus::Initializing,
            server_type,
            image,
            location: location.clone(),
            user_data: self.user_data,
            ssh_keys,
            shutting_down: false,
            ipv4: None,
            ipv6: None,
            primary_disk_size: disk,
            protection: Protection::default(),
            backup_window: None,
            rescue_enabled: false,
            volumes: Vec::new(),
            private_net,
            placement_group: self.placement_group,
        });
        for (family, wanted) in [(Family::Ipv4, v4), (Family::Ipv6, v6)] {
            match wanted {
                None => {}
                Some(Some(given)) => primary_ip::assign(world, given, id)?,
                Some(None) => primary_ip::make_for(world, family, id, &location)?,
            }
        }
        for firewall in self.firewalls {
            firewall::attach(world, firewall, id)?;
        }
        for volume in self.volumes {
            volume::attach(world, volume, id)?;
        }
        Ok(id)
    }
}

fn public_key(world: &World, wanted: &Reference) -> Result<String, ApiError> {
    let key = world.ssh_keys.iter().map(|(_, key)| key).find(|key| wanted.is(key.meta.id, &key.meta.name));
    key.map(|key| key.public_key.clone()).ok_or_else(|| ApiError::not_found("SSH key", wanted))
}

/// The user data of a request; empty is none.
pub(crate) fn user_data(body: &Body) -> Result<Option<String>, ApiError> {
    let data: Option<String> = body.optional("user_data")?;
    match data {
        Some(data) if data.len() > USER_DATA_MAX => Err(ApiError::field("user_data", "is too long")),
        data => Ok(data.filter(|data| !data.is_empty())),
    }
}

/// Refuses what is no host name.
pub(crate) fn check_host_name(name: &str) -> Result<(), ApiError> {
    if is_host_name(name) { Ok(()) } else { Err(ApiError::field("name", "is not a valid hostname")) }
}

/// Labels of letters, digits and `-`, joined by dots, 63 characters each at most.
pub(crate) fn is_host_name(name: &str) -> bool {
    let label = |text: &str| {
        (1..=63).contains(&text.len())
            && !text.starts_with('-')
            && !text.ends_with('-')
            && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    };
    name.len() <= 253 && name.split('.').all(label)
}

pub(crate) async fn create(Project(cloud): Project, body: Body) -> Created {
    let wish = Wish::read(&body)?;
    cloud.change(|world| answer(world, wish)).await
}

fn answer(world: &mut World, wish: Wish) -> Created {
    let found = wish.find(world)?;
    let root_password = found.ssh_keys.is_empty().then(password::random);
    let (start, image) = (wish.start, found.image);
    let id = wish.make(world, found)?;
    let targets = vec![Target::of::<Server>(id), Target::of::<Image>(image)];
    let action = world.act(Command::CreateServer, targets);
    let next_actions = act_on(world, id, action, start)?;
    created(json!({
        Server::KIND: world.servers.find(id)?.view(world),
        "action": world.action_view(action)?,
        "next_actions": next_actions,
        "root_password": root_password,
    }))
}

/// What follows a server's create, in the API's order.
fn act_on(world: &mut World, id: u64, create: u64, start: bool) -> Result<Vec<Value>, ApiError> {
    let server = world.servers.find(id)?;
    let start = start.then(|| (Command::StartServer, vec![Target::of::<Server>(id)]));
    let volumes = server.volumes.iter().map(|v| (Command::AttachVolume, volume::targets(*v, Some(id))));
    let networks = server.private_net.iter();
    let networks = networks.map(|net| (Command::AttachToNetwork, private_net::targets(id, net.network)));
    let steps: Vec<_> = start.into_iter().chain(volumes).chain(networks).collect();
    let mut last = create;
    steps
        .into_iter()
        .map(|(command, targets)| {
            last = world.act_after(last, command, targets);
            world.action_view(last)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::lab::api::body::tests::body;
    use crate::lab::api::fault::Encounter;
    use crate::lab::api::world::tests::world;

    /// Status, code and details of the refusal of a create.
    fn refusal(world: &mut World, name: &str) -> Option<(u16, &'static str, Value)> {
        let text = format!(r#"{{"name": "{name}", "server_type": "cx23", "image": "debian-13"}}"#);
        let wish = Wish::read(&body(&text)).unwrap();
        let refusal = answer(world, wish).err();
        refusal.map(|e| (e.status.as_u16(), e.code, e.details))
    }

    fn full(limit: &str) -> Option<(u16, &'static str, Value)> {
        Some((403, "resource_limit_exceeded", json!({"limits": [{"name": limit}]})))
    }

    fn quota(limit: &str, value: u64, released_after: &str) -> String {
        format!(
            "[[fault]]\nkind = 'quota'\nlimit = '{limit}'\nvalue = {value}\nreleased_after = '{released_after}'\n"
        )
    }

    #[test]
    fn a_full_project_makes_nothing() {
        let mut world = world();
        let mut limited = |servers, addresses, name: &str| {
            let both = quota("server_limit", servers, "0s") + &quota("primary_ip_limit", addresses, "0s");
            world.encounter = Encounter::of(&both);
            let refusal = refusal(&mut world, name);
            (refusal, world.servers.iter().count(), world.primary_ips.iter().count())
        };
        assert_eq!(limited(1, 3, "a"), (None, 1, 2));
        assert_eq!(limited(1, 3, "b"), (full("server_limit"), 1, 2));
        assert_eq!(limited(2, 3, "b"), (full("primary_ip_limit"), 1, 2));
        assert_eq!(limited(2, 4, "b"), (None, 2, 4));
    }

    #[test]
    fn a_deleted_servers_addresses_count_for_a_while() {
        let mut world = world();
        world.encounter = Encounter::of(&quota("primary_ip_limit", 2, "60s"));
        assert_eq!(refusal(&mut world, "a"), None);
        let id = world.servers.named("a").unwrap();
        crate::lab::api::server::forget(&mut world, id).unwrap();
        assert_eq!(refusal(&mut world, "a"), full("primary_ip_limit"));
        world.encounter = Encounter::of(&quota("primary_ip_limit", 2, "0s"));
        assert_eq!(refusal(&mut world, "a"), None);
    }

    #[test]
    fn what_is_out_of_stock_is_not_made() {
        let mut world = world();
        let mut out = |code: &str| {
            world.encounter = Encounter::of(&format!("[[fault]]\nkind = 'stock_out'\ncode = '{code}'\n"));
            refusal(&mut world, "a").map(|(status, code, _)| (status, code))
        };
        assert_eq!(out("resource_unavailable"), Some((412, "resource_unavailable")));
        assert_eq!(out("invalid_input"), Some((422, "invalid_input")));
        world.encounter = None;
        assert_eq!(refusal(&mut world, "a"), None);
    }

    #[test]
    fn names_are_host_names() {
        for name in ["a", "web-1", "cb-k3j9x2ab-alice", "a.example.com", "A1", &"x".repeat(63)] {
            assert!(check_host_name(name).is_ok(), "{name}");
        }
        for name in ["", "-a", "a-", "a_b", "a b", "a..b", ".a", "ä", &"x".repeat(64)] {
            assert!(check_host_name(name).is_err(), "{name}");
        }
    }
}
