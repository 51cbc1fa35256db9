//! The main job on real machines: real systemd, cloud-init, Caddy, ACME, npm and OpenClaw. Each story is long, because
//! each server takes minutes to make; its parts are named.

mod audit;
mod bed;
mod breakage;
mod broken;
mod browser;
mod cable;
mod dashboard;
mod egress;
mod image;
mod inside;
mod named;
mod openssh;
mod outside;
mod own_key;
mod pair;
mod parts;
mod policy;
mod pool;
mod ports;
mod probe;
mod rolling;
mod rotate;
mod sandbox;
mod stranger;
mod update;
mod watch;
mod world;
