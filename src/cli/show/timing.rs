//! `clawberth show --timing`: where each second of a deploy went, as both sides have written it down.

use std::time::Duration;

use anyhow::Context as _;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::context::Context;
use super::super::fleet::Fleet;
use super::super::{Failure, Status};
use crate::clock::human;
use crate::host::timing::{self, Part};
use crate::model::instance::Instance;
use crate::model::refusal::Refusal;
use crate::ssh::{Session, Target};
use crate::store::Entry;
use crate::ui::{Span, chart};

/// Longest run of the one command.
const COMMAND: Duration = Duration::from_secs(15);
/// The steps with which a deploy begins.
const CREATE: &str = "create";
const CLAIM: &str = "claim";

pub(super) async fn show(
    instance: &Instance,
    fleet: &Fleet,
    context: &mut Context,
) -> Result<Status, Failure> {
    let name = &instance.name;
    let history = match fleet.store() {
        Some(store) => store.history(Some(name.as_str())).await?,
        None => Vec::new(),
    };
    let deploy = deploy(&history);
    let steps = parts(deploy)?;
    let Some(begun) = steps.iter().map(|step| step.begun).min() else {
        let hint = format!("`clawberth state history {name}` shows what was done");
        return Err(Refusal::new(format!("how {name} was deployed is not written down here"), hint).into());
    };
    let was_claimed = deploy.first().is_some_and(|entry| entry.step == CLAIM);
    let parts = match fleet.target(instance) {
        // its server did nothing for it: it served already
        _ if was_claimed => Ok(Vec::new()),
        Ok(target) => ask(&target).await,
        Err(refusal) => Err(refusal.into()),
    };
    let mut spans: Vec<Span> = steps.iter().map(|part| span("here", part, begun)).collect();
    match parts {
        Ok(parts) => spans.extend(parts.iter().map(|part| span("server", part, begun))),
        Err(why) => context.ui.note(&format!("what the server did is not known: {why:#}")),
    }
    spans.sort_by(|a, b| (a.begun, &a.place).cmp(&(b.begun, &b.place)));
    if context.ui.style().json {
        let begun = Timestamp::from_second(begun).context("a time that is none")?.to_string();
        let spans: Vec<Value> = spans.iter().map(in_json).collect();
        context.ui.json(&json!({ "name": name, "begun": begun, "spans": spans }))?;
    } else {
        let end = spans.iter().map(|span| span.begun + span.took).max().unwrap_or_default();
        context.ui.answer(&chart(&spans))?;
        context.ui.note(&format!("{} in all", human(end)));
    }
    Ok(Status::Success)
}

/// From the last create or claim until it served for the first time after that.
fn deploy(history: &[Entry]) -> &[Entry] {
    let first = history.iter().rposition(|entry| entry.step == CREATE || entry.step == CLAIM);
    let since = first.and_then(|first| history.get(first..)).unwrap_or_default();
    let served = |entry: &Entry| entry.step == "serve" && entry.outcome.as_deref() == Some("serving");
    let length = since.iter().position(served).map_or(since.len(), |last| last + 1);
    since.get(..length).unwrap_or(since)
}

/// The steps, as far as they came to an end.
fn parts(deploy: &[Entry]) -> Result<Vec<Part>, Failure> {
    let ended = deploy.iter().filter_map(|entry| Some((entry, entry.ended.as_ref()?)));
    let second = |text: &str| text.parse::<Timestamp>().map(Timestamp::as_second);
    let part = |(entry, ended): (&Entry, &String)| {
        Ok(Part { name: entry.step.clone(), begun: second(&entry.begun)?, ended: second(ended)? })
    };
    ended.map(part).collect::<anyhow::Result<_>>().map_err(Failure::from)
}

async fn ask(target: &Target) -> anyhow::Result<Vec<Part>> {
    let session = Session::connect(target).await?;
    let output = session.run(&timing::timing(), COMMAND).await;
    session.close().await;
    timing::parse_timing(&output?)
}

/// A server's clock may be behind: nothing begins before the first step.
fn span(place: &str, part: &Part, first: i64) -> Span {
    let seconds = |from: i64, to: i64| Duration::from_secs(u64::try_from(to - from).unwrap_or_default());
    Span {
        place: place.to_owned(),
        what: part.name.clone(),
        begun: seconds(first, part.begun),
        took: seconds(part.begun, part.ended),
    }
}

fn in_json(Span { place, what, begun, took }: &Span) -> Value {
    json!({ "where": place, "what": what, "after": begun.as_secs(), "took": took.as_secs() })
}
