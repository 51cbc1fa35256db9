//! Where the cells are played: a cloud, and what the states are kept in.

use std::ops::Deref;
use std::sync::{Mutex, PoisonError};

use anyhow::Result;

use crate::bed::{Cloud, Operator};
use crate::postgres::{Database, Server};

/// A cloud, with a PostgreSQL server or with a file for each operator.
pub(super) struct Ground {
    pub(super) cloud: Cloud,
    postgres: Option<Server>,
    /// Databases that are empty again: to drop one takes PostgreSQL more than a second.
    free: Mutex<Vec<Database>>,
}

/// An operator, and the database that is theirs alone, where there is one.
pub(super) struct Player<'a> {
    operator: Operator<'a>,
    database: Option<Database>,
    ground: &'a Ground,
}

impl Ground {
    pub(super) fn new(cloud: Cloud, postgres: Option<Server>) -> Self {
        Self { cloud, postgres, free: Mutex::default() }
    }

    /// An operator who comes new to this cloud, with a state that is not there yet.
    pub(super) fn player(&self) -> Result<Player<'_>> {
        let operator = self.cloud.operator()?;
        let free = || self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let database = self.postgres.as_ref().map(|server| free().unwrap_or_else(|| server.database()));
        let operator = match &database {
            Some(database) => operator.with("CLAWBERTH_STATE", database.url()),
            None => operator,
        };
        Ok(Player { operator, database, ground: self })
    }
}

impl Drop for Player<'_> {
    fn drop(&mut self) {
        let Some(database) = self.database.take() else { return };
        if database.empty().is_ok() {
            self.ground.free.lock().unwrap_or_else(PoisonError::into_inner).push(database);
        }
    }
}

impl<'a> Deref for Player<'a> {
    type Target = Operator<'a>;

    fn deref(&self) -> &Operator<'a> {
        &self.operator
    }
}
