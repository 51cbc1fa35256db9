//! `clawberth show`

mod timing;

use serde_json::{Value, json};

use super::context::Context;
use super::{Failure, Status, record};
use crate::cli::fleet::Fleet;
use crate::config::{Flags, Settings};
use crate::host::outside;
use crate::model::instance::Instance;
use crate::model::name::InstanceName;

/// Show what is known of an instance, and how its gateway looks from here now
#[derive(Debug, clap::Args)]
pub(super) struct Show {
    /// Name of the instance
    name: InstanceName,
    /// Show when what of its deploy was done instead, here and on the server
    #[arg(long)]
    timing: bool,
}

impl Show {
    pub(super) async fn run(self, flags: &Flags, context: &mut Context) -> Result<Status, Failure> {
        let settings = Settings::load(flags, &context.env, &context.cwd)?;
        let fleet = Fleet::find(&settings, context).await?;
        let instance = fleet.instance(&self.name)?;
        if self.timing {
            return timing::show(instance, &fleet, context).await;
        }
        let checks = match outside::Gate::of(instance, settings.acme_root.as_deref())? {
            Some(gate) => gate.check_once().await,
            None => Vec::new(),
        };
        if context.ui.style().json {
            let mut value = record::json(instance);
            if let Value::Object(fields) = &mut value {
                fields.insert("checks".to_owned(), checks.iter().map(check_json).collect());
            }
            context.ui.json(&value)?;
        } else {
            context.ui.answer(&text(instance, &checks))?;
        }
        Ok(Status::Success)
    }
}

fn text(instance: &Instance, checks: &[outside::Finding]) -> String {
    let heads = record::heading();
    let rows = heads.iter().zip(record::row(instance)).map(|(head, cell)| (head.to_lowercase(), cell));
    let mut rows: Vec<(String, String)> = rows.collect();
    rows.push(("node".into(), instance.spec.release.node.to_string()));
    if let Some(server) = instance.stage.server() {
        rows.push(("server".into(), server.id.to_string()));
        rows.push(("ipv4".into(), server.ipv4.to_string()));
        rows.push(("ipv6".into(), server.ipv6.map_or_else(|| "-".to_owned(), |v6| v6.to_string())));
        rows.push(("host key".into(), server.host_key.clone()));
    }
    for (check, found) in checks {
        let verdict = match found {
            Ok(evidence) => format!("ok: {evidence}"),
            Err(why) => format!("failed: {why:#}"),
        };
        rows.push((check.to_string(), verdict));
    }
    let width = rows.iter().map(|(head, _)| head.len()).max().unwrap_or(0);
    rows.iter().map(|(head, cell)| format!("{head:<width$}  {cell}")).collect::<Vec<_>>().join("\n")
}

fn check_json((check, found): &outside::Finding) -> Value {
    match found {
        Ok(evidence) => json!({ "check": check.to_string(), "ok": true, "evidence": evidence }),
        Err(why) => json!({ "check": check.to_string(), "ok": false, "why": format!("{why:#}") }),
    }
}
