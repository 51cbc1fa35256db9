//! DNS zones and record sets.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::action::{Action, Answer};
use super::client::read;
use super::{Client, Error};

/// A DNS zone.
#[derive(Clone, Debug, Deserialize)]
pub struct Zone {
    /// Its id.
    pub id: u64,
    /// Its name, such as `example.org`.
    pub name: String,
    /// `primary` zones can be changed here.
    #[serde(default)]
    pub mode: String,
    /// Its name servers.
    #[serde(default)]
    pub authoritative_nameservers: NameServers,
}

/// Who answers for a zone, and whom the zone above names.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct NameServers {
    /// Hetzner's, which have the zone.
    #[serde(default)]
    pub assigned: Vec<String>,
    /// Those that the zone above names.
    #[serde(default)]
    pub delegated: Vec<String>,
    /// `valid`, `partially-valid`, `invalid`, `lame`, `unregistered` or `unknown`.
    #[serde(default)]
    pub delegation_status: Option<String>,
}

/// The record types that we write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RecordType {
    /// IPv4 addresses.
    A,
    /// IPv6 addresses.
    Aaaa,
}

/// All records of one name and type.
#[derive(Clone, Debug, Deserialize)]
pub struct Rrset {
    /// The name relative to the zone; `@` is the apex.
    pub name: String,
    /// `A`, `AAAA`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// The records.
    #[serde(default)]
    pub records: Vec<Record>,
    /// Its labels.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

/// One record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// What it says.
    pub value: String,
}

impl RecordType {
    /// The type as DNS writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::Aaaa => "AAAA",
        }
    }
}

#[derive(Serialize)]
struct Create<'a> {
    name: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    ttl: u32,
    records: &'a [Record],
    labels: &'a BTreeMap<String, String>,
}

#[derive(Serialize)]
struct SetRecords<'a> {
    records: &'a [Record],
}

#[derive(Deserialize)]
struct OneZone {
    zone: Zone,
}

#[derive(Deserialize)]
struct OneRrset {
    rrset: Rrset,
}

impl Client {
    /// The zone with this name.
    pub async fn zone(&self, name: &str) -> Result<Option<Zone>, Error> {
        match self.get::<OneZone>(&format!("/zones/{name}"), &[]).await {
            Ok(one) => Ok(Some(one.zone)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// All zones of the project.
    pub async fn zones(&self) -> Result<Vec<Zone>, Error> {
        self.list("/zones", "zones", &[]).await
    }

    /// All record sets of a zone.
    pub async fn rrsets(&self, zone: &str) -> Result<Vec<Rrset>, Error> {
        self.list(&format!("/zones/{zone}/rrsets"), "rrsets", &[]).await
    }

    /// One record set.
    pub async fn rrset(&self, zone: &str, name: &str, kind: RecordType) -> Result<Option<Rrset>, Error> {
        match self.get::<OneRrset>(&format!("/zones/{zone}/rrsets/{name}/{}", kind.as_str()), &[]).await {
            Ok(one) => Ok(Some(one.rrset)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Creates a record set; `ttl` in seconds.
    pub async fn create_rrset(
        &self,
        zone: &str,
        (name, kind): (&str, RecordType),
        ttl: u32,
        records: &[Record],
        labels: &BTreeMap<String, String>,
    ) -> Result<Action, Error> {
        let create = Create { name, kind: kind.as_str(), ttl, records, labels };
        Ok(self.post::<_, Answer>(&format!("/zones/{zone}/rrsets"), &create).await?.action)
    }

    /// Replaces the records of a set.
    pub async fn set_records(
        &self,
        zone: &str,
        name: &str,
        kind: RecordType,
        records: &[Record],
    ) -> Result<Action, Error> {
        let path = format!("/zones/{zone}/rrsets/{name}/{}/actions/set_records", kind.as_str());
        Ok(self.post_again::<_, Answer>(&path, &SetRecords { records }).await?.action)
    }

    /// Deletes a record set; the action to wait for, or nothing if it is gone already.
    pub async fn delete_rrset(
        &self,
        zone: &str,
        name: &str,
        kind: RecordType,
    ) -> Result<Option<Action>, Error> {
        let path = format!("/zones/{zone}/rrsets/{name}/{}", kind.as_str());
        match self.delete(&path).await {
            Ok(body) => Ok(Some(read::<Answer>(&body, &format!("DELETE {path}"))?.action)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }
}
