//! One binary for every whole-program test: it links once.

mod arrows;
mod render;
mod lab_machines;
