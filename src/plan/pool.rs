//! The pool: standbys, which serve already and are nobody's. Which of them becomes whose, and by which steps.

use std::collections::BTreeMap;

use super::{Step, keys};
use crate::model::instance::{Instance, InstanceSpec, Stage};
use crate::model::name::InstanceName;
use crate::model::observed::Observed;
use crate::model::operator_key::Keys;

/// What a standby is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The next instance that is asked for may have it.
    Ready,
    /// It does not serve yet.
    Unfinished,
    /// It is not what new instances are to have.
    Other,
    /// It is being removed.
    Leaving,
}

impl Standing {
    /// In a few words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Unfinished => "not finished",
            Self::Other => "not what `deploy` makes now",
            Self::Leaving => "being removed",
        }
    }
}

/// What a standby is good for to somebody who wants this.
pub fn standing(standby: &Instance, wanted: &InstanceSpec) -> Standing {
    let spec = &standby.spec;
    let place = match standby.stage.server() {
        Some(server) => wanted.locations.contains(&server.location),
        None => spec.locations == wanted.locations,
    };
    let is_same = (&spec.server_type, &spec.image, &spec.release, &spec.domain)
        == (&wanted.server_type, &wanted.image, &wanted.release, &wanted.domain);
    match &standby.stage {
        Stage::Destroying(_) | Stage::Gone => Standing::Leaving,
        // a standby has neither a name of its own nor a policy: both are somebody's
        _ if !is_same || !place || spec.domain.is_some() || spec.enacted.is_some() => Standing::Other,
        Stage::Serving(server) if server.own_host_key && !server.is_replacing() => Standing::Ready,
        Stage::Planned
        | Stage::Created(_)
        | Stage::Reachable(_)
        | Stage::Trusted(_)
        | Stage::Installed(_)
        | Stage::Serving(_) => Standing::Unfinished,
    }
}

/// Which of these standbys becomes whose, of those who are wished for and have nothing yet: at the place that is wished for first, and
/// of several there the one that is named first here.
pub fn claims(
    wished: &[Instance],
    standbys: &[Instance],
    seen: &Observed,
) -> BTreeMap<InstanceName, Instance> {
    let mut left: Vec<&Instance> = standbys.iter().filter(|standby| is_there(standby, seen)).collect();
    let mut claims = BTreeMap::new();
    for wish in wished {
        if wish.stage != Stage::Planned || seen.servers.contains_key(&wish.name) {
            continue;
        }
        let place = |standby: &Instance| {
            let server = standby.stage.server()?;
            wish.spec.locations.iter().position(|name| *name == server.location)
        };
        let ready = left.iter().enumerate().filter(|(_, one)| standing(one, &wish.spec) == Standing::Ready);
        if let Some((best, _)) = ready.min_by_key(|(_, standby)| place(standby)) {
            claims.insert(wish.name.clone(), left.remove(best).clone());
        }
    }
    claims
}

/// Whether its server is there, alone and switched on.
fn is_there(standby: &Instance, seen: &Observed) -> bool {
    let servers = seen.servers.get(&standby.name).map(Vec::as_slice).unwrap_or_default();
    let known = standby.stage.server().map(|server| server.id);
    matches!(servers, [server] if Some(server.id) == known && !server.off)
}

/// Which of the fleet's standbys are, or will be, as wanted, and how many are missing to that many.
pub fn to_fill(size: usize, fleet: &[Instance], wanted: &InstanceSpec) -> (Vec<InstanceName>, usize) {
    let is_good = |one: &&Instance| {
        one.name.is_standby() && matches!(standing(one, wanted), Standing::Ready | Standing::Unfinished)
    };
    let good: Vec<InstanceName> = fleet.iter().filter(is_good).map(|one| one.name.clone()).collect();
    let missing = size.saturating_sub(good.len());
    (good, missing)
}

/// The steps that make a standby somebody's, who serves then.
pub(super) fn claim(standby: Instance, operators: &Keys) -> Vec<Step> {
    let mut rest = vec![Step::Renew, Step::Serve];
    keys::add_to(&mut rest, &standby, false, operators);
    [Step::Claim(Box::new(standby)), Step::Rename].into_iter().chain(rest).collect()
}

/// Puts before its gateway is seen to serve what is left to be done of a claim that was cut off.
pub(super) fn end_claim(steps: &mut Vec<Step>, instance: &Instance) {
    if instance.stage.server().is_some_and(|server| server.standby.is_some()) {
        let serve = steps.iter().position(|step| *step == Step::Serve).unwrap_or(steps.len());
        steps.splice(serve..serve, [Step::Rename, Step::Renew]);
    }
}

#[cfg(test)]
mod tests;
