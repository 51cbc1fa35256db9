//! `clawberth pool status`

use anyhow::Context as _;
use serde_json::{Value, json};

use super::super::context::Context;
use super::super::fleet::{Fleet, cloud};
use super::super::{Failure, Status, deploy, record};
use crate::config::{Flags, Settings};
use crate::model::instance::Instance;
use crate::model::observed::Prices;
use crate::model::price::Price;
use crate::observe;
use crate::plan::{Standing, standing};
use crate::ui::{counted, table};

/// List the standbys, what each is good for, and what it costs
#[derive(Debug, clap::Args)]
pub(super) struct PoolStatus {}

impl PoolStatus {
    pub(super) async fn run(self, flags: &Flags, context: &mut Context) -> Result<Status, Failure> {
        let settings = Settings::load(flags, &context.env, &context.cwd)?;
        let client = cloud(&settings, context)?;
        let fleet = Fleet::find(&settings, context).await?;
        let wanted = deploy::spec(
            &Settings { domain: None, ..settings.clone() },
            deploy::choose(&settings, context).await?,
        );
        let standbys: Vec<&Instance> = fleet.instances.iter().filter(|one| one.name.is_standby()).collect();
        let prices = match standbys.as_slice() {
            [] => Prices::default(),
            [..] => observe::prices(&client).await.context("cannot see what Hetzner's prices are")?,
        };
        let all: Vec<(&Instance, Standing, Option<Price>)> =
            standbys.into_iter().map(|one| (one, standing(one, &wanted), month(one, &prices))).collect();
        if context.ui.style().json {
            let all = all.iter().map(|(one, standing, month)| json(one, *standing, *month, &prices));
            context.ui.json(&Value::Array(all.collect()))?;
        } else if all.is_empty() {
            context.ui.note("no standbys; `clawberth pool fill --size SIZE` makes some");
        } else {
            let heading = ["STANDBY", "OPENCLAW", "TYPE", "LOCATION", "CREATED", "MONTH", "USE"];
            let rows = all.iter().map(|(one, standing, month)| row(one, *standing, *month, &prices));
            let rows: Vec<_> = std::iter::once(heading.map(str::to_owned).to_vec()).chain(rows).collect();
            context.ui.answer(&table(&rows))?;
            let sum: Price = all.iter().filter_map(|(_, _, month)| *month).sum();
            let standbys = counted(all.len(), "standby");
            context.ui.note(&format!("{standbys}: {sum} {} a month, without VAT", prices.currency));
        }
        Ok(Status::Success)
    }
}

/// What its server and its address cost in a month; none where there is no server, or that is not known.
fn month(standby: &Instance, prices: &Prices) -> Option<Price> {
    let location = &standby.stage.server()?.location;
    let server = prices.server.get(&(standby.spec.server_type.clone(), location.clone()))?;
    Some(*server + prices.ipv4.get(location).copied().unwrap_or_default())
}

/// A standby for machines. Stable: fields are added, not changed.
fn json(standby: &Instance, standing: Standing, month: Option<Price>, prices: &Prices) -> Value {
    let mut all = record::json(standby);
    if let Some(fields) = all.as_object_mut() {
        fields.insert("use".into(), json!(standing.words()));
        fields.insert("month".into(), json!(month.map(|price| price.to_string())));
        fields.insert("currency".into(), json!(prices.currency));
    }
    all
}

fn row(standby: &Instance, standing: Standing, month: Option<Price>, prices: &Prices) -> Vec<String> {
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    vec![
        standby.name.to_string(),
        standby.spec.release.openclaw.to_string(),
        standby.spec.server_type.clone(),
        or_dash(standby.stage.server().map(|server| server.location.clone())),
        standby.created.clone(),
        or_dash(month.map(|price| format!("{price} {}", prices.currency))),
        standing.words().to_owned(),
    ]
}
