//! One binary for every whole-program test: it links once.

mod lab_api;
