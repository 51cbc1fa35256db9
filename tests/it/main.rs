//! One binary for every whole-program test: it links once.

mod arrows;
mod lab_api;
mod lab_machines;
mod machines;
mod registry;
mod render;
