//! The main job on real machines: real systemd, cloud-init, Caddy, ACME, npm and OpenClaw. Each story is long, because
//! each server takes minutes to make; its parts are named.

mod bed;
mod browser;
mod inside;
mod named;
mod pair;
mod ports;
mod update;
