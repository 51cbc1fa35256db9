//! Firewalls.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::action::Action;
use super::{Client, Error};

/// A firewall as the API shows it.
#[derive(Clone, Debug, Deserialize)]
pub struct Firewall {
    /// Its id.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// Its rules.
    #[serde(default)]
    pub rules: Vec<Rule>,
    /// Its labels.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

/// One rule: what it names is let through.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Rule {
    /// `in` or `out`.
    pub direction: String,
    /// `tcp`, `udp`, `icmp`, …
    pub protocol: String,
    /// A port or a range, for tcp and udp.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<String>,
    /// From where, in CIDR notation.
    #[serde(default)]
    pub source_ips: Vec<String>,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

#[derive(Serialize)]
struct Create<'a> {
    name: &'a str,
    labels: &'a BTreeMap<String, String>,
    rules: &'a [Rule],
}

#[derive(Serialize)]
struct SetRules<'a> {
    rules: &'a [Rule],
}

#[derive(Serialize)]
struct Place {
    r#type: &'static str,
    server: ById,
}

#[derive(Serialize)]
struct ById {
    id: u64,
}

#[derive(Serialize)]
struct ApplyTo {
    apply_to: Vec<Place>,
}

#[derive(Serialize)]
struct RemoveFrom {
    remove_from: Vec<Place>,
}

#[derive(Deserialize)]
struct One {
    firewall: Firewall,
}

#[derive(Deserialize)]
struct Many {
    actions: Vec<Action>,
}

impl Client {
    /// All firewalls with these labels.
    pub async fn firewalls(&self, selector: &str) -> Result<Vec<Firewall>, Error> {
        self.list("/firewalls", "firewalls", &[("label_selector", selector)]).await
    }

    /// Creates a firewall that is applied to nothing yet.
    pub async fn create_firewall(
        &self,
        name: &str,
        labels: &BTreeMap<String, String>,
        rules: &[Rule],
    ) -> Result<Firewall, Error> {
        Ok(self.post::<_, One>("/firewalls", &Create { name, labels, rules }).await?.firewall)
    }

    /// Replaces all rules of a firewall; the actions to wait for.
    pub async fn set_firewall_rules(&self, id: u64, rules: &[Rule]) -> Result<Vec<Action>, Error> {
        let path = format!("/firewalls/{id}/actions/set_rules");
        Ok(self.post_again::<_, Many>(&path, &SetRules { rules }).await?.actions)
    }

    /// The firewall with this id.
    pub async fn firewall(&self, id: u64) -> Result<Option<Firewall>, Error> {
        match self.get::<One>(&format!("/firewalls/{id}"), &[]).await {
            Ok(one) => Ok(Some(one.firewall)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The firewall with this name, which is unique.
    pub async fn firewall_by_name(&self, name: &str) -> Result<Option<Firewall>, Error> {
        Ok(self.list("/firewalls", "firewalls", &[("name", name)]).await?.into_iter().next())
    }

    /// Puts a firewall before a server; the actions to wait for, none where it is there already.
    pub async fn apply_firewall(&self, id: u64, server: u64) -> Result<Vec<Action>, Error> {
        let path = format!("/firewalls/{id}/actions/apply_to_resources");
        let body = ApplyTo { apply_to: vec![place(server)] };
        unless(self.post_again::<_, Many>(&path, &body).await, "firewall_already_applied")
    }

    /// Takes a firewall off a server; the actions to wait for, none where it is off already.
    pub async fn remove_firewall(&self, id: u64, server: u64) -> Result<Vec<Action>, Error> {
        let path = format!("/firewalls/{id}/actions/remove_from_resources");
        let body = RemoveFrom { remove_from: vec![place(server)] };
        unless(self.post_again::<_, Many>(&path, &body).await, "firewall_resource_not_found")
    }

    /// Deletes a firewall; `resource_in_use` until every server's delete has finished.
    pub async fn delete_firewall(&self, id: u64) -> Result<(), Error> {
        absent_is_fine(self.delete(&format!("/firewalls/{id}")).await)
    }
}

fn place(server: u64) -> Place {
    Place { r#type: "server", server: ById { id: server } }
}

/// What was done before, as this code says, needs no action.
fn unless(result: Result<Many, Error>, done: &str) -> Result<Vec<Action>, Error> {
    match result {
        Ok(many) => Ok(many.actions),
        Err(error) if error.code() == Some(done) || error.is_not_found() => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// What is not there any more has been deleted.
pub(super) fn absent_is_fine(result: Result<String, Error>) -> Result<(), Error> {
    match result {
        Ok(_) => Ok(()),
        Err(error) if error.is_not_found() => Ok(()),
        Err(error) => Err(error),
    }
}
