//! `clawberth init`

use std::io::Write;

use anyhow::Context as _;
use serde_json::json;

use super::context::Context;
use super::{Failure, Status};
use crate::config::{FILE_NAME, Flags, template};
use crate::model::admin::AdminNetworks;
use crate::model::refusal::Refusal;

/// Write a commented clawberth.toml
#[derive(Debug, clap::Args)]
pub(super) struct Init {
    /// An address or network from which SSH is allowed, or "any"; several by repetition
    #[arg(long = "admin", value_name = "NETWORK")]
    admin: Vec<String>,
}

impl Init {
    pub(super) fn run(self, flags: &Flags, context: &mut Context) -> Result<Status, Failure> {
        let path = context.cwd.join(flags.config.clone().unwrap_or_else(|| FILE_NAME.into()));
        if path.exists() {
            let hint = "edit it, or write another one with --config FILE";
            return Err(Refusal::new(format!("{} exists already", path.display()), hint).into());
        }
        let entries = if self.admin.is_empty() { ask(context)? } else { self.admin };
        let hint = "try `clawberth init --admin 203.0.113.7`";
        AdminNetworks::parse(entries.iter().map(String::as_str))
            .map_err(|why| Refusal::new("cannot write the configuration", hint).because(why))?;
        let quoted: Vec<String> = entries.iter().map(|entry| format!("\"{}\"", entry.trim())).collect();
        std::fs::File::create_new(&path)
            .and_then(|mut file| file.write_all(template(&quoted.join(", ")).as_bytes()))
            .with_context(|| format!("cannot write {}", path.display()))?;
        if context.ui.style().json {
            context.ui.json(&json!({ "config": path }))?;
        } else {
            context.ui.answer(&path.display().to_string())?;
        }
        context.ui.note("next: export HCLOUD_TOKEN=… and run `clawberth deploy NAME`");
        Ok(Status::Success)
    }
}

fn ask(context: &mut Context) -> Result<Vec<String>, Failure> {
    if !context.ui.style().interactive {
        let hint = "say it with --admin, like `clawberth init --admin 203.0.113.7`";
        return Err(Refusal::new("the admin networks are not known", hint).into());
    }
    context.ui.note("From which addresses may SSH reach your servers? Nobody else sees port 22.");
    let line = context.ui.ask("addresses or networks, separated by commas: ")?;
    Ok(line.split(',').map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect())
}
