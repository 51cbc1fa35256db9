//! The lab's request log, read as it grows and sorted by project.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use anyhow::Result;
use serde::Deserialize;
use serde_json::Value;

/// A request, as far as the tests look.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// As the documentation writes it; none: no such route.
    pub(crate) route: Option<String>,
    pub(crate) path: String,
    /// None: the connection ended without an answer.
    pub(crate) status: Option<u16>,
    /// The status that was due, where a fault answered otherwise.
    done: Option<u16>,
    /// What it made, whatever was answered.
    pub(crate) made: Option<Made>,
    /// The kinds of the faults that it met.
    #[serde(default)]
    pub(crate) fault: Vec<String>,
    project: Option<String>,
}

/// What a request made.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Made {
    pub(crate) kind: String,
    pub(crate) id: Value,
    pub(crate) name: Option<String>,
}

impl Request {
    /// Whether it was done, whatever was answered.
    pub(crate) fn was_done(&self) -> bool {
        self.done.or(self.status).is_some_and(|status| (200..300).contains(&status))
    }

    /// Method and route.
    pub(crate) fn what(&self) -> String {
        format!("{} {}", self.method, self.route.as_deref().unwrap_or(&self.path))
    }
}

impl Made {
    /// Kind and name.
    pub(crate) fn what(&self) -> String {
        match &self.name {
            // the name of an RRSet is for all its types
            Some(name) if self.id.is_u64() => format!("{} {name}", self.kind),
            Some(_) | None => format!("{} {}", self.kind, self.id),
        }
    }

    /// The end of the path at which it is deleted.
    pub(crate) fn place(&self) -> String {
        match &self.id {
            Value::String(id) => format!("{}s/{id}", self.kind),
            id => format!("{}s/{id}", self.kind),
        }
    }
}

/// The file, and what was read of it.
#[derive(Debug)]
pub(crate) struct Log {
    path: PathBuf,
    read: Mutex<Lines>,
}

#[derive(Debug, Default)]
struct Lines {
    offset: u64,
    by_project: BTreeMap<String, Vec<Request>>,
}

impl Log {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, read: Mutex::default() }
    }

    /// All requests of a project so far.
    pub(super) fn of(&self, project: &str) -> Result<Vec<Request>> {
        let mut lines = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(lines.offset))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        // the last line may be half written
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        for line in
            bytes.get(..whole).unwrap_or_default().split(|byte| *byte == b'\n').filter(|l| !l.is_empty())
        {
            let request: Request = serde_json::from_slice(line)?;
            let of = lines.by_project.entry(request.project.clone().unwrap_or_default()).or_default();
            of.push(request);
        }
        lines.offset += whole as u64;
        Ok(lines.by_project.get(project).cloned().unwrap_or_default())
    }
}
