//! Which servers are switched off: one look for all who wait for one of them.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use super::World;
use crate::hcloud::Server;

/// How long what was seen is believed.
const FRESH: Duration = Duration::from_secs(10);

/// What was seen last.
#[derive(Debug, Default)]
pub struct Off(Mutex<Option<(Instant, BTreeSet<u64>)>>);

impl World {
    /// Whether a server is switched off. Who gives no answer does not say so, and lists may be late: they are not believed alone.
    pub(super) async fn is_off(&self, id: u64) -> bool {
        let mut seen = self.off.0.lock().await;
        let listed = match seen.as_ref().filter(|(when, _)| when.elapsed() < FRESH) {
            Some((_, off)) => off.contains(&id),
            None => {
                let found = self.cloud.servers_that_are("off", &self.store.fleet().selector()).await;
                let off: BTreeSet<u64> =
                    found.unwrap_or_default().into_iter().map(|server| server.id).collect();
                let (_, off) = seen.insert((Instant::now(), off));
                off.contains(&id)
            }
        };
        drop(seen);
        let is_off = |found: Option<Server>| found.is_some_and(|server| server.status == "off");
        listed && self.cloud.server(id).await.is_ok_and(is_off)
    }
}
