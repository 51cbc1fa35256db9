//! `clawberth releases`

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::context::Context;
use super::{Failure, Status};
use crate::config::{Flags, Settings};
use crate::model::instance::Instance;
use crate::model::name::InstanceName;
use crate::model::release::{Engines, OpenClawVersion, Release};
use crate::registry::{self, Catalogue, Offered, Sources};
use crate::store::Store;
use crate::ui::table;

/// List the OpenClaw releases that can be deployed, and which of them the fleet runs
#[derive(Debug, clap::Args)]
pub(super) struct Releases {}

/// What is known of a release.
struct Known {
    engines: Engines,
    published: Option<jiff::Timestamp>,
    is_latest: bool,
    is_tested: bool,
    instances: Vec<InstanceName>,
}

/// All of them, the newest first.
type All = BTreeMap<Reverse<OpenClawVersion>, Known>;

impl Releases {
    pub(super) async fn run(self, flags: &Flags, context: &mut Context) -> Result<Status, Failure> {
        let settings = Settings::load(flags, &context.env, &context.cwd)?;
        let instances = match Store::open_existing(&settings.state).await? {
            Some(store) => store.instances().await?,
            None => Vec::new(),
        };
        let catalogue = Catalogue::built_in()?;
        let offered = offered(&catalogue, &settings, context).await?;
        let all = all(&catalogue, offered, instances);
        if context.ui.style().json {
            context.ui.json(&Value::Array(all.iter().map(answer).collect()))?;
        } else {
            let heading =
                ["OPENCLAW", "PUBLISHED", "NODE", "TESTED", "INSTANCES"].map(str::to_owned).to_vec();
            let rows: Vec<_> = std::iter::once(heading).chain(all.iter().map(row)).collect();
            context.ui.answer(&table(&rows))?;
        }
        Ok(Status::Success)
    }
}

/// What the registry has; nothing where it gives no answer, and then that is said.
async fn offered(
    catalogue: &Catalogue,
    settings: &Settings,
    context: &mut Context,
) -> Result<Vec<Offered>, Failure> {
    let http = context.http()?;
    let node_mirror = &settings.node_mirror;
    let sources = Sources { catalogue, http: &http, env: context.env.all(), node_mirror };
    match registry::offered(&sources).await {
        Ok(offered) => Ok(offered),
        Err(error) => {
            context
                .ui
                .note(&format!("{error}; these are the tested releases, and those that the fleet runs"));
            Ok(Vec::new())
        }
    }
}

fn all(catalogue: &Catalogue, offered: Vec<Offered>, instances: Vec<Instance>) -> All {
    let mut all = All::new();
    let of = |release: &Release| Known {
        engines: release.engines.clone(),
        published: None,
        is_latest: false,
        is_tested: false,
        instances: Vec::new(),
    };
    for release in catalogue.releases() {
        all.insert(Reverse(release.openclaw), Known { is_tested: true, ..of(release) });
    }
    for Instance { name, spec, .. } in instances {
        all.entry(Reverse(spec.release.openclaw)).or_insert_with(|| of(&spec.release)).instances.push(name);
    }
    for Offered { openclaw, published, engines, is_latest } in offered {
        let (is_tested, instances) = (false, Vec::new());
        let new = Known { engines, published, is_latest, is_tested, instances };
        let known = all.entry(Reverse(openclaw)).or_insert(new);
        (known.published, known.is_latest) = (published, is_latest);
    }
    all
}

fn row((Reverse(openclaw), known): (&Reverse<OpenClawVersion>, &Known)) -> Vec<String> {
    let latest = if known.is_latest { " (latest)" } else { "" };
    let date = known.published.map(|time| time.strftime("%Y-%m-%d").to_string());
    let runs = known.instances.len();
    vec![
        format!("{openclaw}{latest}"),
        date.unwrap_or_else(|| "-".to_owned()),
        known.engines.to_string(),
        if known.is_tested { "yes" } else { "-" }.to_owned(),
        if runs == 0 { "-".to_owned() } else { runs.to_string() },
    ]
}

fn answer((Reverse(openclaw), known): (&Reverse<OpenClawVersion>, &Known)) -> Value {
    json!({
        "openclaw": openclaw.to_string(),
        "published": known.published.map(|time| time.to_string()),
        "engines": known.engines.to_string(),
        "latest": known.is_latest,
        "tested": known.is_tested,
        "instances": known.instances,
    })
}
