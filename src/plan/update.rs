//! What is done to one server of a rollout, and how that is taken back. Both are made from what stands there, so that a change
//! that was cut off anywhere is gone on with, and none is made twice.

use std::time::Duration;

use super::Step;
use crate::model::name::InstanceName;
use crate::model::observed::Releases;
use crate::model::policy::Enactment;
use crate::model::refusal::Refusal;
use crate::model::release::{OpenClawVersion, Release};
use crate::model::rollout::Change;

/// A trial that nobody ends is gone back from by the server itself after so long, beyond the time that it is watched: in seconds.
const DEAD_MAN: u32 = 120;
/// A server is watched for no longer than this, however long a wave bakes: nobody wants a trial to last for days.
const LONGEST_WATCH: Duration = Duration::from_secs(600);

/// A server at its turn.
#[derive(Clone, Copy, Debug)]
pub struct Turn<'a> {
    /// Whose it is.
    pub name: &'a InstanceName,
    /// What the state says that it runs.
    pub recorded: &'a Release,
    /// What stands there.
    pub seen: &'a Releases,
    /// How long a wave has to be good.
    pub bake: Duration,
}

/// The steps of a change.
///
/// # Errors
/// A release that is not kept there.
pub fn forward(change: &Change, turn: Turn<'_>) -> Result<Vec<Step>, Refusal> {
    let Turn { seen, .. } = turn;
    match change {
        Change::Os => Ok(vec![Step::Upgrade, Step::Reboot, Step::Serve]),
        Change::Policy { .. } if seen.trial.is_some() => {
            let hint = "`clawberth reconcile --apply` ends what was cut off";
            Err(Refusal::new("an update of it is not confirmed", hint))
        }
        Change::Policy { id, policies } => {
            let policy = policies.of(turn.name).clone();
            let enactment = Box::new(Enactment { id: id.clone(), policy });
            Ok(vec![Step::Enact(enactment.clone()), Step::Uphold(enactment, turn.watch())])
        }
        Change::Release { release } => {
            let whole = [
                Step::Equip(release.clone(), turn.dead_man()),
                Step::Survey,
                Step::Stage,
                Step::Rehearse,
                Step::Switch(release.openclaw),
            ];
            // what stays there already may be of the same version, from another time
            let is_new = seen.serving != release.openclaw || seen.trial.is_some();
            Ok(turn.to(release.openclaw, is_new.then_some(release), &whole))
        }
        Change::Rollback { to } => {
            let is_kept = seen.kept.contains(to) || seen.serving == *to || seen.tries(*to);
            if !is_kept {
                return Err(not_kept(*to, seen));
            }
            Ok(turn.to(*to, None, &turn.back_to(*to)))
        }
    }
}

/// The steps that take a change back, also one that is half done.
///
/// # Errors
/// Where what it ran before is not kept.
pub fn back(change: &Change, turn: Turn<'_>) -> Result<Vec<Step>, Refusal> {
    if let Change::Policy { id, .. } = change {
        return Ok(vec![Step::Repeal(id.clone()), Step::Serve]);
    }
    let Some(target) = change.version() else { return Ok(vec![Step::Serve]) };
    let Turn { seen, .. } = turn;
    if seen.tries(target) {
        return Ok(vec![Step::Revert, Step::Serve]);
    }
    if seen.serving != target && seen.trial.is_none() {
        return Ok(vec![Step::Serve]);
    }
    // it was confirmed; or it is going back already
    let before = seen.trial.map(|trial| trial.to).or_else(|| seen.kept.first().copied());
    let before =
        before.ok_or_else(|| Refusal::new("no other release is kept on it", "run `clawberth update`"))?;
    Ok(turn.to(before, None, &turn.back_to(before)))
}

impl Releases {
    fn tries(&self, version: OpenClawVersion) -> bool {
        self.trial.is_some_and(|trial| trial.to == version)
    }
}

