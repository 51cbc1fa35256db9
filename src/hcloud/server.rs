//! Servers.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use super::action::{Action, Answer, OptionalAnswer};
use super::client::read;
use super::{Client, Error};

/// A server as the API shows it.
#[derive(Clone, Debug, Deserialize)]
pub struct Server {
    /// Its id.
    pub id: u64,
    /// Its name, unique in the project.
    pub name: String,
    /// `running`, `initializing`, `off`, …
    pub status: String,
    /// Its addresses.
    pub public_net: PublicNet,
    /// Its type.
    pub server_type: Named,
    /// Where it stands.
    pub location: Named,
    /// Its labels.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// When it was made (RFC 3339).
    #[serde(default)]
    pub created: String,
    /// What its disk was made from; none where that is gone.
    #[serde(default)]
    pub image: Option<ServerImage>,
    /// What it is protected from.
    #[serde(default)]
    pub protection: ServerProtection,
}

/// What a server is protected from, until somebody takes that off. The API wants both to be the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ServerProtection {
    /// To be deleted.
    pub delete: bool,
    /// To be rebuilt.
    pub rebuild: bool,
}

/// What a server's disk was made from.
#[derive(Clone, Debug, Deserialize)]
pub struct ServerImage {
    /// The image's name; none for snapshots.
    pub name: Option<String>,
}

/// Something that is referred to by name.
#[derive(Clone, Debug, Deserialize)]
pub struct Named {
    /// The name.
    pub name: String,
}

/// A server's public addresses.
#[derive(Clone, Debug, Deserialize)]
pub struct PublicNet {
    /// The IPv4 address.
    pub ipv4: Option<PublicIpv4>,
    /// The IPv6 network.
    pub ipv6: Option<PublicIpv6>,
    /// The firewalls applied to it.
    #[serde(default)]
    pub firewalls: Vec<AppliedFirewall>,
}

/// A server's IPv4 address.
#[derive(Clone, Debug, Deserialize)]
pub struct PublicIpv4 {
    /// The address.
    pub ip: Ipv4Addr,
}

/// A server's IPv6 network.
#[derive(Clone, Debug, Deserialize)]
pub struct PublicIpv6 {
    /// The network, such as `2001:db8::/64`; the host takes `…::1`.
    pub ip: String,
}

/// A firewall on a server.
#[derive(Clone, Debug, Deserialize)]
pub struct AppliedFirewall {
    /// The firewall's id.
    pub id: u64,
}

/// What a server is made from; with all of it inline, one POST is enough.
#[derive(Clone, Debug, Serialize)]
pub struct ServerCreate {
    /// Its name.
    pub name: String,
    /// Its type, by name.
    pub server_type: String,
    /// Its location, by name.
    pub location: String,
    /// Its image, by id (a name exists once per architecture).
    pub image: u64,
    /// Ids of the SSH keys that root gets.
    pub ssh_keys: Vec<u64>,
    /// Ids of its firewalls.
    pub firewalls: Vec<FirewallRef>,
    /// cloud-init's user data, at most 32 KiB.
    pub user_data: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Both address families.
    pub public_net: PublicNetCreate,
}

/// A firewall, by id.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct FirewallRef {
    /// The firewall's id.
    pub firewall: u64,
}

/// Which addresses a new server gets.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct PublicNetCreate {
    /// An IPv4 address.
    pub enable_ipv4: bool,
    /// An IPv6 network.
    pub enable_ipv6: bool,
}

#[derive(Serialize)]
struct Labels<'a> {
    labels: &'a BTreeMap<String, String>,
}

#[derive(Serialize)]
struct Renamed<'a> {
    name: &'a str,
    labels: &'a BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct One {
    server: Server,
}

impl Client {
    /// All servers with these labels.
    pub async fn servers(&self, selector: &str) -> Result<Vec<Server>, Error> {
        self.list("/servers", "servers", &[("label_selector", selector)]).await
    }

    /// Those of them with this status.
    pub async fn servers_that_are(&self, status: &str, selector: &str) -> Result<Vec<Server>, Error> {
        self.list("/servers", "servers", &[("label_selector", selector), ("status", status)]).await
    }

    /// The server with this name, which is unique.
    pub async fn server_by_name(&self, name: &str) -> Result<Option<Server>, Error> {
        Ok(self.list("/servers", "servers", &[("name", name)]).await?.into_iter().next())
    }

    /// The server with this id.
    pub async fn server(&self, id: u64) -> Result<Option<Server>, Error> {
        match self.get::<One>(&format!("/servers/{id}"), &[]).await {
            Ok(one) => Ok(Some(one.server)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Creates a server. Not repeated on its own when no answer comes: the caller looks up the name first.
    pub async fn create_server(&self, create: &ServerCreate) -> Result<Server, Error> {
        Ok(self.post::<_, One>("/servers", create).await?.server)
    }

    /// Replaces all labels of a server.
    pub async fn set_server_labels(&self, id: u64, labels: &BTreeMap<String, String>) -> Result<(), Error> {
        self.put::<_, One>(&format!("/servers/{id}"), &Labels { labels }).await.map(drop)
    }

    /// Gives a server another name, and replaces all its labels.
    pub async fn rename_server(
        &self,
        id: u64,
        name: &str,
        labels: &BTreeMap<String, String>,
    ) -> Result<(), Error> {
        self.put::<_, One>(&format!("/servers/{id}"), &Renamed { name, labels }).await.map(drop)
    }

    /// Deletes a server; the action to wait for, or nothing if it is gone already.
    pub async fn delete_server(&self, id: u64) -> Result<Option<Action>, Error> {
        let path = format!("/servers/{id}");
        match self.delete(&path).await {
            Ok(body) => Ok(read::<OptionalAnswer>(&body, &format!("DELETE {path}"))?.action),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Protects a server from being deleted and rebuilt, or takes that off; the action to wait for, none where the server is gone.
    pub async fn protect_server(&self, id: u64, protected: bool) -> Result<Option<Action>, Error> {
        let path = format!("/servers/{id}/actions/change_protection");
        let body = ServerProtection { delete: protected, rebuild: protected };
        match self.post_again::<_, Answer>(&path, &body).await {
            Ok(answer) => Ok(Some(answer.action)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Asks a server's system to switch itself off. That the action succeeds says only that it was asked.
    pub async fn shut_down(&self, id: u64) -> Result<Action, Error> {
        let empty = serde_json::json!({});
        Ok(self.post_again::<_, Answer>(&format!("/servers/{id}/actions/shutdown"), &empty).await?.action)
    }

    /// Switches a server on.
    pub async fn power_on(&self, id: u64) -> Result<Action, Error> {
        let empty = serde_json::json!({});
        Ok(self.post_again::<_, Answer>(&format!("/servers/{id}/actions/poweron"), &empty).await?.action)
    }
}
