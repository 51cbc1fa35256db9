//! `clawberth audit`

mod page;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use anyhow::Context as _;
use futures_util::stream::{self, StreamExt as _};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::{Value, json};

use super::context::Context;
use super::fleet::{Fleet, cloud, look};
use super::{Failure, Status};
use crate::config::{Flags, Settings};
use crate::host::audit::ask;
use crate::host::outside::Gate;
use crate::host::scan::{Breadth, Scanner};
use crate::host::world;
use crate::model::audit::{Facts, Finding, Verdict};
use crate::model::authority::Authority;
use crate::model::instance::Instance;
use crate::model::name::InstanceName;
use crate::model::policy::Policy;
use crate::model::refusal::Refusal;
use crate::observe;
use crate::plan::audit::{self, Expected};
use crate::registry::Catalogue;
use crate::render::{self, AuditReport, Laid};
use crate::ui::{counted, table, visible};

/// How many instances are looked at side by side.
const SIDE_BY_SIDE: usize = 32;

/// Of more instances only the usual ports are tried: all of them take ten seconds for each.
const MANY: usize = 5;

/// See whether what is promised of instances holds: from the world, on their hosts, and at Hetzner
///
/// Each promise is one line with what shows it. Of up to five instances all TCP ports are tried, of more the usual ones.
/// Nothing is changed. Exits with 1 where a promise does not hold.
#[derive(Debug, clap::Args)]
pub(super) struct Audit {
    /// Names of the instances [all]
    #[arg(value_name = "NAME")]
    names: Vec<InstanceName>,
    /// From which verdict on the exit code is 1
    #[arg(long, value_enum, default_value = "fail", value_name = "VERDICT")]
    fail_on: FailOn,
    /// Write it as a page, too, that can be shown to others
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum FailOn {
    Warn,
    Fail,
}

/// What was found of each instance, in the order of the promises.
type Report = BTreeMap<InstanceName, Vec<Finding>>;

impl Audit {
    pub(super) async fn run(self, flags: &Flags, context: &mut Context) -> Result<Status, Failure> {
        let settings = Settings::load(flags, &context.env, &context.cwd)?;
        let file = self.html.as_ref().map(|file| context.cwd.join(file));
        // before somebody waits for what cannot be kept
        file.as_deref().map_or(Ok(()), page::can_be_written)?;
        let client = cloud(&settings, context)?;
        let fleet = Fleet::find(&settings, context).await?;
        let instances = self.chosen(&fleet)?;
        fleet.own()?;
        let mut seen = look(&client, &fleet, &BTreeSet::new()).await?;
        let hidden = observe::hidden(&client, &fleet.id, &instances, &mut seen).await;
        hidden.context("cannot see what is in the project")?;
        let breadth = if instances.len() > MANY { Breadth::Usual } else { Breadth::All };
        let gates = Gate::of_all(&instances, settings.acme_root.as_deref())?;
        let scanner = Scanner::new(breadth, sockets());
        let (admin, catalogue) = (settings.admin_networks()?, Catalogue::built_in()?);
        let flaws = catalogue.flaws();
        let authority = match &settings.acme_root {
            None => Authority::of(&settings.acme_directory),
            // whose roots are the only ones that are trusted
            Some(_) => Authority::Other,
        };
        let protect_before = settings.protect_before(context.clock.timestamp());
        let laid = laid(&instances)?;
        let looks = instances.iter().zip(&laid).map(async |(instance, (policy, laid))| {
            let (outside, inside) = tokio::join!(
                async {
                    match gates.get(&instance.name).zip(instance.stage.server()) {
                        Some((gate, server)) => {
                            let let_in = policy.dashboard.opens_to(admin);
                            world::look(gate, server, authority, &scanner, let_in).await
                        }
                        None => Vec::new(),
                    }
                },
                on_host(instance, &fleet)
            );
            let named_locations = &settings.named_locations;
            let (fleet, keys) = (&fleet.id, &fleet.keys);
            let expected =
                Expected { fleet, instance, keys, admin, named_locations, flaws, protect_before, laid };
            let mut findings = [outside, audit::cloud(&expected, &seen)].concat();
            findings.extend(match &inside {
                Ok(facts) => audit::host(&expected, facts),
                Err(why) => audit::silent(why),
            });
            (instance.name.clone(), findings, inside.unwrap_or_default())
        });
        let looked: Vec<_> = stream::iter(looks).buffer_unordered(SIDE_BY_SIDE).collect().await;
        let report = put_together(looked);
        if let Some(file) = &file {
            let (fleet, time) = (&fleet.id, context.clock.now());
            let audited = AuditReport { fleet, instances: &instances, findings: &report, time: &time };
            page::write(file, &visible(&render::audit(&audited)?))?;
        }
        answer(&report, context)?;
        Ok(if report.values().flatten().any(|(_, verdict)| self.fails(verdict)) {
            Status::Failed
        } else {
            Status::Success
        })
    }

