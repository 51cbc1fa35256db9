//! The state on PostgreSQL, as teams have it.

mod connection;
mod fixture;
mod moving;
mod outage;
mod rollout;
mod server;
mod store;
mod team;

pub(crate) use server::{Database, Server};
