//! State, cloud and request log, held against each other.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::bed::Operator;
use crate::ledger::Ledger;

/// What there should not be.
pub(crate) struct Verdict {
    orphans: Vec<String>,
    duplicates: Vec<String>,
    lost: Vec<String>,
}

/// What the state knows.
struct Known {
    fleet: String,
    instances: BTreeMap<String, Value>,
}

impl Verdict {
    pub(crate) fn of(operator: &Operator<'_>, ledger: &Ledger) -> Result<Self> {
        let known = Known::by(operator)?;
        let cloud = operator.in_the_cloud()?;
        let orphans = cloud.iter().filter(|(kind, item)| !known.explains(kind, item));
        let orphans = orphans.map(|(kind, item)| format!("orphan in {kind}: {item}")).collect();
        let lost = ledger.kept().into_iter().filter(|(name, id)| {
            let there =
                cloud.iter().any(|(kind, item)| *kind == "servers" && number(item, "/id") == Some(*id));
            !there || known.server(name) != Some(*id)
        });
        let lost = lost.map(|(name, id)| {
            let now = known.server(&name).map_or_else(|| "none".to_owned(), |id| id.to_string());
            format!("lost: {name} on server {id}; by the state it is on {now}")
        });
        let lost = lost.collect();
        let duplicates = operator.doubles()?.into_iter().map(|what| format!("duplicate: {what}")).collect();
        Ok(Self { orphans, duplicates, lost })
    }

    pub(crate) fn is_well(&self) -> bool {
        self.told().next().is_none()
    }

    /// Each thing that is wrong.
    pub(crate) fn told(&self) -> impl Iterator<Item = &String> {
        self.orphans.iter().chain(&self.duplicates).chain(&self.lost)
    }
}

/// What a verdict would not see: an orphan is made for it, and an instance loses its server.
pub(crate) fn is_blind(operator: &Operator<'_>, ledger: &Ledger) -> Result<Vec<String>> {
    let labels =
        json!({ "managed-by": "clawberth", "fleet": Known::by(operator)?.fleet, "instance": "planted" });
    let orphan = json!({
        "name": "planted", "labels": labels, "server_type": "cx23", "image": "debian-13", "location": "fsn1",
    });
    let before = Verdict::of(operator, ledger)?;
    operator.api.ask("POST", "/servers", Some(&orphan))?;
    let kept = ledger.kept().into_values().next().context("no deploy has succeeded")?;
    operator.api.ask("DELETE", &format!("/servers/{kept}"), None)?;
    let after = Verdict::of(operator, ledger)?;
    let mut blind = Vec::new();
    if after.orphans.len() <= before.orphans.len() {
        blind.push("an orphan that was made for it was not seen".to_owned());
    }
    if after.lost.len() != before.lost.len() + 1 {
        blind.push("an instance that lost its server was not seen".to_owned());
    }
    Ok(blind)
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { orphans, duplicates, lost } = self;
        write!(f, "{} orphans, {} duplicates, {} lost", orphans.len(), duplicates.len(), lost.len())
    }
}

impl Known {
    fn by(operator: &Operator<'_>) -> Result<Self> {
        let export: Value = serde_json::from_str(&operator.ok(&["state", "export"])?)?;
        let fleet = export.pointer("/fleet/id").and_then(Value::as_str);
        let fleet = fleet.context("the state has no fleet")?.to_owned();
        let list: Value = serde_json::from_str(&operator.ok(&["list", "--json"])?)?;
        let rows = list.as_array().context("a list that is none")?;
        let named = rows.iter().filter_map(|row| Some((row.get("name")?.as_str()?.to_owned(), row.clone())));
        Ok(Self { fleet, instances: named.collect() })
    }

    fn server(&self, name: &str) -> Option<u64> {
        number(self.instances.get(name)?, "/server/id")
    }

    /// Whether something in the cloud is there because of an instance; nobody but this fleet uses the project.
    fn explains(&self, kind: &str, item: &Value) -> bool {
        let mut servers = self.instances.keys().map(|name| self.server(name));
        let text = |pointer: &str| item.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        match kind {
            "servers" => servers.any(|id| id.is_some() && id == number(item, "/id")),
            "primary_ips" => servers.any(|id| id.is_some() && id == number(item, "/assignee_id")),
            "firewalls" | "ssh_keys" => {
                !self.instances.is_empty() && text("/name") == format!("cb-{}", self.fleet)
            }
            "rrsets" => {
                let owner = self.instances.get(text("/labels/instance"));
                owner.and_then(|row| row.get("domain")).is_some_and(Value::is_string)
            }
            _ => false,
        }
    }
}

fn number(value: &Value, pointer: &str) -> Option<u64> {
    value.pointer(pointer)?.as_u64()
}
