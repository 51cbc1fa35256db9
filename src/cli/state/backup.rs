//! `clawberth state backup`

use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::super::context::Context;
use super::super::{Failure, Status};
use super::snapshot;
use crate::config::Settings;
use crate::model::fleet::FleetId;
use crate::model::place::Place;
use crate::model::refusal::Refusal;
use crate::store::Store;
use crate::ui::counted;

/// Write a copy of the state as it is now into a new SQLite file, while others go on working
#[derive(Debug, clap::Args)]
pub(super) struct Backup {
    /// The file, which must not be there yet
    file: PathBuf,
}

impl Backup {
    pub(super) async fn run(self, settings: &Settings, context: &mut Context) -> Result<Status, Failure> {
        let taken = || Refusal::new(format!("{} exists already", self.file.display()), "name a new file");
        if self.file.exists() {
            return Err(taken().into());
        }
        let document = snapshot(settings).await?.document().await?;
        let mut half = self.file.clone().into_os_string();
        half.push(format!(".half-{}", std::process::id()));
        let half = PathBuf::from(half);
        let fresh = FleetId::stored(document.fleet.id.clone());
        let store = Store::open(&Place::File(half.clone()), &fresh, context.session()).await?;
        store.replace(&document, &context.clock.now()).await?;
        store.close().await?;
        // a link, unlike a renaming, never takes the place of another file
        let linked = std::fs::hard_link(&half, &self.file);
        for ending in ["", ".lock", "-wal", "-shm"] {
            let mut left = half.clone().into_os_string();
            left.push(ending);
            let _ = std::fs::remove_file(left);
        }
        match linked {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => return Err(taken().into()),
            Err(error) => {
                return Err(anyhow::Error::new(error)
                    .context(format!("cannot write {}", self.file.display()))
                    .into());
            }
        }
        let folder =
            self.file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let synced = std::fs::File::open(folder).and_then(|folder| folder.sync_all());
        synced.with_context(|| format!("cannot write {}", folder.display()))?;
        context.ui.note(&format!(
            "{} in {} now; keep a copy of the fleet's SSH key with it",
            counted(document.instances.len(), "instance"),
            self.file.display()
        ));
        Ok(Status::Success)
    }
}
