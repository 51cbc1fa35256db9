//! What every resource that a client names has.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::label::Labels;
use super::sort::SortKey;
use super::world::now;

/// Id, name, labels and time of birth.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Meta {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) labels: Labels,
    pub(crate) created: Timestamp,
}

impl Meta {
    /// Of a resource that is made now.
    pub(crate) fn new(id: u64, name: String, labels: Labels) -> Self {
        Self { id, name, labels, created: now() }
    }

    /// The fields that `sort` may order by.
    pub(crate) const SORTED_BY: &[&str] = &["id", "name", "created"];

    /// What `sort` may order by; `None`: not by this field.
    pub(crate) fn sort_key(&self, field: &str) -> Option<SortKey> {
        match field {
            "id" => Some(SortKey::Number(self.id)),
            "name" => Some(SortKey::Text(self.name.clone())),
            "created" => Some(SortKey::Time(Some(self.created))),
            _ => None,
        }
    }
}