impl Turn<'_> {
    /// To a release: by these steps, or by what is left of them. In the end it is the one that was sent, if one was.
    fn to(&self, version: OpenClawVersion, sent: Option<&Release>, whole: &[Step]) -> Vec<Step> {
        let switch = whole.last().cloned();
        let mut steps = match self.seen.trial {
            Some(trial) if trial.to == version => Vec::from_iter(switch),
            // one that is not ours
            Some(_) => [&[Step::Revert], whole].concat(),
            None if self.seen.serving == version => Vec::new(),
            None => whole.to_vec(),
        };
        steps.extend([
            Step::Bake(version, self.watch()),
            Step::Keep(version, sent.cloned()),
            Step::Relabel(version),
            Step::Prune,
        ]);
        steps
    }

    fn back_to(&self, version: OpenClawVersion) -> [Step; 2] {
        [Step::Equip(self.recorded.clone(), self.dead_man()), Step::RollBack(version)]
    }

    fn watch(&self) -> Duration {
        self.bake.min(LONGEST_WATCH)
    }

    fn dead_man(&self) -> u32 {
        let watch = u32::try_from(self.watch().as_secs()).unwrap_or(u32::MAX);
        DEAD_MAN.saturating_add(watch)
    }
}

fn not_kept(version: OpenClawVersion, seen: &Releases) -> Refusal {
    let kept: Vec<String> = seen.kept.iter().map(ToString::to_string).collect();
    let hint = match kept.as_slice() {
        [] => "nothing can be gone back to; `clawberth update` goes forward".to_owned(),
        kept => format!("it can go back to {}", kept.join(" or ")),
    };
    Refusal::new(format!("it keeps no state of OpenClaw {version}"), hint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::fleet::OpId;
    use crate::model::observed::Trial;

    fn release(version: &str) -> Release {
        let integrity = format!("sha512-{}==", "A".repeat(86));
        let json = serde_json::json!({
            "openclaw": version, "engines": ">=24", "integrity": integrity, "node": "24.21.0",
        });
        serde_json::from_value(json).unwrap()
    }

    fn version(text: &str) -> OpenClawVersion {
        text.parse().unwrap()
    }

    fn seen(serving: &str, trial: Option<(&str, &str)>, kept: &[&str]) -> Releases {
        let trial = trial.map(|(from, to)| Trial { from: version(from), to: version(to) });
        Releases { serving: version(serving), trial, kept: kept.iter().map(|text| version(text)).collect() }
    }

    fn words(steps: Result<Vec<Step>, Refusal>) -> String {
        match steps {
            Ok(steps) => steps.iter().map(Step::word).collect::<Vec<_>>().join(" "),
            Err(refusal) => format!("{refusal}; {}", refusal.hint()),
        }
    }

    const BAKE: Duration = Duration::from_secs(60);

    fn towards(change: &Change, seen: &Releases) -> String {
        let recorded = release("2026.9.5");
        let name = "alice".parse().unwrap();
        words(forward(change, Turn { name: &name, recorded: &recorded, seen, bake: BAKE }))
    }

    fn from(change: &Change, seen: &Releases) -> String {
        let recorded = release("2026.9.5");
        let name = "alice".parse().unwrap();
        words(back(change, Turn { name: &name, recorded: &recorded, seen, bake: BAKE }))
    }

    #[test]
    fn a_policy_is_brought_and_taken_back_by_its_change() {
        let policies = toml::from_str("fleet.tools = 'minimal'\nown.bob.tools = 'messaging'").unwrap();
        let change = Change::Policy { id: OpId::from_bytes([0; 8]), policies };
        let calm = seen("2026.9.5", None, &[]);
        assert_eq!(towards(&change, &calm), "enact uphold");
        assert_eq!(from(&change, &calm), "repeal serve");
        let said = towards(&change, &seen("2026.9.6", Some(("2026.9.5", "2026.9.6")), &[]));
        assert!(said.starts_with("an update of it is not confirmed; "), "{said}");
    }

    #[test]
    fn a_release_is_gone_on_with_where_it_was_cut_off() {
        let update = Change::Release { release: release("2026.9.6") };
        let end = "bake keep relabel prune";
        let begun = format!("equip survey stage rehearse switch {end}");
        assert_eq!(towards(&update, &seen("2026.9.5", None, &[])), begun);
        let trial = Some(("2026.9.5", "2026.9.6"));
        assert_eq!(towards(&update, &seen("2026.9.6", trial, &[])), format!("switch {end}"));
        // before it is changed what it points to
        assert_eq!(towards(&update, &seen("2026.9.5", trial, &[])), format!("switch {end}"));
        assert_eq!(towards(&update, &seen("2026.9.6", None, &["2026.9.5"])), end);
        let other = Some(("2026.9.5", "2026.9.7"));
        assert_eq!(towards(&update, &seen("2026.9.7", other, &[])), format!("revert {begun}"));
    }

    #[test]
    fn a_release_is_taken_back_as_far_as_it_came() {
        let update = Change::Release { release: release("2026.9.6") };
        let trial = Some(("2026.9.5", "2026.9.6"));
        assert_eq!(from(&update, &seen("2026.9.5", None, &[])), "serve");
        assert_eq!(from(&update, &seen("2026.9.6", trial, &[])), "revert serve");
        let end = "bake keep relabel prune";
        let kept = ["2026.9.5", "2026.9.4"];
        assert_eq!(from(&update, &seen("2026.9.6", None, &kept)), format!("equip roll-back {end}"));
        let returning = Some(("2026.9.6", "2026.9.5"));
        assert_eq!(from(&update, &seen("2026.9.5", returning, &[])), format!("roll-back {end}"));
        let nothing = "no other release is kept on it; run `clawberth update`";
        assert_eq!(from(&update, &seen("2026.9.6", None, &[])), nothing);
    }

    #[test]
    fn a_server_is_not_believed_what_it_was_sent() {
        let update = Change::Release { release: release("2026.9.6") };
        let kept = |change: &Change, seen: &Releases| {
            let recorded = release("2026.9.5");
            let name = "alice".parse().unwrap();
            let steps = forward(change, Turn { name: &name, recorded: &recorded, seen, bake: BAKE }).unwrap();
            steps.into_iter().find_map(|step| match step {
                Step::Keep(_, sent) => Some(sent),
                _ => None,
            })
        };
        let sent = Some(Some(release("2026.9.6")));
        assert_eq!(kept(&update, &seen("2026.9.5", None, &[])), sent);
        assert_eq!(kept(&update, &seen("2026.9.6", Some(("2026.9.5", "2026.9.6")), &[])), sent);
        // it had it, perhaps on another Node
        assert_eq!(kept(&update, &seen("2026.9.6", None, &[])), Some(None));
        let rollback = Change::Rollback { to: version("2026.9.5") };
        assert_eq!(kept(&rollback, &seen("2026.9.6", None, &["2026.9.5"])), Some(None));
    }

    #[test]
    fn only_what_is_kept_can_be_rolled_back_to() {
        let rollback = Change::Rollback { to: version("2026.9.5") };
        let end = "bake keep relabel prune";
        let kept = seen("2026.9.6", None, &["2026.9.5"]);
        assert_eq!(towards(&rollback, &kept), format!("equip roll-back {end}"));
        assert_eq!(towards(&rollback, &seen("2026.9.5", None, &["2026.9.6"])), end);
        let refused = "it keeps no state of OpenClaw 2026.9.5; it can go back to 2026.9.4";
        assert_eq!(towards(&rollback, &seen("2026.9.6", None, &["2026.9.4"])), refused);
    }

    #[test]
    fn a_server_waits_for_its_end_longer_than_it_is_watched() {
        let recorded = release("2026.9.5");
        let seen = seen("2026.9.5", None, &[]);
        let bakes = |seconds| {
            let (name, bake) = ("alice".parse().unwrap(), Duration::from_secs(seconds));
            let turn = Turn { name: &name, recorded: &recorded, seen: &seen, bake };
            forward(&Change::Release { release: release("2026.9.6") }, turn).unwrap()
        };
        for (bake, watched, dead_man) in [(0, 0, 120), (60, 60, 180), (86_400, 600, 720)] {
            let steps = bakes(bake);
            assert_eq!(steps[0], Step::Equip(release("2026.9.6"), dead_man));
            assert_eq!(steps[5], Step::Bake(version("2026.9.6"), Duration::from_secs(watched)));
        }
    }
}
