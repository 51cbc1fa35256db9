//! `clawberth image …`

mod bake;
mod list;
mod prune;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::context::Context;
use super::{Failure, Status};
use crate::config::Flags;
use crate::model::image::{BakedImage, Use};
use crate::model::observed::Prices;
use crate::model::price::Price;

/// Snapshots with everything installed, from which `deploy` makes servers sooner
///
/// An image has a release, and nothing of anybody. `deploy` takes the one that fits by itself. Hetzner is paid for each by the
/// month, until it is pruned.
#[derive(Debug, clap::Args)]
pub(super) struct Image {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Bake(bake::Bake),
    List(list::List),
    Prune(prune::Prune),
}

impl Image {
    pub(super) async fn run(self, flags: Flags, context: &mut Context) -> Result<Status, Failure> {
        match self.command {
            Command::Bake(command) => command.run(flags, context).await,
            Command::List(command) => command.run(&flags, context).await,
            Command::Prune(command) => command.run(&flags, context).await,
        }
    }
}

/// What an image costs in a month; none where that is not known.
pub(super) fn month(image: &BakedImage, prices: &Prices) -> Option<Price> {
    prices.snapshot_gb?.times(image.size?)
}

/// An image for machines. Stable: fields are added, not changed.
fn json(image: &BakedImage, verdict: Use, prices: &Prices) -> Value {
    let recipe = &image.recipe;
    json!({
        "id": image.id, "openclaw": recipe.openclaw, "node": recipe.node, "base": recipe.base,
        "set_up": recipe.set_up, "architecture": image.architecture, "disk_gb": image.disk,
        "size_gb": image.size, "created": image.created, "use": verdict.words(),
        "month": month(image, prices).map(|price| price.to_string()), "currency": prices.currency,
    })
}

/// What an image is, and what it costs, in words.
fn words(image: &BakedImage, prices: &Prices) -> String {
    let recipe = &image.recipe;
    let size = image.size.map(|size| format!(", {size:.1} GB")).unwrap_or_default();
    let cost = month(image, prices).map(|price| format!(", {price} {} a month", prices.currency));
    format!(
        "snapshot {}: OpenClaw {} on {}, {}{size}{}",
        image.id,
        recipe.openclaw,
        recipe.base,
        image.architecture,
        cost.unwrap_or_default()
    )
}

/// The day on which it was made.
fn day(created: Option<Timestamp>) -> String {
    created.map_or_else(|| "-".to_owned(), |time| time.strftime("%Y-%m-%d").to_string())
}
