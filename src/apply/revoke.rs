//! The step that has a certificate revoked before its server goes. The server does it by itself, so that no key leaves it.

use anyhow::{Context as _, Result};
use tokio::time::timeout;

use super::World;
use super::instance::Done;
use super::line::target;
use crate::host::revoke::{self, LIMIT};
use crate::model::instance::{Instance, Outcome};
use crate::ssh::{Session, Target};

/// Tries it once. That it fails is told, and keeps nobody from removing the server: it may be broken, and without its key, which
/// goes with it, its certificate is of no use to anybody.
pub(super) async fn revoke(instance: &Instance, world: &World) -> Result<Done> {
    world.doing(instance, "having its certificate revoked");
    let target = target(instance, world)?;
    let revoked = async {
        let revoked = timeout(LIMIT, ask(&target)).await;
        Ok(revoked.with_context(|| format!("no answer within {} s", LIMIT.as_secs())).flatten())
    };
    let line = match world.stop.or(revoked).await? {
        Ok(serial) => format!("certificate revoked ({serial})"),
        Err(why) => format!("certificate not revoked: {why:#}"),
    };
    Ok(Done::new(Outcome::Revoked, line))
}

async fn ask(target: &Target) -> Result<String> {
    let session = Session::connect(target).await?;
    let output = session.run(&revoke::revoke(), LIMIT).await;
    session.close().await;
    revoke::parse(&output?)
}
