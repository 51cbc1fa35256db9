//! The records of a zone, in sets of one name and type.

use hickory_proto::rr::rdata::{CNAME, NS};
use hickory_proto::rr::{self as dns, Name, RData, RecordType};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::error::ApiError;
use super::label::{self, Labels};
use super::zone::NAME_SERVERS;

/// Records in one set.
const RECORDS_MAX: usize = 50;
/// The types there are.
const TYPES: [&str; 15] = [
    "A", "AAAA", "CAA", "CNAME", "DS", "HINFO", "HTTPS", "MX", "NS", "PTR", "RP", "SRV", "SVCB", "TLSA",
    "TXT",
];

/// Records of one name and type.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Rrset {
    /// Relative to the zone; `@` is the zone itself.
    pub(crate) name: String,
    /// `A`, `TXT`, …
    pub(crate) kind: String,
    /// Seconds; `None`: the zone's.
    pub(crate) ttl: Option<u32>,
    pub(crate) labels: Labels,
    pub(crate) records: Vec<Record>,
}

/// One record.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) value: String,
    #[serde(default)]
    comment: String,
}

/// A set as a request describes it.
#[derive(Debug, Deserialize)]
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
        ttl.map(check_ttl).transpose()?;
        label::check(&labels)?;
        check_records(&kind, &records)?;
        Ok(Rrset { name, kind, ttl, labels, records })
    }
}

impl Rrset {
    /// Whether it has this name and type.
    pub(crate) fn is(&self, name: &str, kind: &str) -> bool {
        self.name == name && self.kind == kind
    }

    /// As DNS has them.
    pub(crate) fn dns_records(&self, origin: &Name, zone_ttl: u32) -> Vec<dns::Record> {
        let owner = match self.name.as_str() {
            "@" => Ok(origin.clone()),
            name => Name::from_ascii(name).and_then(|name| name.append_domain(origin)),
        };
        let Ok(owner) = owner else {
            return Vec::new();
        };
        let ttl = self.ttl.unwrap_or(zone_ttl);
        let values = self.records.iter().filter_map(|record| data(&self.kind, &record.value));
        values.map(|value| dns::Record::from_rdata(owner.clone(), ttl, absolute(value, origin))).collect()
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
            "protection": {"change": false},
            "records": self.records,
            "zone": zone,
        })
    }
}

/// What each zone has from its birth.
pub(crate) fn of_new_zone() -> Vec<Rrset> {
    let record = |value: String| Record { value, comment: String::new() };
    let [first, ..] = NAME_SERVERS;
    let soa = format!("{first} dns.hetzner.com. 2026010100 86400 10800 3600000 3600");
    let set = |kind: &str, records| Rrset {
        name: "@".to_owned(),
        kind: kind.to_owned(),
        ttl: None,
        labels: Labels::new(),
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

/// Refuses records that a set of the type cannot have.
pub(crate) fn check_records(kind: &str, records: &[Record]) -> Result<(), ApiError> {
    if records.is_empty() || records.len() > RECORDS_MAX {
        return Err(ApiError::field("records", "must be between 1 and 50"));
    }
    for (i, record) in records.iter().enumerate() {
        if records.iter().take(i).any(|earlier| earlier.value == record.value) {
            return Err(ApiError::field("records", "must not have a value twice"));
        }
        if data(kind, &record.value).is_none() {
            return Err(ApiError::field("records", &format!("'{}' is no value for {kind}", record.value)));
        }
    }
    if kind == "CNAME" && records.len() > 1 {
        return Err(ApiError::field("records", "a CNAME has one record"));
    }
    Ok(())
}

/// A value as DNS has it; `None` if it cannot be one of the type. Text stands in quotes, as in a zone file.
pub(crate) fn data(kind: &str, value: &str) -> Option<RData> {
    if kind == "TXT" && !(value.starts_with('"') && value.ends_with('"') && value.len() >= 2) {
        return None;
    }
    let kind: RecordType = kind.parse().ok()?;
    RData::try_from_str(kind, value).ok()
}

/// A name without a dot at its end is relative to the zone, as in a zone file.
fn absolute(data: RData, origin: &Name) -> RData {
    let complete = |name: Name| {
        if name.is_fqdn() { name } else { name.clone().append_domain(origin).unwrap_or(name) }
    };
    match data {
        RData::CNAME(CNAME(name)) => RData::CNAME(CNAME(complete(name))),
        RData::NS(NS(name)) => RData::NS(NS(complete(name))),
        other => other,
    }
}
