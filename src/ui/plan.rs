//! A plan in words.

use serde_json::{Value, json};

use super::{counted, visible};
use crate::model::observed::FirewallRule;
use crate::model::operator_key::KeyStatus;
use crate::plan::{FleetStep, ImageStep, Later, Origin, Plan, Step, minute};

/// The plan for machines. Stable: fields are added, not changed.
pub(super) fn json(plan: &Plan) -> Value {
    let steps: Vec<Value> =
        rows(plan).into_iter().map(|(subject, text)| json!({ "subject": subject, "step": text })).collect();
    let cost = plan.cost.as_ref();
    let cost = cost.map(|(price, currency)| json!({ "month": price.to_string(), "currency": currency }));
    let later = plan.later.iter().map(|Later { name, until }| json!({ "name": name, "until": until }));
    json!({ "steps": steps, "later": later.collect::<Vec<_>>(), "cost": cost })
}

/// The plan, a line for each step, and what it costs.
pub(super) fn lines(plan: &Plan) -> Vec<String> {
    let rows = rows(plan);
    let width = rows.iter().map(|(subject, _)| subject.len()).max().unwrap_or(0);
    let mut lines = vec!["plan:".to_owned()];
    lines.extend(rows.into_iter().map(|(subject, text)| format!("  {subject:<width$}  {text}")));
    if let Some((price, currency)) = &plan.cost {
        lines.push(format!("cost: {price} {currency} a month for the new servers, without VAT"));
    }
    lines
}

/// Who, and what is done.
fn rows(plan: &Plan) -> Vec<(String, String)> {
    let mut rows: Vec<(String, String)> = Vec::new();
    rows.extend(plan.before.iter().map(|step| ("fleet".to_owned(), fleet_step(step))));
    for step in plan.image.iter().flat_map(|image| &image.steps) {
        let release = plan.image.as_ref().map(|image| image.spec.release.to_string()).unwrap_or_default();
        rows.push(("image".to_owned(), image_step(step, &release)));
    }
    for part in &plan.instances {
        let name = part.instance.name.to_string();
        let texts = part.steps.iter().map(|step| self::step(step, &part.instance.spec.release.to_string()));
        rows.extend(texts.map(|text| (name.clone(), text)));
    }
    rows.extend(plan.after.iter().map(|step| ("fleet".to_owned(), fleet_step(step))));
    rows.extend(plan.later.iter().map(|later| {
        (
            later.name.to_string(),
            format!("not now: no certificate is to be had before {}", minute(later.until)),
        )
    }));
    rows
}

fn fleet_step(step: &FleetStep) -> String {
    match step {
        FleetStep::CreateSshKey => "make the fleet's SSH key known".into(),
        FleetStep::CreateFirewall(rules) => format!("create the firewall: {}", open(rules)),
        FleetStep::SetFirewallRules(_, rules) => format!("change the firewall: {}", open(rules)),
        FleetStep::UnprotectStrays(ids) => {
            format!("take the deletion protection off {}, of no instance", several("server", "s", ids))
        }
        FleetStep::DeleteStrays(ids) => {
            let ids: Vec<String> = ids.iter().map(u64::to_string).collect();
            format!("delete what belongs to no instance: server {}", ids.join(", "))
        }
        FleetStep::DeleteNames(names) => {
            let names: Vec<String> = names.iter().map(|(zone, name)| format!("{name}.{zone}")).collect();
            format!("remove the names {}", names.join(", "))
        }
        FleetStep::DeleteAddresses(ids) => format!("delete {}", several("address", "es", ids)),
        FleetStep::DeleteSnapshots(ids) => format!("delete {}", several("snapshot", "s", ids)),
        FleetStep::DropFirewall(id, _) => format!("delete firewall {id}, which is one too many"),
        FleetStep::DeleteFirewall(_) => "delete the firewall".into(),
        FleetStep::DeleteSshKey(_) => "delete the SSH key".into(),
        FleetStep::NoteKey(key) => match key.status {
            KeyStatus::Joining => format!("write down that a key is joining: {}", visible(&key.line())),
            KeyStatus::InForce => format!("write down that a key is in force: {}", visible(&key.line())),
            KeyStatus::Leaving => format!("write down that a key is leaving: {}", visible(&key.line())),
        },
        FleetStep::UseKey(_) => "use the new key from here on, as every server lets it in".into(),
        FleetStep::SettleKeys => "write down what every server lets in now".into(),
        FleetStep::ProveAbsence(_) => "see that nothing is left".into(),
    }
}

