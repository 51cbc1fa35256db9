//! The local cloud: Hetzner API, DNS, ACME, metadata and machines on this computer. Imports nothing of the rest.

mod cache;
mod cgroup;
pub mod dir;
mod disk;
mod filter;
mod forwarding;
mod image;
pub mod machine;
mod namespace;
mod network;
mod nspawn;
mod process;
mod slot;
mod tool;
mod trust;
mod bring_up;
mod mirror;
mod pebble;
mod platform;
pub mod status;
mod story;
pub mod supervisor;
pub mod viewpoint;
pub mod api;
mod dns;
