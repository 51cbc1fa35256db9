//! One binary for every whole-program test: it links once.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stderr,
    clippy::panic,
    reason = "a test may fail loudly"
)]

mod agent;
mod arrows;
mod audit;
#[path = "../bed/mod.rs"]
mod bed;
mod bucket;
mod cli;
mod cost;
mod crowd;
mod examples;
mod foreign;
mod lab_acme;
mod lab_api;
mod lab_faults;
mod lab_machines;
mod lab_scripted;
mod machines;
mod matrix;
mod postgres;
mod registry;
mod render;
mod rollout;
mod state_damage;
