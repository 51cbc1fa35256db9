//! `[policy]` and `[instance.NAME.policy]`: what an instance's own says comes over what is said for all.

use std::collections::BTreeMap;

use toml::{Table, Value};

use super::file::InstanceEntry;
use crate::model::name::InstanceName;
use crate::model::policy::{Policies, Policy};
use crate::model::refusal::Refusal;

/// The policies, each whole and checked.
pub(super) fn policies(
    fleet: Table,
    instances: BTreeMap<String, InstanceEntry>,
) -> Result<Policies, Refusal> {
    let mut own = BTreeMap::new();
    for (name, entry) in instances {
        let place = format!("[instance.{name}.policy]");
        let name: InstanceName = name.parse().map_err(|why| {
            Refusal::new(format!("{place} is for no instance"), "name it as `clawberth list` does")
                .because(why)
        })?;
        own.insert(name, policy(&place, over(fleet.clone(), entry.policy))?);
    }
    Ok(Policies { fleet: policy("[policy]", fleet)?, own })
}

/// A table, with what another one says on top; lists are replaced as a whole.
fn over(mut below: Table, above: Table) -> Table {
    for (key, value) in above {
        let value = match (below.remove(&key), value) {
            (Some(Value::Table(below)), Value::Table(above)) => Value::Table(over(below, above)),
            (_, value) => value,
        };
        below.insert(key, value);
    }
    below
}

fn policy(place: &str, table: Table) -> Result<Policy, Refusal> {
    // the parser would show the place in a text that nobody has written, and a value that may be a secret
    let policy: Policy = Value::Table(table).try_into().map_err(|why: toml::de::Error| {
        let hint = "mend it in clawberth.toml; docs/policy.md shows every key";
        Refusal::new(format!("{place} is not usable"), hint).because(why.message())
    })?;
    policy.check()?;
    Ok(policy)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Policies, Refusal> {
        let mut table: Table = toml::from_str(text).unwrap();
        let fleet = table.remove("policy").map(|value| value.try_into().unwrap()).unwrap_or_default();
        let instances = table.remove("instance").map(|value| value.try_into().unwrap()).unwrap_or_default();
        policies(fleet, instances)
    }

    const FLEET: &str = r#"
        [policy]
        sessions = "per-peer"
        channels.telegram = { token = "env:T", allow = ["1", "2"] }
        "#;

    #[test]
    fn an_instance_s_own_comes_over_the_fleet_s() {
        let text = format!("{FLEET}[instance.alice.policy]\nchannels.telegram.deny = ['2']\nskills = ['x']");
        let policies = read(&text).unwrap();
        let alice = policies.of(&"alice".parse().unwrap());
        assert_eq!(alice.sessions, policies.fleet.sessions);
        let channel = alice.channels.values().next().unwrap();
        assert_eq!((channel.allowed(), alice.skills.len()), (vec!["1"], 1));
        assert_eq!(policies.of(&"bob".parse().unwrap()), &policies.fleet);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        let error = read(&format!("{FLEET}[instance.alice.policy]\ntols = 'minimal'")).unwrap_err();
        assert_eq!(error.to_string(), "[instance.alice.policy] is not usable");
        let error = read("[instance.Alice.policy]\ntools = 'minimal'").unwrap_err();
        assert_eq!(error.to_string(), "[instance.Alice.policy] is for no instance");
        assert!(read("[policy]\nmodel = 'a/b'").is_err());
    }

    #[test]
    fn a_secret_in_the_file_is_not_repeated() {
        let error = read("[policy]\nproviders.openai.key = 'sk-123'").unwrap_err();
        let why = std::error::Error::source(&error).unwrap().to_string();
        assert!(why.starts_with("a secret does not belong in this file"), "{why}");
        assert!(!why.contains("sk-123") && !error.hint().contains("sk-123"), "{why}");
    }
}
