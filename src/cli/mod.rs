//! One file per command.

pub mod lab;
