//! `clawberth state history`

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::super::context::Context;
use super::super::{Failure, Status};
use super::snapshot;
use crate::config::Settings;
use crate::model::name::InstanceName;
use crate::model::refusal::Refusal;
use crate::plan::IMAGE;
use crate::store::{Entry, FLEET, Session};
use crate::ui::table;

/// Show what was done, when, by whom, and what came of it
#[derive(Debug, clap::Args)]
pub(super) struct History {
    /// Name of the instance, also of one that is gone; without it everything is shown
    name: Option<InstanceName>,
}

impl History {
    pub(super) async fn run(self, settings: &Settings, context: &mut Context) -> Result<Status, Failure> {
        let store = snapshot(settings).await?;
        let entries = store.history(self.name.as_ref().map(InstanceName::as_str)).await?;
        if let (Some(name), true) = (&self.name, entries.is_empty()) {
            let hint = "`clawberth state history` shows all that was done";
            return Err(Refusal::new(format!("nothing was ever done for {name}"), hint).into());
        }
        let sessions: BTreeMap<String, Session> =
            store.sessions().await?.into_iter().map(|session| (session.id.clone(), session)).collect();
        let held = store.held().await?;
        let at_work: BTreeSet<&str> =
            held.iter().filter_map(|held| held.by.as_ref()).map(|by| by.id.as_str()).collect();
        let rows = entries.iter().map(|entry| {
            let session = entry.session.as_ref().and_then(|id| sessions.get(id));
            (entry, session, outcome(entry, &at_work))
        });
        if context.ui.style().json {
            let rows = rows.map(|(entry, session, outcome)| {
                json!({
                    "subject": subject(entry), "step": entry.step, "begun": entry.begun, "ended": entry.ended,
                    "outcome": outcome, "who": session.map(|s| &s.who), "command": session.map(|s| &s.command),
                })
            });
            context.ui.json(&rows.collect())?;
        } else {
            let rows = rows.map(|(entry, session, outcome)| {
                let of = |what: fn(&Session) -> &String| {
                    session.map_or_else(|| "-".to_owned(), |s| what(s).clone())
                };
                let (who, command) = (of(|s| &s.who), of(|s| &s.command));
                vec![
                    entry.begun.clone(),
                    subject(entry).to_owned(),
                    entry.step.clone(),
                    outcome,
                    who,
                    command,
                ]
            });
            let heading =
                ["BEGUN", "SUBJECT", "STEP", "OUTCOME", "WHO", "COMMAND"].map(str::to_owned).to_vec();
            let rows: Vec<Vec<String>> = std::iter::once(heading).chain(rows).collect();
            context.ui.answer(&table(&rows))?;
        }
        Ok(Status::Success)
    }
}

fn subject(entry: &Entry) -> &str {
    match entry.subject.as_str() {
        FLEET => "(fleet)",
        IMAGE => "(image)",
        name => name,
    }
}

/// A step without an outcome goes on while whoever began it is at work; else it was interrupted.
fn outcome(entry: &Entry, at_work: &BTreeSet<&str>) -> String {
    match &entry.outcome {
        Some(outcome) => outcome.clone(),
        None if entry.session.as_deref().is_some_and(|id| at_work.contains(id)) => "going on".to_owned(),
        None => "interrupted".to_owned(),
    }
}
