//! What differs of one instance.

use super::{Case, Servers, is_going, month, shown};
use crate::model::drift::{Drift, Finding};
use crate::model::instance::{Instance, Stage};
use crate::model::observed::{CloudServer, HostState, Observed};
use crate::model::price::Price;
use crate::model::refusal::Refusal;
use crate::plan::{InstancePlan, Step, destroy, provision};

/// One instance: what was found, and what is done about it.
pub(super) struct Part {
    pub(super) findings: Vec<Finding>,
    pub(super) plan: InstancePlan,
}

pub(super) fn mend(
    instance: Instance,
    case: &Case<'_>,
    servers: &Servers,
    seen: &Observed,
    prices: &mut Vec<Price>,
) -> Part {
    let all = servers.of(&instance.name);
    if is_going(&instance) {
        let findings = vec![Finding::of(&instance.name, Drift::HalfRemoved)];
        let steps = destroy::steps(&instance, all.iter().map(|server| server.id).collect(), seen);
        return Part { findings, plan: InstancePlan { instance, steps } };
    }
    let (own, second) = all.split_at(all.len().min(1));
    let own = own.first();
    let mut findings: Vec<Finding> = differences(&instance, own, case, seen);
    findings.extend(second.iter().map(|server| {
        Finding::of(&instance.name, Drift::SecondServer(shown(server))).costing(month(server, seen))
    }));
    let before = prices.len();
    let steps = match steps(&instance, own, case, seen, prices) {
        Ok(steps) => steps,
        Err(refusal) => {
            // what cannot be made whole is not begun
            let drift = Drift::Refused(refusal.to_string(), refusal.hint().to_owned());
            findings.retain(|finding| matches!(finding.drift, Drift::SecondServer(_)));
            findings.insert(0, Finding::of(&instance.name, drift));
            Vec::new()
        }
    };
    for finding in &mut findings {
        if let Drift::MissingServer(_) = finding.drift {
            finding.month = prices.get(before).copied();
        }
    }
    if let (Some(zone), Stage::Serving(_)) = (steps.iter().find_map(named), &instance.stage) {
        findings.push(Finding::of(&instance.name, Drift::WrongName(zone)));
    }
    Part { findings, plan: InstancePlan { instance, steps } }
}

fn named(step: &Step) -> Option<String> {
    if let Step::Name(zone) = step { Some(zone.clone()) } else { None }
}

/// What differs, but for the name, which the steps tell.
fn differences(
    instance: &Instance,
    own: Option<&CloudServer>,
    case: &Case<'_>,
    seen: &Observed,
) -> Vec<Finding> {
    let mut found = Vec::new();
    let recorded = instance.stage.server();
    match (recorded, own) {
        (Some(recorded), Some(own)) if recorded.id == own.id => {}
        (Some(recorded), Some(_) | None) => found.push(Drift::MissingServer(recorded.id)),
        (None, Some(own)) => {
            found.push(Drift::HalfWay(format!("{}, with server {}", instance.stage.word(), own.id)));
        }
        (None, None) => found.push(Drift::HalfWay(instance.stage.word().to_owned())),
    }
    let stands = recorded.is_some_and(|recorded| own.is_some_and(|own| own.id == recorded.id));
    if stands && !matches!(instance.stage, Stage::Serving(_)) {
        found.push(Drift::HalfWay(instance.stage.word().to_owned()));
    }
    if let Some(own) = own {
        if let Some((_, wrong)) = relabelling(instance, own, case) {
            found.push(Drift::WrongLabels(own.id, wrong));
        }
        if is_open(own, seen) {
            found.push(Drift::Unguarded(own.id));
        }
        if own.off {
            found.push(Drift::ServerOff(own.id));
        }
        if provision::lacks_protection(instance, own, case.protect_before) {
            found.push(Drift::Unprotected(own.id));
        }
    }
    let reached = seen.hosts.get(&instance.name).is_some_and(HostState::can_be_reached);
    let asked = recorded.filter(|_| stands && reached);
    found.extend(asked.and_then(|recorded| match recorded.own_host_key {
        false => Some(Drift::InjectedHostKey(recorded.id)),
        true => recorded.is_replacing().then_some(Drift::NextHostKey(recorded.id)),
    }));
    let admitted = asked.map(|recorded| (recorded.id, &recorded.admitted));
    found.extend(admitted.and_then(|(id, admitted)| {
        let (lacking, excess) = (case.keys.lacking(admitted).len(), case.keys.excess(admitted).len());
        (lacking + excess > 0).then_some(Drift::Keys(id, lacking, excess))
    }));
    let host = seen.hosts.get(&instance.name).filter(|host| stands && **host != HostState::Serves);
    found.extend(host.map(|host| Drift::Host(host.clone())));
    found.into_iter().map(|drift| Finding::of(&instance.name, drift)).collect()
}

