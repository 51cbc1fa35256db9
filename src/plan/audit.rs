//! Judges what was seen of an instance by what is promised of it. What could not be seen to fails: silence is no proof.

mod cloud;
mod config;
mod egress;
mod host;
mod sandbox;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::model::admin::AdminNetworks;
use crate::model::audit::{Facts, Finding, Promise, Verdict};
use crate::model::flaw::Flaw;
use crate::model::fleet::FleetId;
use crate::model::instance::Instance;
use crate::model::name::InstanceName;
use crate::model::observed::Observed;
use crate::model::operator_key::Keys;

/// An instance, and what is known of how it should be.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// Its fleet.
    pub fleet: &'a FleetId,
    /// Its record.
    pub instance: &'a Instance,
    /// The keys that log in.
    pub keys: &'a Keys,
    /// From where SSH is allowed.
    pub admin: &'a AdminNetworks,
    /// The locations that the operator names, also outside the EU.
    pub named_locations: &'a [String],
    /// The holes that are known of releases.
    pub flaws: &'a [Flaw],
    /// Who was asked for before this time is protected from deletion; none: nobody.
    pub protect_before: Option<Timestamp>,
    /// The files that its policy lays beside OpenClaw's configuration, but for those with a secret, by their names.
    pub laid: &'a BTreeMap<&'static str, String>,
}

/// A promise of which a host can tell, and how what it tells is judged.
type Judge = (Promise, fn(&Expected<'_>, &Facts) -> Verdict);

/// What the cloud shows of an instance.
pub fn cloud(expected: &Expected<'_>, seen: &Observed) -> Vec<Finding> {
    cloud::judge(expected, seen)
}

/// What a host told of itself.
pub fn host(expected: &Expected<'_>, facts: &Facts) -> Vec<Finding> {
    judges().map(|(promise, judge)| (*promise, judge(expected, facts))).collect()
}

/// The findings of a host that could not be asked.
pub fn silent(why: &str) -> Vec<Finding> {
    judges().map(|(promise, _)| (*promise, Verdict::Fails(format!("it cannot be asked: {why}")))).collect()
}

fn judges() -> impl Iterator<Item = &'static Judge> {
    host::JUDGES.iter().chain(config::JUDGES)
}

/// Whose tokens are the same; each is told by its keyed hash.
pub fn tokens(hosts: &BTreeMap<&InstanceName, &Facts>) -> BTreeMap<InstanceName, Finding> {
    let token = |facts: &Facts| facts.one("token").map(str::to_owned);
    let finding = |name: &InstanceName, facts: &Facts| match token(facts) {
        None => Verdict::Fails("its token cannot be seen to".to_owned()),
        Some(own) => {
            let others =
                hosts.iter().filter(|(other, facts)| **other != name && token(facts) == Some(own.clone()));
            let others: Vec<&str> = others.map(|(other, _)| other.as_str()).collect();
            match others.as_slice() {
                [] => Verdict::Holds(format!("of {}", hosts.len())),
                others => Verdict::Fails(format!("it is the one of {}, too", others.join(", "))),
            }
        }
    };
    hosts.iter().map(|(name, facts)| ((*name).clone(), (Promise::Token, finding(name, facts)))).collect()
}

/// Holds where nothing is wrong; else fails, with all that is.
fn nothing(wrong: Vec<String>, evidence: impl Into<String>) -> Verdict {
    // what a host says may be nothing at all
    let told = |one: String| if one.is_empty() { "an empty line".to_owned() } else { one };
    match wrong.is_empty() {
        true => Verdict::Holds(evidence.into()),
        false => Verdict::Fails(wrong.into_iter().map(told).collect::<Vec<_>>().join("; ")),
    }
}
