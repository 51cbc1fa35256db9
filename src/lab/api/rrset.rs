//! The records of a zone, in sets of one name and type.

use axum::http::StatusCode;
use hickory_proto::rr::{self as dns, Name};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::error::ApiError;
use super::label::{self, Labels};
use super::record::{self, Record, TYPES};
use super::zone::NAME_SERVERS;

/// Records of one name and type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Rrset {
    /// Relative to the zone; `@` is the zone itself.
    pub(crate) name: String,
    /// `A`, `TXT`, …
    pub(crate) kind: String,
    /// Seconds; `None`: the zone's.
    pub(crate) ttl: Option<u32>,
    pub(crate) labels: Labels,
    /// Whether its records may not be changed.
    #[serde(default)]
    pub(crate) protected: bool,
    pub(crate) records: Vec<Record>,
}

/// A set as a request describes it.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Wish {
    pub(crate) name: String,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    #[serde(default)]
    pub(crate) ttl: Option<u32>,
    pub(crate) records: Vec<Record>,
    #[serde(default)]
    pub(crate) labels: Labels,
}

impl Wish {
    /// The set, if it can be one of the zone.
    pub(crate) fn check(self, zone: &str) -> Result<Rrset, ApiError> {
        let Self { name, kind, ttl, records, labels } = self;
        check_record_name(&name, zone)?;
        if !TYPES.contains(&kind.as_str()) {
            return Err(ApiError::field("type", "is not a supported record type"));
        }
        if kind == "SOA" && name != "@" {
            return Err(ApiError::field("name", "of a SOA record must be @"));
        }
        ttl.map(check_ttl).transpose()?;
        label::check(&labels)?;
        record::check(zone, &kind, &records)?;
        Ok(Rrset { name, kind, ttl, labels, protected: false, records })
    }
}

impl Rrset {
    /// Whether it has this name and type.
    pub(crate) fn is(&self, name: &str, kind: &str) -> bool {
        self.name == name && self.kind == kind
    }

    /// As DNS has them.
    pub(crate) fn dns_records(&self, zone: &str, zone_ttl: u32) -> Vec<dns::Record> {
        let owner = match self.name.as_str() {
            "@" => Name::from_ascii(format!("{zone}.")),
            name => Name::from_ascii(format!("{name}.{zone}.")),
        };
        let Ok(owner) = owner else {
            return Vec::new();
        };
        let ttl = self.ttl.unwrap_or(zone_ttl);
        let values = self.records.iter().filter_map(|record| record::data(&self.kind, &record.value, zone));
        values.map(|value| dns::Record::from_rdata(owner.clone(), ttl, value)).collect()
    }

    /// Its id in the API: `www/A`.
    pub(crate) fn id(&self) -> String {
        format!("{}/{}", self.name, self.kind)
    }

    /// As the API shows it.
    pub(crate) fn view(&self, zone: u64) -> Value {
        json!({
            "id": self.id(),
            "name": self.name,
            "type": self.kind,
            "ttl": self.ttl,
            "labels": self.labels,
            "protection": {"change": self.protected},
            "records": self.records,
            "zone": zone,
        })
    }

    /// Refuses to be changed if it is protected.
    pub(crate) fn check_unprotected(&self) -> Result<(), ApiError> {
        let refusal = || ApiError::new(StatusCode::LOCKED, "protected", "RRSet(s) is/are change protected");
        if self.protected { Err(refusal()) } else { Ok(()) }
    }

    /// Refuses records that are not in it.
    pub(crate) fn check_has(&self, wanted: &[Record]) -> Result<(), ApiError> {
        let is_here = |wanted: &Record| self.records.iter().any(|record| record.value == wanted.value);
        match wanted.iter().find(|wanted| !is_here(wanted)) {
            Some(missing) => Err(ApiError::field("records", &format!("'{}' does not exist", missing.value))),
            None => Ok(()),
        }
    }
}

/// What each zone has from its birth.
pub(crate) fn of_new_zone() -> Vec<Rrset> {
    let record = |value: String| Record { value, comment: String::new() };
    let [first, ..] = NAME_SERVERS;
    let soa = format!("{first} dns.hetzner.com. 0 86400 10800 3600000 3600");
    let set = |kind: &str, records| Rrset {
        name: "@".to_owned(),
        kind: kind.to_owned(),
        ttl: None,
        labels: Labels::new(),
        protected: false,
        records,
    };
    let name_servers = NAME_SERVERS.iter().map(|name| record((*name).to_owned())).collect();
    vec![set("SOA", vec![record(soa)]), set("NS", name_servers)]
}

/// Adds a set; 409 for a second one of the same name and type, 422 for a CNAME beside others.
pub(crate) fn add(rrsets: &mut Vec<Rrset>, new: Rrset) -> Result<(), ApiError> {
    if rrsets.iter().any(|set| set.is(&new.name, &new.kind)) {
        return Err(ApiError::not_unique("name", "RRSet with the same name and type already exists"));
    }
    let is_alias = |set: &Rrset| set.kind == "CNAME";
    if rrsets.iter().any(|set| set.name == new.name && (is_alias(set) || is_alias(&new))) {
        return Err(ApiError::field("type", "a CNAME cannot stand beside other records"));
    }
    rrsets.push(new);
    Ok(())
}

pub(crate) fn check_ttl(ttl: u32) -> Result<(), ApiError> {
    if (60..=2_147_483_647).contains(&ttl) {
        Ok(())
    } else {
        Err(ApiError::field("ttl", "must be between 60 and 2147483647"))
    }
}

/// Refuses what is no relative name.
fn check_record_name(name: &str, zone: &str) -> Result<(), ApiError> {
    let label = |text: &str| {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
        text == "*" || ((1..=63).contains(&text.len()) && text.chars().all(allowed))
    };
    if name == "@" || (name.len() + zone.len() < 253 && name.split('.').all(label)) {
        Ok(())
    } else {
        Err(ApiError::field("name", "is not a valid record name"))
    }
}
