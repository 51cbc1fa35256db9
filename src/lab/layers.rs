//! What a machine's own layer lies on.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The base image, and over it the snapshots that the disk began as.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Layers {
    /// A newer image is for newer machines.
    pub(super) image: PathBuf,
    /// The topmost first: each was taken from a machine that lay on those after it.
    #[serde(default)]
    pub(super) snapshots: Vec<u64>,
}

impl Layers {
    /// A base image alone.
    pub(super) fn of_image(image: PathBuf) -> Self {
        Self { image, snapshots: Vec::new() }
    }

    /// The same below one more snapshot.
    pub(super) fn below(mut self, snapshot: u64) -> Self {
        self.snapshots.insert(0, snapshot);
        self
    }
}