fn image_step(step: &ImageStep, release: &str) -> String {
    match step {
        ImageStep::RemoveBuilder(ids) if ids.is_empty() => "delete that server".into(),
        ImageStep::RemoveBuilder(ids) => {
            format!("delete {}, which an interrupted run left", several("server", "s", ids))
        }
        ImageStep::CreateBuilder(order) => {
            let places = order.locations.join(", else ");
            format!("create a {} server in {places}, for some minutes", order.server_type)
        }
        ImageStep::TrustBuilder => "log in with the pinned host key, and see that it is that server".into(),
        ImageStep::FillBuilder => format!("wait for the set-up: {release}"),
        ImageStep::ScrubBuilder => "remove all by which it could be known".into(),
        ImageStep::ProveBuilder => "see that nothing of that is on its disk".into(),
        ImageStep::StopBuilder => "switch it off".into(),
        ImageStep::TakeImage => "make a snapshot of it".into(),
        ImageStep::AwaitImage(id) => {
            format!("wait until snapshot {id}, which an interrupted run has begun, is whole")
        }
    }
}

fn several(what: &str, plural: &str, ids: &[u64]) -> String {
    let list: Vec<String> = ids.iter().map(u64::to_string).collect();
    let ending = if ids.len() == 1 { "" } else { plural };
    format!("{what}{ending} {}", list.join(", "))
}

fn open(rules: &[FirewallRule]) -> String {
    let rule = |rule: &FirewallRule| {
        let port = rule.port.as_deref().unwrap_or("any");
        let from = if rule.sources.iter().any(|s| s == "0.0.0.0/0") {
            "everywhere".into()
        } else {
            rule.sources.join(", ")
        };
        format!("{port}/{} from {from}", rule.protocol)
    };
    rules.iter().rev().map(rule).collect::<Vec<_>>().join("; ")
}

fn step(step: &Step, release: &str) -> String {
    match step {
        Step::Create(order) => {
            let places = order.locations.join(", else ");
            match order.image {
                Origin::Stock(_) => format!("create a {} server in {places}", order.server_type),
                Origin::Baked(id) => {
                    format!("create a {} server in {places}, from the fleet's image {id}", order.server_type)
                }
            }
        }
        Step::Claim(standby) => format!("make the server of {} its own", standby.name),
        Step::Rename => "give the server its name".into(),
        Step::Renew => "renew its token, and see that the standby's is dead".into(),
        Step::Adopt(id) => format!("take over server {id}, which an interrupted deploy left"),
        Step::PowerOn(id) => format!("switch server {id} on"),
        Step::Label(id, _) => format!("set the labels of server {id}"),
        Step::Guard(id) => format!("apply the firewall to server {id}"),
        Step::Name(zone) => format!("point its name in {zone} at the server"),
        Step::Protect(id) => format!("protect server {id} from deletion"),
        Step::Reach => "wait for SSH with the pinned host key".into(),
        Step::Trust => "log in and see that it is that server".into(),
        Step::MakeHostKey => "let it make a host key of its own".into(),
        Step::LabelHostKey => "set the label of its host key".into(),
        Step::SwitchHostKey => "let it show that key and no other".into(),
        Step::GiveKeys(keys) => format!("let in {} more", counted(keys.len(), "key")),
        Step::ProveKey(_) => "log in with the new key".into(),
        Step::TakeKeys(keys) => {
            format!("let in {} no more, cut off who came with it", counted(keys.len(), "key"))
        }
        Step::Admit => "let the admin networks through the host's own firewall".into(),
        Step::Install => format!("wait for the set-up: {release}"),
        Step::SetUp => format!("run the set-up again: {release}"),
        Step::Serve => "wait until it serves, seen from outside".into(),
        Step::Equip(..) => "send what an update needs".into(),
        Step::Survey => "see that nothing speaks against it".into(),
        Step::Stage => "install the next release beside the one in use".into(),
        Step::Rehearse => "start it on a copy of the state".into(),
        Step::Switch(version) => format!("switch to OpenClaw {version}, on trial"),
        Step::RollBack(version) => format!("go back to OpenClaw {version} with its state, on trial"),
        Step::Bake(_, watch) => format!("watch it for {}", crate::clock::human(*watch)),
        Step::Keep(version, _) => format!("keep OpenClaw {version}"),
        Step::Relabel(_) => "set the label of its release".into(),
        Step::Prune => "remove old releases".into(),
        Step::Revert => "end the trial of another release".into(),
        Step::Settle => "end an update that was cut off".into(),
        Step::Upgrade => "install the system's security updates".into(),
        Step::Reboot => "start the server anew, if they ask for it".into(),
        Step::Enact(_) => "bring its policy, on trial".into(),
        Step::Uphold(..) => "see that it serves with its policy, and keep that".into(),
        Step::Repeal(_) => "take its policy back".into(),
        Step::Rotate => "replace its token, restart the gateway, and see that the old token is dead".into(),
        Step::Condemn => "write down that it is removed".into(),
        Step::Revoke => "have its certificate revoked, if its server answers".into(),
        Step::Unname(zone) => format!("remove its name from {zone}"),
        Step::Unprotect(ids) => {
            format!("take the deletion protection off {}", several("server", "s", ids))
        }
        Step::Sweep(_) => "look for what an interrupted create left".into(),
        Step::Delete(ids) => match ids.as_slice() {
            [] => "see that it has no server".into(),
            [id] => format!("delete server {id} with its addresses"),
            ids => format!("delete {} servers with their addresses", ids.len()),
        },
    }
}
