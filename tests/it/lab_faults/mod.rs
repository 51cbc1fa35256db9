//! Each fault of the lab as a stranger's client meets it: Hetzner's own `hcloud`, or curl where that does not get there.

mod actions;
mod answers;
mod connections;
mod control;
mod fields;
mod lab;
mod limits;
mod lists;
mod projects;
