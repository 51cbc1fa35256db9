//! A DNS zone as the project has it.

use std::collections::{BTreeMap, BTreeSet};

/// A zone of the project.
#[derive(Clone, Debug, Default)]
pub struct CloudZone {
    /// The values of the fleet's A and AAAA record sets, by relative name and type; sorted.
    pub records: BTreeMap<(String, String), Vec<String>>,
    /// Names with A, AAAA or CNAME records that are not the fleet's.
    pub foreign: BTreeSet<String>,
    /// Relative names that are delegated to other name servers.
    pub handed_on: BTreeSet<String>,
    /// The CAA records, by relative name; `@` is the zone itself.
    pub caa: BTreeMap<String, Vec<String>>,
    /// Whether its records come from other name servers, and cannot be changed at Hetzner.
    pub is_secondary: bool,
    /// Whether the world asks Hetzner for its records.
    pub delegation: Delegation,
}

/// Whom the zone above names as this zone's name servers, as Hetzner saw it last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delegation {
    /// Hetzner's word for it, such as `valid`; none: it says nothing.
    pub status: Option<String>,
    /// The name servers that have the zone.
    pub assigned: Vec<String>,
    /// Those that the zone above names.
    pub named: Vec<String>,
}

impl CloudZone {
    /// The CAA records that count for a name in this zone: its own, else the zone's. Hetzner's zones lie right below a public suffix,
    /// above which nobody has any.
    pub fn caa_of(&self, name: &str) -> &[String] {
        let own = self.caa.get(name).filter(|records| !records.is_empty());
        own.or_else(|| self.caa.get("@")).map(Vec::as_slice).unwrap_or_default()
    }
}

impl Delegation {
    /// Why the world does not find the zone's records; none: it does, or that is not known yet.
    pub fn flaw(&self) -> Option<String> {
        match self.status.as_deref() {
            Some("invalid" | "lame") if self.named.is_empty() => {
                Some("the zone above names no name servers for it".to_owned())
            }
            Some("invalid" | "lame") => {
                Some(format!("the zone above names {} as its name servers", self.named.join(", ")))
            }
            Some("unregistered") => Some("nobody has registered it".to_owned()),
            Some(_) | None => None,
        }
    }
}
