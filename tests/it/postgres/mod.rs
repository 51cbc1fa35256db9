//! The state on PostgreSQL, as teams have it.

mod fixture;
mod server;

pub(crate) use server::{Database, Server};
