//! One binary for every whole-program test: it links once.

mod arrows;
mod lab_machines;
mod registry;
mod render;