    fn chosen(&self, fleet: &Fleet) -> Result<Vec<Instance>, Refusal> {
        if self.names.is_empty() && fleet.instances.is_empty() {
            return Err(Refusal::new("there are no instances", "`clawberth deploy NAME` makes one"));
        }
        if self.names.is_empty() {
            return Ok(fleet.instances.clone());
        }
        let names: BTreeSet<&InstanceName> = self.names.iter().collect();
        names.into_iter().map(|name| fleet.instance(name).cloned()).collect()
    }

    fn fails(&self, verdict: &Verdict) -> bool {
        match verdict {
            Verdict::Holds(_) => false,
            Verdict::Warns(_) => self.fail_on == FailOn::Warn,
            Verdict::Fails(_) => true,
        }
    }
}

/// The policy of each, and the files that it lays.
fn laid(instances: &[Instance]) -> anyhow::Result<Vec<(Policy, Laid)>> {
    let of = |instance: &Instance| {
        let policy = instance.spec.enacted.as_ref().map(|it| it.policy.clone()).unwrap_or_default();
        let laid = render::laid(&policy)?;
        Ok((policy, laid))
    };
    instances.iter().map(of).collect()
}

/// What the host tells, or why it does not.
async fn on_host(instance: &Instance, fleet: &Fleet) -> Result<Facts, String> {
    let target = fleet.target(instance).map_err(|refusal| refusal.to_string())?;
    ask(&target).await.map_err(|error| error.to_string())
}

/// All findings of each instance; among them that of the tokens, which it takes all of them for.
fn put_together(looked: Vec<(InstanceName, Vec<Finding>, Facts)>) -> Report {
    let tokens = audit::tokens(&looked.iter().map(|(name, _, facts)| (name, facts)).collect());
    let mut report: Report = looked.into_iter().map(|(name, findings, _)| (name, findings)).collect();
    for (name, finding) in tokens {
        report.entry(name).or_default().push(finding);
    }
    report.values_mut().for_each(|findings| findings.sort_by_key(|(promise, _)| *promise));
    report
}

/// How many sockets a scan may have: what this process may open, once it has asked for more, without what the rest takes.
fn sockets() -> usize {
    const REST: u64 = 500;
    let limit = getrlimit(Resource::Nofile);
    let more = Rlimit { current: limit.maximum, ..limit };
    let current = if setrlimit(Resource::Nofile, more).is_ok() { more.current } else { limit.current };
    current.map_or(usize::MAX, |files| usize::try_from(files.saturating_sub(REST)).unwrap_or(usize::MAX))
}

fn answer(report: &Report, context: &mut Context) -> Result<(), Failure> {
    if context.ui.style().json {
        let of_one = |(name, findings): (&InstanceName, &Vec<Finding>)| json!({ "name": name, "promises": findings.iter().map(in_json).collect::<Vec<_>>() });
        context.ui.json(&json!({ "instances": report.iter().map(of_one).collect::<Vec<_>>() }))?;
    } else {
        let mut rows = vec![["NAME", "VERDICT", "PROMISE", "WHAT SHOWS IT"].map(str::to_owned).to_vec()];
        for (name, findings) in report {
            rows.extend(findings.iter().map(|(promise, verdict)| {
                let evidence = match verdict {
                    Verdict::Holds(evidence) => format!("{}: {evidence}", promise.text()),
                    Verdict::Warns(why) | Verdict::Fails(why) => why.clone(),
                };
                vec![name.to_string(), verdict.word().to_owned(), promise.to_string(), evidence]
            }));
        }
        context.ui.answer(&table(&rows))?;
    }
    let of = |word: &str| report.values().flatten().filter(|(_, verdict)| verdict.word() == word).count();
    let (held, warned, failed) = (of("ok"), of("warn"), of("fail"));
    context.ui.note(&format!(
        "{} of {}: {held} hold, {warned} warn, {failed} do not hold",
        counted(held + warned + failed, "promise"),
        counted(report.len(), "instance")
    ));
    Ok(())
}

fn in_json((promise, verdict): &Finding) -> Value {
    json!({
        "promise": promise.word(),
        "text": promise.text(),
        "verdict": verdict.word(),
        "evidence": verdict.evidence(),
    })
}
