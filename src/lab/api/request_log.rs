//! Every request as one JSON line, so that a test can count what a command has cost.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result};
use serde::Serialize;

use super::deed::Made;

/// The file `requests.jsonl`, appended to.
#[derive(Debug)]
pub(crate) struct RequestLog(Mutex<File>);

/// One line of it.
#[derive(Debug, Serialize)]
pub(crate) struct Entry<'a> {
    /// RFC 3339 with milliseconds.
    pub(crate) time: String,
    pub(crate) method: &'a str,
    /// As the documentation writes it: `/servers/{id}`; `None`: no such route.
    pub(crate) route: Option<&'a str>,
    /// Path and query.
    pub(crate) path: &'a str,
    /// `None`: the connection was ended without an answer.
    pub(crate) status: Option<u16>,
    /// The status that was due, where a fault answered otherwise or not at all: the request was done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) done: Option<u16>,
    /// The resource that it made, whatever was answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) made: Option<&'a Made>,
    pub(crate) correlation_id: &'a str,
    /// The client's user agent.
    pub(crate) client: Option<&'a str>,
    /// The project's name; `None`: the request had no valid token.
    pub(crate) project: Option<&'a str>,
    /// The kinds of the faults that it met.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    pub(crate) fault: &'a [String],
    /// From the end of the head to the answer, milliseconds.
    pub(crate) duration: f64,
}

impl RequestLog {
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path);
        let file = file.with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self(Mutex::new(file)))
    }

    /// Appends a line. A full disk loses lines, not requests.
    pub(crate) fn write(&self, entry: &Entry<'_>) {
        let Ok(mut line) = serde_json::to_vec(entry) else {
            return;
        };
        line.push(b'\n');
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = file.write_all(&line) {
            tracing::warn!("a request was not logged: {error}");
        }
    }
}
