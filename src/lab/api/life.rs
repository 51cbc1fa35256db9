//! How a cloud comes up with what it had, and goes down in order.

use std::time::Duration;

use anyhow::{Context, Result};
use futures_util::{StreamExt, stream};

use super::Cloud;
use super::job;
use super::server::{self, ServerStatus};

/// How many machines boot or stop side by side: more would only wait for the same cores.
const SIDE_BY_SIDE: usize = 4;
/// How long a halt waits for actions: a machine's stop takes at most 30 s, a boot less.
const HALT_DEADLINE: Duration = Duration::from_secs(90);

impl Cloud {
    /// Brings everything back to where it was: boots the servers that ran, sets their filters, and does again what
    /// was interrupted. Safe while machines still run. What cannot be booted is off and logged.
    pub async fn resume(&self) {
        for project in self.projects() {
            project.resume_own().await;
        }
    }

    async fn resume_own(&self) {
        let (idle, shutting_down) = self.read(server::to_bring_back);
        let shutdowns = shutting_down.into_iter().map(|id| async move {
            if let Some(_busy) = self.busy() {
                job::finish_shutdown(self, id).await;
            }
        });
        futures_util::future::join_all(shutdowns).await;
        stream::iter(idle).for_each_concurrent(SIDE_BY_SIDE, |id| self.bring_back(id)).await;
        let begun = self
            .change(|world| {
                world.begin_again();
                Ok(())
            })
            .await;
        if begun.is_err() {
            tracing::error!("interrupted actions were not begun again");
        }
    }

    async fn bring_back(&self, id: u64) {
        let running =
            self.read(|world| world.servers.get(id).is_some_and(|s| s.status == ServerStatus::Running));
        let outcome = if running { job::start(self, id).await } else { job::create(self, id).await };
        let Err(error) = outcome else {
            return;
        };
        tracing::error!("server {id} did not come back: {error:#}");
        let saved = self
            .change(|world| {
                world.servers.find_mut(id)?.status = ServerStatus::Off;
                Ok(())
            })
            .await;
        if saved.is_err() {
            tracing::error!("server {id} is off, but this could not be written down");
        }
    }

    /// Ends what runs and stops all machines in order. The state still says "running", so that [`Cloud::resume`]
    /// boots them again; actions that could not be ended in time go on there, too.
    ///
    /// # Errors
    /// Actions still ran after 90 s, or a machine did not stop; the others are stopped all the same.
    pub async fn halt(&self) -> Result<()> {
        self.lab.load.send_modify(|load| load.halting = true);
        let mut load = self.lab.load.subscribe();
        let idle = tokio::time::timeout(HALT_DEADLINE, load.wait_for(|load| load.jobs == 0)).await;
        let waited = match idle {
            Ok(_) => Ok(()),
            Err(_) => Err(anyhow::anyhow!("actions still ran after {} s", HALT_DEADLINE.as_secs())),
        };
        let own =
            |cloud: Self| cloud.read(|world| world.servers.iter().map(|(id, _)| id).collect::<Vec<u64>>());
        let servers: Vec<u64> = self.projects().flat_map(own).collect();
        let stopped: Vec<Result<()>> = stream::iter(servers)
            .map(|id| async move {
                self.lab.machines.stop(id).await.with_context(|| format!("server {id} did not stop"))
            })
            .buffer_unordered(SIDE_BY_SIDE)
            .collect()
            .await;
        std::iter::once(waited).chain(stopped).collect()
    }
}
