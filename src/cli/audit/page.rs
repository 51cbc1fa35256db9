//! The file with the page.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::cli::Failure;
use crate::model::refusal::Refusal;

/// Refuses what cannot be a file, before the audit takes its time.
pub(super) fn can_be_written(file: &Path) -> Result<(), Refusal> {
    let refused = |why: &str| {
        let what = format!("cannot write {}", file.display());
        Err(Refusal::new(what, "name a file in a folder that is there").because(why.to_owned()))
    };
    match file.parent() {
        _ if file.is_dir() => refused("it is a folder"),
        Some(folder) if !folder.is_dir() => refused("its folder is not there"),
        Some(_) | None => Ok(()),
    }
}

/// Writes the page, whole or not at all, in place of an earlier one. For the operator's eyes: it says where each server is, and what is
/// open there.
pub(super) fn write(file: &Path, page: &str) -> Result<(), Failure> {
    let mut half = file.to_owned().into_os_string();
    half.push(format!(".half-{}", std::process::id()));
    let half = PathBuf::from(half);
    let written = put(&half, page).and_then(|()| std::fs::rename(&half, file));
    if written.is_err() {
        let _ = std::fs::remove_file(&half);
    }
    written.with_context(|| format!("cannot write {}", file.display()))?;
    Ok(())
}

fn put(path: &Path, page: &str) -> std::io::Result<()> {
    let mut file =
        std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(page.as_bytes())?;
    file.sync_all()
}
