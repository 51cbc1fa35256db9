//! What is mounted on this computer.

use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The mount points at and below a path, in the order in which they were mounted.
pub(super) fn at_and_below(path: &Path) -> Result<Vec<PathBuf>> {
    // the table has no symbolic links in its paths
    let path = match fs::canonicalize(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        real => real.with_context(|| format!("cannot find {}", path.display()))?,
    };
    let table = fs::read("/proc/self/mounts").context("cannot read the mount table")?;
    let points =
        table.split(|byte| *byte == b'\n').filter_map(|line| line.split(|byte| *byte == b' ').nth(1));
    Ok(points.map(unescaped).filter(|point| point.starts_with(&path)).collect())
}

/// The table writes a space as `\040`, and tab, newline and backslash alike.
fn unescaped(word: &[u8]) -> PathBuf {
    let mut bytes = Vec::with_capacity(word.len());
    let mut rest = word;
    while let [first, after @ ..] = rest {
        rest = match (first, after) {
            (b'\\', [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', after @ ..]) => {
                bytes.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                after
            }
            _ => {
                bytes.push(*first);
                after
            }
        };
    }
    PathBuf::from(OsString::from_vec(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_taken_off() {
        assert_eq!(unescaped(br"/a\040b\134c\"), Path::new(r"/a b\c\"));
    }

    #[test]
    fn what_is_not_there_has_nothing_mounted() {
        assert_eq!(at_and_below(Path::new("/no/such/place")).unwrap(), Vec::<PathBuf>::new());
    }
}