/// The steps that mend it.
fn steps(
    instance: &Instance,
    own: Option<&CloudServer>,
    case: &Case<'_>,
    seen: &Observed,
    prices: &mut Vec<Price>,
) -> Result<Vec<Step>, Refusal> {
    let servers = own.map(std::slice::from_ref).unwrap_or_default();
    let terms = (case.named_locations, case.authority);
    let mut steps = provision::steps(instance, servers, terms, case.keys, seen, prices)?;
    let serve = steps.iter().position(|step| *step == Step::Serve);
    if let (Some(mend), Some(serve)) = (seen.hosts.get(&instance.name).and_then(mending), serve) {
        steps.insert(serve, mend);
    }
    if !is_trusted(instance, seen) {
        let of_keys = |step: &Step| {
            matches!(step, Step::MakeHostKey | Step::LabelHostKey | Step::SwitchHostKey)
                || matches!(step, Step::GiveKeys(_) | Step::TakeKeys(_))
        };
        steps.retain(|step| !of_keys(step));
    }
    if let Some(own) = own {
        let taken = usize::from(matches!(steps.first(), Some(Step::Adopt(_))));
        let label = relabelling(instance, own, case).map(|(labels, _)| Step::Label(own.id, labels));
        // all labels are set then, those of its keys, too
        if label.is_some() && !steps.contains(&Step::SwitchHostKey) {
            steps.retain(|step| *step != Step::LabelHostKey);
        }
        let guard = is_open(own, seen).then_some(Step::Guard(own.id));
        let protect = provision::lacks_protection(instance, own, case.protect_before);
        let protect = protect.then_some(Step::Protect(own.id));
        steps.splice(taken..taken, label.into_iter().chain(guard).chain(protect));
    }
    Ok(steps)
}

/// Whether nothing speaks against what answers there.
fn is_trusted(instance: &Instance, seen: &Observed) -> bool {
    seen.hosts.get(&instance.name).is_none_or(HostState::can_be_reached)
}

/// What mends a host, before it is seen whether it serves.
fn mending(host: &HostState) -> Option<Step> {
    match host {
        HostState::Runs(_) | HostState::Certificate(_) | HostState::Fails(_) => Some(Step::SetUp),
        HostState::SetUpFor(_) => Some(Step::Settle),
        HostState::Serves | HostState::OtherKey(_) | HostState::Unreachable(_) => None,
    }
}

/// The labels of the recorded server, where they are not as they should be; one that is still to be taken over has
/// those by which it was found.
fn relabelling(
    instance: &Instance,
    own: &CloudServer,
    case: &Case<'_>,
) -> Option<(std::collections::BTreeMap<String, String>, Vec<String>)> {
    let recorded = instance.stage.server().filter(|recorded| recorded.id == own.id)?;
    let wanted = case.fleet.server_labels(&instance.name, &instance.spec, &recorded.keys_for_labels());
    let (labels, wrong) = own.relabelled(&wanted);
    (!wrong.is_empty()).then_some((labels, wrong))
}

fn is_open(own: &CloudServer, seen: &Observed) -> bool {
    seen.firewalls.first().is_none_or(|firewall| !own.firewalls.contains(&firewall.id))
}
