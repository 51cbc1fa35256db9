//! The keys that log in to the servers of a fleet.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// What a server is known to let in: public keys, type and key. None: what it was born with, and nobody has looked since.
pub type Admitted = Option<BTreeSet<String>>;

/// All keys that log in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    /// The fleet's own, by which every command logs in: type and key, without comment.
    pub fleet: String,
    /// The others.
    pub others: Vec<OperatorKey>,
}

/// A key beside the one by which commands log in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OperatorKey {
    /// Type and key, without comment.
    pub public: String,
    /// Whose it is.
    pub comment: String,
    /// How far it has got.
    pub status: KeyStatus,
    /// Whether it is one that is to be the fleet's own, or was.
    #[serde(default)]
    pub is_fleets: bool,
}

/// How far a key has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyStatus {
    /// It is being brought to all servers.
    Joining,
    /// All servers let it in.
    InForce,
    /// It is being taken from all servers.
    Leaving,
}

impl OperatorKey {
    /// Whether nothing is left to do for it.
    pub fn is_in_force(&self) -> bool {
        self.status == KeyStatus::InForce
    }

    /// As it stands on a server.
    pub fn line(&self) -> String {
        format!("{} {}", self.public, self.comment).trim_end().to_owned()
    }
}

impl KeyStatus {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Joining => "joining",
            Self::InForce => "in force",
            Self::Leaving => "leaving",
        }
    }
}

impl Keys {
    /// Those that are the fleet's own to be, or were.
    pub fn of_the_fleet(&self, status: KeyStatus) -> Option<&OperatorKey> {
        self.others.iter().find(|key| key.is_fleets && key.status == status)
    }

    /// What a server is still to let in, as lines for it.
    pub fn lacking(&self, admitted: &Admitted) -> Vec<String> {
        if self.others.is_empty() {
            // what it was born with is all
            return Vec::new();
        }
        let lacks = |public: &str| admitted.as_ref().is_none_or(|known| !known.contains(public));
        let fleet = Some(self.fleet.clone()).filter(|fleet| lacks(fleet));
        let others = self.others.iter().filter(|key| key.status != KeyStatus::Leaving && lacks(&key.public));
        fleet.into_iter().chain(others.map(OperatorKey::line)).collect()
    }

    /// What a server is to let in no more.
    pub fn excess(&self, admitted: &Admitted) -> Vec<String> {
        let has = |public: &str| admitted.as_ref().is_none_or(|known| known.contains(public));
        let leaving = self.others.iter().filter(|key| key.status == KeyStatus::Leaving && has(&key.public));
        leaving.map(|key| key.public.clone()).collect()
    }

    /// The same with this key as it is said to be now.
    #[must_use]
    pub fn with(mut self, key: OperatorKey) -> Self {
        match self.others.iter_mut().find(|known| known.public == key.public) {
            Some(known) => *known = key,
            None => self.others.push(key),
        }
        self
    }

    /// The same once another key is the fleet's own, and the one before is leaving; `comment` is that one's.
    #[must_use]
    pub fn succeeded_by(mut self, public: &str, comment: &str) -> Self {
        if self.fleet == public {
            return self;
        }
        self.others.retain(|key| key.public != public);
        let before = std::mem::replace(&mut self.fleet, public.to_owned());
        let (comment, status) = (comment.to_owned(), KeyStatus::Leaving);
        self.with(OperatorKey { public: before, comment, status, is_fleets: true })
    }

    /// The same once these are all servers: what they all let in is in force, what none lets in is forgotten. A key that is to be
    /// the fleet's own goes on joining until it is that.
    #[must_use]
    pub fn settled(mut self, servers: &[&Admitted]) -> Self {
        let has = |server: &Admitted, public: &str| server.as_ref().map(|known| known.contains(public));
        for key in &mut self.others {
            let by_all = servers.iter().all(|server| has(server, &key.public) == Some(true));
            if key.status == KeyStatus::Joining && !key.is_fleets && by_all {
                key.status = KeyStatus::InForce;
            }
        }
        self.others.retain(|key| {
            let by_none = servers.iter().all(|server| has(server, &key.public) == Some(false));
            key.status != KeyStatus::Leaving || !by_none
        });
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(public: &str, status: KeyStatus, is_fleets: bool) -> OperatorKey {
        OperatorKey { public: public.to_owned(), comment: format!("{public}@desk"), status, is_fleets }
    }

    fn keys() -> Keys {
        Keys { fleet: "one".to_owned(), others: Vec::new() }
    }

    fn admitted(keys: &[&str]) -> Admitted {
        Some(keys.iter().map(|key| (*key).to_owned()).collect())
    }

    #[test]
    fn a_fleet_with_its_own_key_alone_has_nothing_to_bring() {
        for server in [None, admitted(&["one"]), admitted(&["one", "stranger"])] {
            assert_eq!((keys().lacking(&server), keys().excess(&server)), (vec![], vec![]));
        }
    }

    #[test]
    fn a_key_joins_and_leaves() {
        let joining = keys().with(key("two", KeyStatus::Joining, false));
        assert_eq!(joining.lacking(&admitted(&["one"])), ["two two@desk"]);
        assert_eq!(joining.lacking(&None), ["one", "two two@desk"], "who knows what it was born with");
        let (both, one) = (admitted(&["one", "two"]), admitted(&["one"]));
        assert_eq!(joining.clone().settled(&[&both, &one]), joining);
        assert_eq!(joining.clone().settled(&[&both, &None]), joining);
        let in_force = joining.settled(&[&both, &both]);
        assert_eq!(in_force.others, [key("two", KeyStatus::InForce, false)]);
        let leaving = in_force.with(key("two", KeyStatus::Leaving, false));
        assert_eq!((leaving.excess(&both), leaving.excess(&one)), (vec!["two".to_owned()], vec![]));
        assert_eq!(leaving.excess(&None), ["two"]);
        assert_eq!(leaving.clone().settled(&[&both, &one]), leaving);
        assert_eq!(leaving.clone().settled(&[&None]), leaving);
        assert_eq!(leaving.settled(&[&one, &one]), keys());
    }

    #[test]
    fn the_fleet_s_own_key_gives_way_to_the_next_one_and_is_not_forgotten_while_a_server_may_have_it() {
        let joining = keys().with(key("two", KeyStatus::Joining, true));
        let (one, both, two) = (admitted(&["one"]), admitted(&["one", "two"]), admitted(&["two"]));
        assert_eq!(joining.clone().settled(&[&both]), joining, "it is not in use by being there");
        let followed = joining.succeeded_by("two", "cb-fleet");
        assert_eq!(followed.fleet, "two");
        assert_eq!(followed.of_the_fleet(KeyStatus::Leaving).unwrap().line(), "one cb-fleet");
        assert_eq!(followed.clone().succeeded_by("two", "cb-fleet"), followed, "twice is once");
        assert_eq!(followed.excess(&both), ["one"]);
        for server in [&one, &both, &None] {
            assert_eq!(followed.clone().settled(&[server, &two]), followed);
        }
        assert_eq!(followed.settled(&[&two, &two]), Keys { fleet: "two".to_owned(), others: Vec::new() });
    }
}
