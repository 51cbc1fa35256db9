//! Where the cells are played: a cloud, and what the states are kept in.

use std::ops::Deref;

use anyhow::Result;

use crate::bed::{Cloud, Operator};
use crate::postgres::{Database, Server};

/// A cloud, with a PostgreSQL server or with a file for each operator.
pub(super) struct Ground {
    pub(super) cloud: Cloud,
    pub(super) postgres: Option<Server>,
}

/// An operator, and the database that is theirs alone, where there is one.
pub(super) struct Player<'a> {
    operator: Operator<'a>,
    _database: Option<Database>,
}

impl Ground {
    /// An operator who comes new to this cloud, with a state that is not there yet.
    pub(super) fn player(&self) -> Result<Player<'_>> {
        let operator = self.cloud.operator()?;
        Ok(match self.postgres.as_ref().map(Server::database) {
            None => Player { operator, _database: None },
            Some(database) => {
                let operator = operator.with("CLAWBERTH_STATE", database.url());
                Player { operator, _database: Some(database) }
            }
        })
    }
}

impl<'a> Deref for Player<'a> {
    type Target = Operator<'a>;

    fn deref(&self) -> &Operator<'a> {
        &self.operator
    }
}
