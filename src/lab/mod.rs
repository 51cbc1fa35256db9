//! The local cloud: Hetzner API, DNS, ACME, metadata and machines on this computer. Imports nothing of the rest.

pub mod api;
mod bring_up;
mod cache;
mod cgroup;
pub mod dir;
mod disk;
pub mod dns;
mod filter;
mod forwarding;
mod image;
pub mod machine;
pub mod metadata;
mod mirror;
mod namespace;
mod network;
mod nspawn;
mod pebble;
mod platform;
mod process;
pub mod scripted;
mod slot;
pub mod status;
mod story;
pub mod supervisor;
mod tool;
mod trust;
pub mod viewpoint;
