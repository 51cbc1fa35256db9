//! What is fetched or built once and kept under the user's cache directory.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rustix::fs::{FlockOperation, flock};
use sha2::{Digest, Sha256};
use tokio::task::spawn_blocking;

/// The cache: one directory per thing and recipe, so that a changed recipe builds anew and what runs on the old
/// one keeps it.
#[derive(Clone, Debug)]
pub(super) struct Cache {
    root: PathBuf,
}

impl Cache {
    /// `$XDG_CACHE_HOME/clawberth`, else `~/.cache/clawberth`.
    pub(super) fn of_user() -> Result<Self> {
        let root = super::dir::home_of("XDG_CACHE_HOME", ".cache")?.join("clawberth");
        Ok(Self { root })
    }

    /// The directory that `build` fills from `recipe`; built at most once, also when two processes ask.
    pub(super) async fn entry<F>(&self, name: &str, recipe: &str, build: F) -> Result<PathBuf>
    where
        F: AsyncFnOnce(&Path) -> Result<()>,
    {
        let path = self.root.join(format!("{name}-{}", digest(recipe)));
        if path.is_dir() {
            return Ok(path);
        }
        fs::create_dir_all(&self.root).with_context(|| format!("cannot make {}", self.root.display()))?;
        let _lock = self.lock(name).await?;
        if path.is_dir() {
            return Ok(path);
        }
        let half = self.root.join(format!("{name}.half"));
        remove(&half)?;
        fs::create_dir(&half).with_context(|| format!("cannot make {}", half.display()))?;
        build(&half).await.with_context(|| format!("cannot prepare the lab's {name}"))?;
        fs::rename(&half, &path).with_context(|| format!("cannot keep {}", path.display()))?;
        Ok(path)
    }

    /// Waits for the process that builds the same thing; its build has a deadline.
    async fn lock(&self, name: &str) -> Result<File> {
        let path = self.root.join(format!("{name}.lock"));
        let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
        let locked =
            spawn_blocking(move || flock(&file, FlockOperation::LockExclusive).map(|()| file)).await?;
        locked.with_context(|| format!("cannot lock {}", path.display()))
    }
}

fn digest(recipe: &str) -> String {
    let hash = Sha256::digest(recipe);
    hash.iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

/// Removes a directory with all that is in it, if it is there.
pub(super) fn remove(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_recipe_is_built_once_and_a_failed_build_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache { root: dir.path().join("c") };
        let failed = cache.entry("thing", "v1", async |_| anyhow::bail!("no")).await;
        assert_eq!(format!("{:#}", failed.unwrap_err()), "cannot prepare the lab's thing: no");
        let write = async |half: &Path| Ok(fs::write(half.join("a"), "1")?);
        let first = cache.entry("thing", "v1", write).await.unwrap();
        let again = cache.entry("thing", "v1", async |_| anyhow::bail!("built twice")).await.unwrap();
        assert_eq!(first, again);
        assert_eq!(fs::read_to_string(first.join("a")).unwrap(), "1");
        let other = cache.entry("thing", "v2", async |_| Ok(())).await.unwrap();
        assert_ne!(first, other);
    }
}
