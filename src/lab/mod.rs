//! The local cloud: Hetzner API, DNS, ACME, metadata and machines on this computer. Imports nothing of the rest.

pub mod api;
pub mod dns;
pub mod machine;
pub mod metadata;
