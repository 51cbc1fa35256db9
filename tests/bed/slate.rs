//! A clean slate: nothing of an operator's fleet is left anywhere; and nothing of it was made twice.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::log::Request;
use super::operator::Operator;

/// What a project can hold, with the list's name in the answer.
const KINDS: [(&str, &str); 11] = [
    ("/servers", "servers"),
    ("/firewalls", "firewalls"),
    ("/ssh_keys", "ssh_keys"),
    ("/primary_ips", "primary_ips"),
    ("/images?type=snapshot", "images"),
    ("/volumes", "volumes"),
    ("/networks", "networks"),
    ("/placement_groups", "placement_groups"),
    ("/floating_ips", "floating_ips"),
    ("/load_balancers", "load_balancers"),
    ("/certificates", "certificates"),
];

impl Operator<'_> {
    /// Nothing is left: no resource of any kind, no DNS record with our labels, no instance in the state, no machine.
    pub(crate) fn clean_slate(&self) -> Result<()> {
        let cloud = self.in_the_cloud()?;
        let mut left: Vec<String> = cloud.iter().map(|(kind, item)| label(kind, item)).collect();
        let list = self.ok(&["list", "--json"])?;
        if list != "[]\n" {
            left.push(format!("in the state: {list}"));
        }
        for made in self.requests()?.into_iter().filter_map(|request| request.made) {
            let machine = self.cloud.path(&format!("lab/machines/{}", made.id));
            if made.kind == "server" && machine.exists() {
                left.push(format!("the machine of {}", made.what()));
            }
        }
        ensure!(left.is_empty(), "left behind: {}", left.join("; "));
        Ok(())
    }

    /// Everything in the project, with its kind; of DNS records those with our labels.
    pub(crate) fn in_the_cloud(&self) -> Result<Vec<(&'static str, Value)>> {
        let mut there = Vec::new();
        for (path, kind) in KINDS {
            there.extend(self.all(path, kind)?.into_iter().map(|item| (kind, item)));
        }
        for zone in self.all("/zones", "zones")? {
            let id = zone.get("id").context("a zone has no id")?;
            let sets = self.all(&format!("/zones/{id}/rrsets"), "rrsets")?;
            let ours = sets.into_iter().filter(|set| set.pointer("/labels/managed-by").is_some());
            there.extend(ours.map(|set| ("rrsets", set)));
        }
        Ok(there)
    }

    /// All objects of a list.
    pub(crate) fn all(&self, path: &str, kind: &str) -> Result<Vec<Value>> {
        let join = if path.contains('?') { '&' } else { '?' };
        let mut all = Vec::new();
        for page in 1.. {
            let answer = self.api.ask("GET", &format!("{path}{join}per_page=50&page={page}"), None)?;
            let items = answer.get(kind).and_then(Value::as_array).with_context(|| format!("no {kind}"))?;
            all.extend(items.iter().cloned());
            if answer.pointer("/meta/pagination/next_page").is_none_or(Value::is_null) {
                break;
            }
        }
        Ok(all)
    }

    /// What was made while another one of it still lived, whatever was answered.
    pub(crate) fn doubles(&self) -> Result<Vec<String>> {
        Ok(doubles(&self.requests()?))
    }
}

fn doubles(requests: &[Request]) -> Vec<String> {
    let mut living: BTreeMap<String, String> = BTreeMap::new();
    let mut doubles = Vec::new();
    for request in requests.iter().filter(|request| request.was_done()) {
        if let Some(made) = &request.made
            && living.insert(made.what(), made.place()).is_some()
        {
            doubles.push(made.what());
        }
        if request.method == "DELETE" {
            living.retain(|_, place| !request.path.ends_with(&format!("/{place}")));
        }
    }
    doubles
}

fn label(kind: &str, item: &Value) -> String {
    let text = |key: &str| item.get(key).map(Value::to_string).unwrap_or_default();
    format!("{kind} {} {}", text("id"), text("name"))
}
