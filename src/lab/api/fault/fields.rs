//! The fields of a fault, taken one by one so that a refusal names the field.

use std::time::Duration;

use jiff::SignedDuration;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use thiserror::Error;

/// What is wrong with a fault; who has its text finds the line by the field.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("{why}")]
pub(super) struct WrongFault {
    /// The field in question; `None`: one is missing.
    pub(super) field: Option<String>,
    why: String,
}

/// What was given, and which names were asked for.
#[derive(Debug)]
pub(super) struct Fields {
    given: Map<String, Value>,
    known: Vec<&'static str>,
}

impl Fields {
    pub(super) fn new(given: Map<String, Value>) -> Self {
        Self { given, known: Vec::new() }
    }

    /// A field that may be absent.
    pub(super) fn take<T: DeserializeOwned>(&mut self, name: &'static str) -> Result<Option<T>, WrongFault> {
        self.known.push(name);
        match self.given.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => T::deserialize(value).map(Some).map_err(|error| wrong(name, &error)),
        }
    }

    /// A field that must be there.
    pub(super) fn need<T: DeserializeOwned>(&mut self, name: &'static str) -> Result<T, WrongFault> {
        self.take(name)?.ok_or_else(|| WrongFault { field: None, why: format!("`{name}` is missing") })
    }

    /// A time such as `30s` that may be absent.
    pub(super) fn duration(&mut self, name: &'static str) -> Result<Option<Duration>, WrongFault> {
        let time = self.take::<SignedDuration>(name)?;
        time.map(Duration::try_from).transpose().map_err(|_| wrong(name, &"it is below zero"))
    }

    /// A time that must be there.
    pub(super) fn need_duration(&mut self, name: &'static str) -> Result<Duration, WrongFault> {
        self.duration(name)?.ok_or_else(|| WrongFault { field: None, why: format!("`{name}` is missing") })
    }

    /// Refuses what nobody asked for.
    pub(super) fn end(self) -> Result<(), WrongFault> {
        match self.given.into_iter().next() {
            None => Ok(()),
            Some((field, _)) => {
                let known = self.known.join(", ");
                let why = format!("`{field}` is unknown here, which takes {known}");
                Err(WrongFault { field: Some(field), why })
            }
        }
    }
}

/// A field whose value cannot be.
pub(super) fn wrong(field: &str, why: &dyn std::fmt::Display) -> WrongFault {
    WrongFault { field: Some(field.to_owned()), why: format!("`{field}` is wrong: {why}") }
}
