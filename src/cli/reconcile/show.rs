//! What `reconcile` answers.

use serde_json::{Value, json};

use super::{Finding, Reconciliation};
use crate::cli::Failure;
use crate::cli::context::Context;
use crate::model::observed::Prices;
use crate::ui::table;

/// The differences as a table, or in JSON; nothing where there are none.
pub(super) fn answer(
    result: &Reconciliation,
    prices: Option<&Prices>,
    context: &mut Context,
) -> Result<(), Failure> {
    let currency = prices.map(|prices| prices.currency.as_str());
    let currency = currency.or(result.plan.cost.as_ref().map(|(_, currency)| currency.as_str()));
    if context.ui.style().json {
        let drift: Vec<Value> = result.findings.iter().map(finding_json).collect();
        let left_alone = &result.left_alone;
        context.ui.json(&json!({ "drift": drift, "currency": currency, "left_alone": left_alone }))?;
    } else if !result.findings.is_empty() {
        let heading = ["SUBJECT", "DRIFT", "FOUND", "MONTHLY", "REPAIR"].map(str::to_owned).to_vec();
        let rows = result.findings.iter().map(|finding| row(finding, currency.unwrap_or_default()));
        context.ui.answer(&table(&std::iter::once(heading).chain(rows).collect::<Vec<_>>()))?;
    }
    Ok(())
}

fn row(finding: &Finding, currency: &str) -> Vec<String> {
    let month = finding.month.map_or_else(|| "-".to_owned(), |price| format!("{price} {currency}"));
    vec![
        finding.subject.clone(),
        finding.drift.words().to_owned(),
        finding.drift.found(),
        month,
        finding.drift.repair(&finding.subject).words().to_owned(),
    ]
}

/// A difference for machines. Stable: fields are added, not changed.
fn finding_json(finding: &Finding) -> Value {
    json!({
        "subject": finding.subject,
        "drift": finding.drift.words(),
        "found": finding.drift.found(),
        "month": finding.month.map(|price| price.to_string()),
        "repair": finding.drift.repair(&finding.subject).words(),
        "only_reported": finding.stays(),
    })
}
