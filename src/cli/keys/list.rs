//! `clawberth keys list`

use serde_json::json;

use super::super::context::Context;
use super::super::fleet::Fleet;
use super::super::{Failure, Status};
use super::{fingerprint, servers};
use crate::config::Settings;
use crate::model::operator_key::OperatorKey;
use crate::ui::table;

/// Show the keys, and whose servers let each of them in
#[derive(Debug, clap::Args)]
pub(super) struct List {}

/// A line of the answer.
struct Row {
    public: String,
    comment: String,
    status: &'static str,
    is_fleets: bool,
    instances: Vec<String>,
}

impl List {
    pub(super) async fn run(self, settings: &Settings, context: &mut Context) -> Result<Status, Failure> {
        let fleet = Fleet::find(settings, context).await?;
        let rows: Vec<Row> = if fleet.is_written() { rows(&fleet) } else { Vec::new() };
        let all = servers(&fleet).count();
        if context.ui.style().json {
            let of_one = |row: &Row| {
                json!({
                    "fingerprint": fingerprint(&row.public), "comment": row.comment, "public_key": row.public,
                    "status": row.status, "fleets_own": row.is_fleets, "instances": row.instances,
                })
            };
            context.ui.json(&json!({ "keys": rows.iter().map(of_one).collect::<Vec<_>>() }))?;
            return Ok(Status::Success);
        }
        if rows.is_empty() {
            context
                .ui
                .note("there is no fleet yet; `clawberth deploy NAME` begins one, with a key of its own");
            return Ok(Status::Success);
        }
        let mut lines = vec![["FINGERPRINT", "COMMENT", "STATUS", "INSTANCES"].map(str::to_owned).to_vec()];
        lines.extend(rows.into_iter().map(|row| {
            let instances = match row.instances.len() {
                0 => "none".to_owned(),
                some if some == all => "all".to_owned(),
                _ => row.instances.join(", "),
            };
            vec![fingerprint(&row.public), row.comment, row.status.to_owned(), instances]
        }));
        context.ui.answer(&table(&lines))?;
        Ok(Status::Success)
    }
}

fn rows(fleet: &Fleet) -> Vec<Row> {
    // what nobody has looked at has what it was born with
    let born_with = |public: &str| fleet.keys.others.is_empty() && public == fleet.keys.fleet;
    let has = |public: &str| {
        let with_it = servers(fleet).filter(|(_, admitted)| match admitted {
            Some(known) => known.contains(public),
            None => born_with(public),
        });
        with_it.map(|(instance, _)| instance.name.to_string()).collect()
    };
    let own = Row {
        public: fleet.keys.fleet.clone(),
        comment: fleet.id.common_name(),
        status: "the fleet's own",
        is_fleets: true,
        instances: has(&fleet.keys.fleet),
    };
    let others = fleet.keys.others.iter().map(|key: &OperatorKey| Row {
        public: key.public.clone(),
        comment: key.comment.clone(),
        status: key.status.words(),
        is_fleets: key.is_fleets,
        instances: has(&key.public),
    });
    [own].into_iter().chain(others).collect()
}
