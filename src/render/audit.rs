//! The report of an audit as one page, which can be shown to others: no script, and nothing from elsewhere.

use std::collections::BTreeMap;

use anyhow::Result;
use serde::Serialize;

use super::templates::{Template, page};
use crate::model::audit::{Finding, Verdict};
use crate::model::fleet::FleetId;
use crate::model::instance::Instance;
use crate::model::name::InstanceName;

/// What an audit found, and of whom.
#[derive(Clone, Copy, Debug)]
pub struct AuditReport<'a> {
    /// The fleet.
    pub fleet: &'a FleetId,
    /// The instances that were looked at.
    pub instances: &'a [Instance],
    /// What was found of each, in the order of the promises.
    pub findings: &'a BTreeMap<InstanceName, Vec<Finding>>,
    /// When, in RFC 3339, UTC.
    pub time: &'a str,
}

/// What the template may say; strict mode refuses any other name.
#[derive(Serialize)]
struct Page<'a> {
    date: &'a str,
    time: String,
    count: String,
    fleet: String,
    version: &'static str,
    all: Sum,
    instances: Vec<Section<'a>>,
}

/// All verdicts in one.
#[derive(Serialize)]
struct Sum {
    word: &'static str,
    sentence: String,
}

#[derive(Serialize)]
struct Section<'a> {
    name: &'a str,
    about: String,
    sum: Sum,
    parts: Vec<Part<'a>>,
}

/// What was seen from one place.
#[derive(Serialize)]
struct Part<'a> {
    title: &'static str,
    lines: Vec<Line<'a>>,
}

#[derive(Serialize)]
struct Line<'a> {
    verdict: &'static str,
    promise: &'static str,
    text: &'static str,
    evidence: &'a str,
}

/// The page. What hosts and others said of themselves is in it as text, and can be nothing else.
///
/// # Errors
/// Never in practice: the template takes every text.
pub fn audit(report: &AuditReport<'_>) -> Result<String> {
    let instances: Vec<Section<'_>> =
        report.findings.iter().map(|(name, findings)| section(name, findings, report.instances)).collect();
    let count = match instances.len() {
        1 => "1 instance".to_owned(),
        many => format!("{many} instances"),
    };
    page(
        Template::AuditPage,
        &Page {
            date: report.time.split('T').next().unwrap_or_default(),
            time: report.time.replace('T', " ").replace('Z', " UTC"),
            count,
            fleet: report.fleet.to_string(),
            version: env!("CARGO_PKG_VERSION"),
            all: sum(report.findings.values().flatten()),
            instances,
        },
    )
}

fn section<'a>(name: &'a InstanceName, findings: &'a [Finding], instances: &[Instance]) -> Section<'a> {
    let mut parts: Vec<Part<'_>> = Vec::new();
    for (promise, verdict) in findings {
        let line = Line {
            verdict: verdict.word(),
            promise: promise.word(),
            text: promise.text(),
            evidence: verdict.evidence(),
        };
        match parts.last_mut().filter(|part| part.title == promise.seen()) {
            Some(part) => part.lines.push(line),
            None => parts.push(Part { title: promise.seen(), lines: vec![line] }),
        }
    }
    let about = instances.iter().find(|instance| instance.name == *name).map(about).unwrap_or_default();
    Section { name: name.as_str(), about, sum: sum(findings), parts }
}

/// Where it is, and what it runs.
fn about(instance: &Instance) -> String {
    let release = format!("OpenClaw {}", instance.spec.release.openclaw);
    match (instance.endpoint(), instance.stage.server()) {
        (Some(endpoint), Some(server)) => {
            format!("{} · {release} · server {} in {}", endpoint.origin(), server.id, server.location)
        }
        _ => format!("{release} · {}", instance.stage.word()),
    }
}

fn sum<'a>(findings: impl IntoIterator<Item = &'a Finding>) -> Sum {
    let (mut all, mut warned, mut failed) = (0, 0, 0);
    for (_, verdict) in findings {
        all += 1;
        match verdict {
            Verdict::Holds(_) => {}
            Verdict::Warns(_) => warned += 1,
            Verdict::Fails(_) => failed += 1,
        }
    }
    let look = format!("somebody should have a look at {warned}");
    let not = if failed == 1 { "does not hold" } else { "do not hold" };
    let (word, sentence) = match (warned, failed) {
        (0, 0) => ("ok", format!("All {all} promises hold.")),
        (_, 0) => ("warn", format!("All {all} promises hold; {look} of them.")),
        (0, _) => ("fail", format!("{failed} of {all} promises {not}.")),
        (_, _) => ("fail", format!("{failed} of {all} promises {not}; {look} more.")),
    };
    Sum { word, sentence }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::audit::Promise;

    fn shown(findings: &[Finding]) -> String {
        let findings = BTreeMap::from([("alice".parse().unwrap(), findings.to_vec())]);
        let fleet = FleetId::from_bytes([0; 8]);
        let time = "2026-11-22T12:00:00Z";
        audit(&AuditReport { fleet: &fleet, instances: &[], findings: &findings, time }).unwrap()
    }

    #[test]
    fn what_a_host_says_is_text_and_nothing_else() {
        let evil = "</p><script src=//eve.example/x></script><img src=x onerror='alert(1)'> & {{name}} \" `";
        let page = shown(&[(Promise::Sshd, Verdict::Fails(evil.to_owned()))]);
        let escaped = "&lt;/p&gt;&lt;script src&#x3D;//eve.example/x&gt;&lt;/script&gt;";
        assert!(page.contains(escaped), "{page}");
        for tag in ["<script", "<img", "<link", "<iframe", "url(", "@import", "http://", "https://"] {
            assert!(!page.contains(tag), "{tag}");
        }
        assert!(page.contains("{{name}}"), "it is no template");
    }

    #[test]
    fn the_worst_verdict_is_what_is_told_of_all() {
        let (ok, warn) = (Verdict::Holds("a".into()), Verdict::Warns("b".into()));
        let fail = || Verdict::Fails("c".into());
        let told = |verdicts: &[Verdict]| {
            let findings: Vec<Finding> = verdicts.iter().map(|one| (Promise::Disk, one.clone())).collect();
            let Sum { word, sentence } = sum(&findings);
            format!("{word}: {sentence}")
        };
        assert_eq!(told(std::slice::from_ref(&ok)), "ok: All 1 promises hold.");
        assert_eq!(
            told(&[ok.clone(), warn.clone()]),
            "warn: All 2 promises hold; somebody should have a look at 1 of them."
        );
        assert_eq!(told(&[ok.clone(), fail()]), "fail: 1 of 2 promises does not hold.");
        assert_eq!(
            told(&[warn, fail(), fail()]),
            "fail: 2 of 3 promises do not hold; somebody should have a look at 1 more."
        );
    }
}
