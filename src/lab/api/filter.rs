//! The one task that hands firewall rules to the machines, one server after the other: whatever it sets is what the
//! memory says at that moment, so that no older rules can overtake newer ones.

use anyhow::{Context, Result};
use tokio::sync::{mpsc, oneshot};

use super::{Cloud, WeakCloud};
use super::{firewall, server};

/// A request to set a server's filter anew.
#[derive(Debug)]
pub(crate) struct Refresh {
    project: usize,
    server: u64,
    done: oneshot::Sender<Result<()>>,
}

/// Asks for a server's filter to be set and waits until it is.
pub(crate) async fn refresh(
    filters: &mpsc::UnboundedSender<Refresh>,
    project: usize,
    server: u64,
) -> Result<()> {
    let (done, answer) = oneshot::channel();
    filters.send(Refresh { project, server, done }).ok().context("the lab is gone")?;
    answer.await.context("the lab is gone")?
}

/// Sets filters until the last cloud handle is gone.
pub(crate) async fn serve(cloud: WeakCloud, mut requests: mpsc::UnboundedReceiver<Refresh>) {
    while let Some(Refresh { project, server, done }) = requests.recv().await {
        let outcome = match cloud.upgrade(project) {
            Some(cloud) => apply(&cloud, server).await,
            None => return,
        };
        // nobody may be waiting any more; the filter is set all the same
        drop(done.send(outcome));
    }
}

async fn apply(cloud: &Cloud, id: u64) -> Result<()> {
    let wanted =
        cloud.read(|world| server::machine_spec(world, id).map(|spec| (spec, firewall::accepts(world, id))));
    match wanted {
        Some((spec, accepts)) => cloud.machines().filter(&spec, accepts.as_deref()).await,
        None => Ok(()),
    }
}
