//! The state on PostgreSQL, as teams have it.

mod fixture;
mod server;
