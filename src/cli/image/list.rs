//! `clawberth image list`

use anyhow::Context as _;
use serde_json::Value;

use super::super::context::Context;
use super::super::fleet::{Fleet, cloud};
use super::super::{Failure, Status};
use super::{day, month};
use crate::config::{Flags, Settings};
use crate::model::image::{BakedImage, Use, uses};
use crate::model::observed::Prices;
use crate::ui::table;
use crate::{observe, render};

/// List the fleet's images, what each is good for, and what it costs
#[derive(Debug, clap::Args)]
pub(super) struct List {}

impl List {
    pub(super) async fn run(self, flags: &Flags, context: &mut Context) -> Result<Status, Failure> {
        let settings = Settings::load(flags, &context.env, &context.cwd)?;
        let client = cloud(&settings, context)?;
        let fleet = Fleet::find(&settings, context).await?;
        let images = observe::images(&client, &fleet.id).await.context("cannot see the fleet's images")?;
        let all = uses(images, &render::set_up()?, context.clock.timestamp());
        let prices = match all.as_slice() {
            [] => Prices::default(),
            [..] => observe::prices(&client).await.context("cannot see what Hetzner's prices are")?,
        };
        if context.ui.style().json {
            let all = all.iter().map(|(image, verdict)| super::json(image, *verdict, &prices));
            context.ui.json(&Value::Array(all.collect()))?;
        } else if all.is_empty() {
            context.ui.note("no images; `clawberth image bake` makes one");
        } else {
            let heading =
                ["SNAPSHOT", "OPENCLAW", "NODE", "BASE", "ARCHITECTURE", "SIZE", "MONTH", "MADE", "USE"];
            let rows = all.iter().map(|(image, verdict)| row(image, *verdict, &prices));
            let rows: Vec<_> = std::iter::once(heading.map(str::to_owned).to_vec()).chain(rows).collect();
            context.ui.answer(&table(&rows))?;
        }
        Ok(Status::Success)
    }
}

fn row(image: &BakedImage, verdict: Use, prices: &Prices) -> Vec<String> {
    let nothing = || "-".to_owned();
    let recipe = &image.recipe;
    vec![
        image.id.to_string(),
        recipe.openclaw.to_string(),
        recipe.node.clone(),
        recipe.base.clone(),
        image.architecture.clone(),
        image.size.map_or_else(nothing, |size| format!("{size:.1} GB")),
        month(image, prices).map_or_else(nothing, |price| format!("{price} {}", prices.currency)),
        day(image.created),
        verdict.words().to_owned(),
    ]
}
