//! The API's faults, as long as the commands are at work: all at once, each for a small part of the requests.

use anyhow::Result;
use serde_json::{Value, json};

use crate::bed::Operator;

/// Puts all of them in force; what is returned lifts them.
pub(crate) fn bad<'a>(operator: &'a Operator<'_>, seed: u64) -> Result<impl FnOnce() -> Result<()> + 'a> {
    let put = faults().into_iter().zip(seed..).map(|(mut fault, seed)| {
        if let Some(fields) = fault.as_object_mut() {
            fields.insert("seed".to_owned(), seed.into());
        }
        operator.api.fault(fault)
    });
    let in_force = put.collect::<Result<Vec<_>>>()?;
    Ok(move || in_force.into_iter().try_for_each(|fault| operator.api.lift(fault)))
}

fn faults() -> Vec<Value> {
    vec![
        json!({ "kind": "reply_lost", "probability": 0.02 }),
        // a create is where a lost reply can cost most
        json!({ "kind": "reply_lost", "route": "POST /**", "probability": 0.1 }),
        json!({ "kind": "connection_reset", "probability": 0.02 }),
        json!({ "kind": "answer", "status": 502, "when": "before", "probability": 0.02 }),
        json!({ "kind": "answer", "status": 502, "when": "after", "probability": 0.02 }),
        json!({ "kind": "answer", "status": 409, "when": "before", "probability": 0.01 }),
        json!({ "kind": "answer", "status": 429, "when": "before", "probability": 0.01 }),
        json!({ "kind": "stale_lists", "delay": "1500ms", "probability": 0.3 }),
    ]
}
