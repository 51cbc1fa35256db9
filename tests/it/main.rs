//! One binary for every whole-program test: it links once.

mod registry;
mod render;
