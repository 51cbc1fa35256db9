//! Primary IPs: the addresses that servers were given.

use serde::Deserialize;

use super::firewall::absent_is_fine;
use super::server::Named;
use super::{Client, Error};

/// An address of the project.
#[derive(Clone, Debug, Deserialize)]
pub struct PrimaryIp {
    /// Its id.
    pub id: u64,
    /// The address or network.
    pub ip: String,
    /// The server that has it.
    pub assignee_id: Option<u64>,
    /// Where it is kept.
    #[serde(default)]
    pub location: Option<Named>,
    /// Whether it goes with its server.
    #[serde(default)]
    pub auto_delete: bool,
}

impl Client {
    /// All addresses with these labels. Those made with a server bear none, and are known by their server.
    pub async fn primary_ips(&self, selector: &str) -> Result<Vec<PrimaryIp>, Error> {
        self.list("/primary_ips", "primary_ips", &[("label_selector", selector)]).await
    }

    /// All addresses of the project.
    pub async fn all_primary_ips(&self) -> Result<Vec<PrimaryIp>, Error> {
        self.list("/primary_ips", "primary_ips", &[]).await
    }

    /// The project's entry for one address (an IPv6 entry is found by its network).
    pub async fn primary_ip_by_address(&self, ip: &str) -> Result<Option<PrimaryIp>, Error> {
        Ok(self.list("/primary_ips", "primary_ips", &[("ip", ip)]).await?.into_iter().next())
    }

    /// Deletes an unassigned address.
    pub async fn delete_primary_ip(&self, id: u64) -> Result<(), Error> {
        absent_is_fine(self.delete(&format!("/primary_ips/{id}")).await)
    }
}
