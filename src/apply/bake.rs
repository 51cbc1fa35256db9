//! Watches what is on trial, from outside and on its server, until it may stay.

use std::time::Duration;

use anyhow::{Result, anyhow};
use tokio::time::Instant;

use super::line::Line;
use super::policy;
use crate::host::outside::Gate;
use crate::host::{policy as of_policy, update};
use crate::model::fleet::OpId;
use crate::model::release::OpenClawVersion;

/// Between two looks at a gateway that is watched.
const LOOK: Duration = Duration::from_secs(5);
/// A gateway that cannot be seen from outside for so long fails; less may be the way there.
const UNSEEN: Duration = Duration::from_secs(15);

/// What is on trial.
#[derive(Clone, Copy)]
pub(super) enum Trial<'a> {
    Release(OpenClawVersion),
    /// The policy of this change.
    Policy(&'a OpId),
}

/// All checks hold at the beginning and at the end, and the gateway is ready all the time between: a gateway takes many
/// strangers from one address for an attack.
pub(super) async fn until_baked(
    trial: Trial<'_>,
    gate: &Gate,
    watch: Duration,
    line: &mut Line<'_>,
) -> Result<()> {
    until_seen(trial, gate, true, line).await?;
    let end = Instant::now() + watch;
    while Instant::now() < end {
        tokio::time::sleep_until(end.min(Instant::now() + LOOK)).await;
        until_seen(trial, gate, false, line).await?;
    }
    until_seen(trial, gate, true, line).await
}

/// What the server says counts at once; what is seen from outside may be bad for a moment.
async fn until_seen(trial: Trial<'_>, gate: &Gate, whole: bool, line: &mut Line<'_>) -> Result<()> {
    let late = Instant::now() + UNSEEN;
    loop {
        trial.asked(whole, line).await?;
        let Err(error) = seen(gate, whole).await else { return Ok(()) };
        if Instant::now() > late {
            return Err(error.context(trial.unseen()));
        }
        tokio::time::sleep(LOOK / 2).await;
    }
}

async fn seen(gate: &Gate, whole: bool) -> Result<()> {
    if !whole {
        return gate.ready().await.map(drop);
    }
    let bad = gate.check_once().await.into_iter().find_map(|(check, found)| Some((check, found.err()?)));
    bad.map_or(Ok(()), |(check, why)| Err(anyhow!("{check}: {why:#}")))
}

impl Trial<'_> {
    /// Asks the server.
    async fn asked(self, whole: bool, line: &mut Line<'_>) -> Result<()> {
        match self {
            Self::Release(version) => {
                let part = if whole { update::Part::Gate(version) } else { update::Part::Look(version) };
                Ok(update::ended(part, &line.part(part).await?)?)
            }
            Self::Policy(id) => {
                let part = of_policy::Part::Look;
                policy::ended(part, &line.long(&part.command(id)?, part.limit()).await?)
            }
        }
    }

    fn unseen(self) -> String {
        match self {
            Self::Release(version) => format!("OpenClaw {version} does not serve, seen from outside"),
            Self::Policy(_) => "with that policy it does not serve, seen from outside".to_owned(),
        }
    }
}
