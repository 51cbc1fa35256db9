//! DNS zones. Their records are `rrset`.

use std::net::IpAddr;

use hickory_proto::rr::Name;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::action::Target;
use super::error::ApiError;
use super::meta::Meta;
use super::query::Query;
use super::resource::Resource;
use super::rrset::Rrset;
use super::table::{Row, Table};
use super::world::World;
use crate::lab::dns::ZoneData;

/// The name servers of each zone.
pub(crate) const NAME_SERVERS: [&str; 3] =
    ["hydrogen.ns.hetzner.com.", "oxygen.ns.hetzner.com.", "helium.ns.hetzner.de."];

/// A zone.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Zone {
    pub(crate) meta: Meta,
    pub(crate) mode: Mode,
    /// Seconds, for the records that have none of their own.
    pub(crate) ttl: u32,
    /// Whether it may not be deleted.
    pub(crate) protected: bool,
    /// The count in the SOA record, by which other name servers see that records have changed.
    serial: u32,
    /// None in secondary mode.
    pub(crate) rrsets: Vec<Rrset>,
}

/// Where a zone's records are kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Mode {
    /// Here.
    Primary,
    /// On other name servers. The lab asks nobody, so such a zone has no answers.
    Secondary(Vec<Primary>),
}

/// A name server that a zone in secondary mode is copied from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Primary {
    address: IpAddr,
    #[serde(default = "dns_port")]
    port: u16,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tsig_key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tsig_algorithm: Option<TsigAlgorithm>,
}

fn dns_port() -> u16 {
    53
}

/// What the copy is signed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum TsigAlgorithm {
    HmacMd5,
    HmacSha1,
    HmacSha256,
}

impl Mode {
    fn as_str(&self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Secondary(_) => "secondary",
        }
    }
}

impl Row for Zone {
    const KIND: &'static str = "zone";
    const TITLE: &'static str = "zone";
    const FIRST_ID: u64 = 6001;

    fn name(&self) -> Option<&str> {
        Some(&self.meta.name)
    }
}

impl Resource for Zone {
    const PLURAL: &'static str = "zones";
    const PATH_TAKES_NAME: bool = true;

    fn table(world: &World) -> &Table<Self> {
        &world.zones
    }

    fn table_mut(world: &mut World) -> &mut Table<Self> {
        &mut world.zones
    }

    fn meta(&self) -> &Meta {
        &self.meta
    }

    fn meta_mut(&mut self) -> &mut Meta {
        &mut self.meta
    }

    /// A lower-case name of at least two labels, without the dot at the end.
    fn check_name(name: &str) -> Result<(), ApiError> {
        let label = |text: &str| {
            let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            (1..=63).contains(&text.len())
                && !text.starts_with('-')
                && !text.ends_with('-')
                && text.chars().all(allowed)
        };
        if name.len() <= 253 && name.contains('.') && name.split('.').all(label) {
            Ok(())
        } else {
            Err(ApiError::field("name", "is not a valid domain name"))
        }
    }

    fn is_wanted(&self, _world: &World, query: &Query) -> bool {
        query.allows("mode", self.mode.as_str())
    }

    fn view(&self, world: &World) -> Value {
        let published = !world.running().any(|action| action.concerns(Self::KIND, self.meta.id));
        let primaries = match &self.mode {
            Mode::Primary => [].as_slice(),
            Mode::Secondary(primaries) => primaries,
        };
        json!({
            "id": self.meta.id,
            "name": self.meta.name,
            "mode": self.mode.as_str(),
            "created": self.meta.created,
            "primary_nameservers": primaries,
            "labels": self.meta.labels,
            "protection": {"delete": self.protected},
            "ttl": self.ttl,
            "status": if published { "ok" } else { "updating" },
            "record_count": self.rrsets.iter().map(|rrset| rrset.records.len()).sum::<usize>(),
            "authoritative_nameservers": {
                "assigned": NAME_SERVERS,
                "delegated": NAME_SERVERS,
                "delegation_last_check": self.meta.created,
                "delegation_status": "valid",
            },
            "registrar": "other",
        })
    }
}

impl Zone {
    /// A zone that is made now.
    pub(crate) fn new(meta: Meta, mode: Mode, ttl: u32, rrsets: Vec<Rrset>) -> Self {
        let mut zone = Self { meta, mode, ttl, protected: false, serial: 0, rrsets };
        zone.publish();
        zone
    }

    /// Refuses what needs the records to be here.
    pub(crate) fn check_primary(&self) -> Result<(), ApiError> {
        if self.mode == Mode::Primary { Ok(()) } else { Err(Self::incorrect_mode()) }
    }

    /// 422: nothing for a zone in this mode.
    pub(crate) fn incorrect_mode() -> ApiError {
        let message = "this operation is not supported for this zone's mode";
        ApiError::unprocessable("incorrect_zone_mode", message)
    }

    /// Tells other name servers of a change: as documented, the serial is the day and a count.
    pub(crate) fn publish(&mut self) {
        let first_of_today = Timestamp::now().strftime("%Y%m%d00").to_string().parse().unwrap_or(0);
        self.serial = self.serial.saturating_add(1).max(first_of_today);
        let soa = self.rrsets.iter_mut().filter(|set| set.kind == "SOA");
        for record in soa.flat_map(|set| &mut set.records) {
            let serial = self.serial.to_string();
            let mut words: Vec<&str> = record.value.split_whitespace().collect();
            if let Some(word) = words.get_mut(2) {
                *word = &serial;
            }
            record.value = words.join(" ");
        }
    }

    /// What an action on it names.
    pub(crate) fn targets(&self) -> Vec<Target> {
        vec![Target::of::<Self>(self.meta.id)]
    }

    /// `None` for a name that cannot be one in DNS, which [`Resource::check_name`] keeps out.
    fn data(&self) -> Option<ZoneData> {
        let name = Name::from_ascii(format!("{}.", self.meta.name)).ok()?;
        let records = self.rrsets.iter().flat_map(|set| set.dns_records(&self.meta.name, self.ttl)).collect();
        Some(ZoneData { name, records })
    }
}

/// All zones as the name server needs them.
pub(crate) fn all_data(world: &World) -> Vec<ZoneData> {
    let here = world.zones.iter().filter(|(_, zone)| zone.mode == Mode::Primary);
    here.filter_map(|(_, zone)| zone.data()).collect()
}
