//! A small typed client of the Hetzner Cloud API: only the fields we use, one file per resource.
//!
//! New fields and new enum values of the API are tolerated: unknown fields are ignored, states are text.

mod action;
mod bucket;
mod client;
mod error;
mod firewall;
mod image;
mod location;
mod pricing;
mod primary_ip;
mod retry;
mod server;
mod server_type;
mod ssh_key;
mod zone;

pub use action::{Action, ActionStatus, WaitError};
pub use client::Client;
pub use error::{ApiError, Error};
pub use firewall::{Firewall, Rule};
pub use image::{Begun, Image};
pub use location::Location;
pub use pricing::Pricing;
pub use primary_ip::PrimaryIp;
pub use server::{FirewallRef, PublicNetCreate, Server, ServerCreate};
pub use server_type::{ServerType, TypeLocation};
pub use ssh_key::SshKey;
pub use zone::{Record, RecordType, Rrset, Zone};
