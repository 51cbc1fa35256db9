//! An instance: one user's gateway, where it stands, and how it gets on.

use std::net::{Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

use crate::model::endpoint::Endpoint;
use crate::model::fleet::OpId;
use crate::model::name::InstanceName;
use crate::model::policy::Enacted;
use crate::model::release::Release;

/// What the state knows of an instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// Its name, unique in the fleet.
    pub name: InstanceName,
    /// What was asked for.
    pub spec: InstanceSpec,
    /// Where it stands.
    pub stage: Stage,
    /// When it was first asked for (RFC 3339).
    pub created: String,
}

/// What was asked for when the instance was deployed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceSpec {
    /// The server type, such as `cx23`.
    pub server_type: String,
    /// Locations in the order in which they are tried.
    pub locations: Vec<String>,
    /// The image, such as `debian-13`.
    pub image: String,
    /// The release it runs.
    pub release: Release,
    /// The zone under which it has its name; none: its address is its name.
    pub domain: Option<String>,
    /// The policy that holds at its gateway; none: what it was born with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enacted: Option<Box<Enacted>>,
}

/// The server an instance lives on, and the host key that its SSH must show.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Server {
    /// Hetzner's id.
    pub id: u64,
    /// The public IPv4 address.
    pub ipv4: Ipv4Addr,
    /// The host's address in its IPv6 /64, where it has one.
    pub ipv6: Option<Ipv6Addr>,
    /// Where it stands, such as `fsn1`.
    pub location: String,
    /// The host key that is pinned to it, as an OpenSSH public key.
    pub host_key: String,
    /// The key that it has made for itself and is to show soon: until it was seen to, either of the two is accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_host_key: Option<String>,
    /// Whether the pinned key is one that it made itself, and not the one that was injected at its birth, which whoever
    /// can read its user data knows.
    #[serde(default)]
    pub own_host_key: bool,
}

/// Where an instance stands. Each stage holds what it guarantees.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "stage", content = "server", rename_all = "snake_case")]
pub enum Stage {
    /// Decided; nothing of it is known to exist.
    Planned,
    /// The server exists.
    Created(Server),
    /// SSH answers with the pinned host key.
    Reachable(Server),
    /// Logged in, and the server is the one that was created.
    Trusted(Server),
    /// The host is set up and the gateway was started.
    Installed(Server),
    /// The gateway was seen serving from outside.
    Serving(Server),
    /// Being removed.
    Destroying(Option<Server>),
    /// Removed; only the history remembers it.
    Gone,
}

/// What a step achieved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// A server was created or found.
    Created(Server),
    /// Its labels are right.
    Labelled,
    /// The cloud firewall is before it.
    Guarded,
    /// Its DNS records are in place.
    Named,
    /// SSH answered with the pinned key.
    Reached,
    /// Logged in to the right server.
    Trusted,
    /// It has a host key of its own, this one, and does not show it yet.
    HostKeyMade(String),
    /// Its labels name its host keys.
    HostKeyLabelled,
    /// It shows its own host key, and no other.
    HostKeySwitched,
    /// The host lets the admin networks in.
    Admitted,
    /// The set-up on the host is done.
    Installed,
    /// Every check from outside holds.
    Served,
    /// Its server has what it takes to change its release.
    Equipped,
    /// Nothing speaks against a change.
    Surveyed,
    /// The next release is beside the one in use.
    Staged,
    /// The next release started on a copy of the state.
    Rehearsed,
    /// Another release serves, on trial.
    Switched,
    /// The release that serves stays.
    Kept(Release),
    /// The release before the trial serves again.
    Reverted,
    /// What is not needed any more of old releases is gone.
    Pruned,
    /// Its operating system has its security updates.
    Upgraded,
    /// It runs what its updates installed.
    Rebooted,
    /// A policy is in force, on trial.
    Enacted,
    /// The policy that is in force stays.
    Upheld(Enacted),
    /// The policy of this change is taken back.
    Repealed(OpId),
    /// Its gateway has a new token, and the old one is dead.
    Rotated,
    /// Its removal was decided.
    Condemned,
    /// No server of an interrupted create is left.
    Swept,
    /// Its DNS records are gone.
    Unnamed,
    /// Its server is gone.
    Deleted,
}

/// A step claims what cannot be at this stage: a fault of the program.
#[derive(Debug, thiserror::Error)]
#[error("an instance that is {stage} cannot become {outcome}")]
pub struct Impossible {
    stage: &'static str,
    outcome: &'static str,
}

impl Stage {
    /// The stage after an outcome. Steps may run twice, so an outcome that was already reached changes nothing.
    ///
    /// # Errors
    /// [`Impossible`] where the outcome needs something that the stage does not guarantee.
    pub fn after(self, outcome: Outcome) -> Result<Self, Impossible> {
        use Outcome as O;
        use Stage as S;
        let refused = Impossible { stage: self.word(), outcome: outcome.word() };
        match (self, outcome) {
            (
                S::Planned
                | S::Created(_)
                | S::Reachable(_)
                | S::Trusted(_)
                | S::Installed(_)
                | S::Serving(_),
                O::Created(server),
            ) => Ok(S::Created(server)),

            (
                stage @ (S::Created(_) | S::Reachable(_) | S::Trusted(_) | S::Installed(_) | S::Serving(_)),
                O::Labelled | O::Guarded | O::Named,
            ) => Ok(stage),

            (
                stage @ S::Serving(_),
                O::Equipped
                | O::Surveyed
                | O::Staged
                | O::Rehearsed
                | O::Switched
                | O::Kept(_)
                | O::Reverted
                | O::Pruned
                | O::Upgraded
                | O::Rebooted
                | O::Enacted
                | O::Upheld(_)
                | O::Repealed(_)
                | O::Rotated,
            ) => Ok(stage),

            (S::Created(server), O::Reached) => Ok(S::Reachable(server)),
            (stage @ (S::Reachable(_) | S::Trusted(_) | S::Installed(_) | S::Serving(_)), O::Reached) => {
                Ok(stage)
            }

            (S::Reachable(server), O::Trusted) => Ok(S::Trusted(server)),
            (stage @ (S::Trusted(_) | S::Installed(_) | S::Serving(_)), O::Trusted) => Ok(stage),

            (stage @ (S::Trusted(_) | S::Installed(_) | S::Serving(_)), O::Admitted | O::HostKeyLabelled) => {
                Ok(stage)
            }
            (stage @ (S::Trusted(_) | S::Installed(_) | S::Serving(_)), O::HostKeyMade(key)) => {
                Ok(stage.with_server(|server| server.has_made(key)))
            }
            (stage @ (S::Trusted(_) | S::Installed(_) | S::Serving(_)), O::HostKeySwitched) => {
                Ok(stage.with_server(Server::has_switched))
            }

            (S::Trusted(server), O::Installed) => Ok(S::Installed(server)),
            (stage @ (S::Installed(_) | S::Serving(_)), O::Installed) => Ok(stage),

            (S::Installed(server) | S::Serving(server), O::Served) => Ok(S::Serving(server)),

            (S::Planned, O::Condemned) => Ok(S::Destroying(None)),
            (
                S::Created(server)
                | S::Reachable(server)
                | S::Trusted(server)
                | S::Installed(server)
                | S::Serving(server),
                O::Condemned,
            ) => Ok(S::Destroying(Some(server))),
            (stage @ (S::Destroying(_) | S::Gone), O::Condemned) => Ok(stage),

            (stage @ (S::Destroying(_) | S::Gone), O::Swept | O::Unnamed) => Ok(stage),
            (S::Destroying(_) | S::Gone, O::Deleted) => Ok(S::Gone),

            (
                S::Planned,
                O::Labelled
                | O::Guarded
                | O::Named
                | O::Reached
                | O::Trusted
                | O::HostKeyMade(_)
                | O::HostKeyLabelled
                | O::HostKeySwitched
                | O::Admitted
                | O::Installed
                | O::Served
                | O::Swept
                | O::Unnamed
                | O::Deleted,
            )
            | (
                S::Created(_),
                O::Trusted
                | O::HostKeyMade(_)
                | O::HostKeyLabelled
                | O::HostKeySwitched
                | O::Admitted
                | O::Installed
                | O::Served
                | O::Swept
                | O::Unnamed
                | O::Deleted,
            )
            | (
                S::Reachable(_),
                O::HostKeyMade(_)
                | O::HostKeyLabelled
                | O::HostKeySwitched
                | O::Admitted
                | O::Installed
                | O::Served
                | O::Swept
                | O::Unnamed
                | O::Deleted,
            )
            | (S::Trusted(_), O::Served | O::Swept | O::Unnamed | O::Deleted)
            | (S::Installed(_) | S::Serving(_), O::Swept | O::Unnamed | O::Deleted)
            | (
                S::Destroying(_) | S::Gone,
                O::Created(_)
                | O::Labelled
                | O::Guarded
                | O::Named
                | O::Reached
                | O::Trusted
                | O::HostKeyMade(_)
                | O::HostKeyLabelled
                | O::HostKeySwitched
                | O::Admitted
                | O::Installed
                | O::Served,
            )
            | (
                S::Planned
                | S::Created(_)
                | S::Reachable(_)
                | S::Trusted(_)
                | S::Installed(_)
                | S::Destroying(_)
                | S::Gone,
                O::Equipped
                | O::Surveyed
                | O::Staged
                | O::Rehearsed
                | O::Switched
                | O::Kept(_)
                | O::Reverted
                | O::Pruned
                | O::Upgraded
                | O::Rebooted
                | O::Enacted
                | O::Upheld(_)
                | O::Repealed(_)
                | O::Rotated,
            ) => Err(refused),
        }
    }

    /// The stage in one word.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Created(_) => "created",
            Self::Reachable(_) => "reachable",
            Self::Trusted(_) => "trusted",
            Self::Installed(_) => "installed",
            Self::Serving(_) => "serving",
            Self::Destroying(_) => "destroying",
            Self::Gone => "gone",
        }
    }

    /// The server, at the stages that have one.
    pub fn server(&self) -> Option<&Server> {
        match self {
            Self::Created(server)
            | Self::Reachable(server)
            | Self::Trusted(server)
            | Self::Installed(server)
            | Self::Serving(server) => Some(server),
            Self::Destroying(server) => server.as_ref(),
            Self::Planned | Self::Gone => None,
        }
    }

    /// The same stage, with the server changed where it has one.
    fn with_server(self, change: impl FnOnce(Server) -> Server) -> Self {
        match self {
            Self::Created(server) => Self::Created(change(server)),
            Self::Reachable(server) => Self::Reachable(change(server)),
            Self::Trusted(server) => Self::Trusted(change(server)),
            Self::Installed(server) => Self::Installed(change(server)),
            Self::Serving(server) => Self::Serving(change(server)),
            Self::Destroying(server) => Self::Destroying(server.map(change)),
            Self::Planned => Self::Planned,
            Self::Gone => Self::Gone,
        }
    }
}

impl Server {
    /// The host keys that are accepted from it; the first one is pinned.
    pub fn host_keys(&self) -> Vec<&str> {
        [&self.host_key].into_iter().chain(&self.next_host_key).map(String::as_str).collect()
    }

    /// The key that it is to show when it shows its own.
    pub fn own_key_to_come(&self) -> &str {
        self.next_host_key.as_ref().unwrap_or(&self.host_key)
    }

    /// The server, once it has made this key for itself.
    fn has_made(mut self, key: String) -> Self {
        self.next_host_key = (key != self.host_key).then_some(key);
        self
    }

    /// The server, once it shows its own key and no other.
    fn has_switched(mut self) -> Self {
        let own = self.own_key_to_come().to_owned();
        self.shows_its_own(own);
        self
    }

    /// Pins this key, which it has made itself, and no other.
    pub fn shows_its_own(&mut self, key: String) {
        self.host_key = key;
        self.next_host_key = None;
        self.own_host_key = true;
    }
}

impl Outcome {
    fn word(&self) -> &'static str {
        match self {
            Self::Created(_) => "created",
            Self::Labelled => "labelled",
            Self::Guarded => "guarded",
            Self::Named => "named",
            Self::Reached => "reachable",
            Self::Trusted => "trusted",
            Self::HostKeyMade(_) => "with a host key of its own",
            Self::HostKeyLabelled => "with its host keys on labels",
            Self::HostKeySwitched => "showing its own host key",
            Self::Admitted => "admitting",
            Self::Installed => "installed",
            Self::Served => "serving",
            Self::Equipped => "equipped",
            Self::Surveyed => "surveyed",
            Self::Staged => "staged",
            Self::Rehearsed => "rehearsed",
            Self::Switched => "switched",
            Self::Kept(_) => "updated",
            Self::Reverted => "reverted",
            Self::Pruned => "pruned",
            Self::Upgraded => "upgraded",
            Self::Rebooted => "rebooted",
            Self::Enacted => "governed, on trial",
            Self::Upheld(_) => "governed",
            Self::Repealed(_) => "governed as before",
            Self::Rotated => "rotated",
            Self::Condemned => "destroying",
            Self::Swept => "swept",
            Self::Unnamed => "unnamed",
            Self::Deleted => "gone",
        }
    }
}

impl InstanceSpec {
    /// Where the gateway of an instance with this name and address is reached.
    pub fn endpoint(&self, name: &InstanceName, address: Ipv4Addr) -> Endpoint {
        self.host_name(name).map_or(Endpoint::Address(address), Endpoint::Domain)
    }

    /// What goes back has the state of that time, and so perhaps another policy.
    fn keep(&mut self, release: Release) {
        if release.openclaw < self.release.openclaw
            && let Some(enacted) = &mut self.enacted
        {
            enacted.stale = true;
        }
        self.release = release;
    }

    /// The same policy of the same change twice is one.
    fn uphold(&mut self, enacted: Enacted) {
        let before = self.enacted.take();
        let before = match before {
            Some(same) if same.id == enacted.id => same.before,
            other => other.map(|before| Box::new(Enacted { before: None, ..*before })),
        };
        self.enacted = Some(Box::new(Enacted { before, ..enacted }));
    }

    fn repeal(&mut self, id: &OpId) {
        if self.enacted.as_ref().is_some_and(|enacted| enacted.id == *id) {
            self.enacted = self.enacted.take().and_then(|enacted| enacted.before);
        }
    }

    /// The instance's DNS name, where it has one.
    pub fn host_name(&self, name: &InstanceName) -> Option<String> {
        self.domain.as_ref().map(|domain| format!("{name}.{domain}"))
    }
}

impl Instance {
    /// The instance after an outcome.
    ///
    /// # Errors
    /// [`Impossible`] where the outcome needs something that its stage does not guarantee.
    pub fn after(mut self, outcome: Outcome) -> Result<Self, Impossible> {
        self.stage = self.stage.after(outcome.clone())?;
        match outcome {
            Outcome::Kept(release) => self.spec.keep(release),
            Outcome::Upheld(enacted) => self.spec.uphold(enacted),
            Outcome::Repealed(id) => self.spec.repeal(&id),
            _ => {}
        }
        Ok(self)
    }

    /// Where its gateway is reached, once it has an address.
    pub fn endpoint(&self) -> Option<Endpoint> {
        self.stage.server().map(|server| self.spec.endpoint(&self.name, server.ipv4))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(id: u64) -> Server {
        let host_key = "ssh-ed25519 AAAA".into();
        Server {
            id,
            ipv4: Ipv4Addr::new(198, 51, 100, 7),
            ipv6: None,
            location: "fsn1".into(),
            host_key,
            next_host_key: None,
            own_host_key: false,
        }
    }

    #[test]
    fn every_stage_can_be_written_down_and_read_again() {
        let stages = [
            Stage::Planned,
            Stage::Created(server(1)),
            Stage::Reachable(server(1)),
            Stage::Trusted(server(1)),
            Stage::Installed(server(1)),
            Stage::Serving(server(1)),
            Stage::Destroying(None),
            Stage::Destroying(Some(server(1))),
            Stage::Gone,
        ];
        for stage in stages {
            let text = serde_json::to_string(&stage).unwrap();
            assert_eq!(serde_json::from_str::<Stage>(&text).unwrap(), stage, "{text}");
        }
    }

    #[test]
    fn the_way_up_and_down() {
        let mut stage = Stage::Planned;
        let mut words = Vec::new();
        for outcome in [
            Outcome::Created(server(1)),
            Outcome::Named,
            Outcome::Reached,
            Outcome::Trusted,
            Outcome::Installed,
            Outcome::Served,
            Outcome::Condemned,
            Outcome::Unnamed,
            Outcome::Deleted,
        ] {
            stage = stage.after(outcome).unwrap();
            words.push(stage.word());
        }
        let expected = [
            "created",
            "created",
            "reachable",
            "trusted",
            "installed",
            "serving",
            "destroying",
            "destroying",
            "gone",
        ];
        assert_eq!(words, expected);
    }

    #[test]
    fn every_outcome_twice_is_the_same_as_once() {
        let mut stage = Stage::Planned;
        for outcome in [
            Outcome::Created(server(1)),
            Outcome::Reached,
            Outcome::Trusted,
            Outcome::Installed,
            Outcome::Served,
            Outcome::Condemned,
            Outcome::Unnamed,
            Outcome::Deleted,
        ] {
            stage = stage.after(outcome.clone()).unwrap();
            assert_eq!(stage.clone().after(outcome).unwrap(), stage);
        }
    }

    #[test]
    fn a_new_server_starts_the_way_anew() {
        let stage = Stage::Serving(server(1)).after(Outcome::Created(server(2))).unwrap();
        assert_eq!(stage, Stage::Created(server(2)));
    }

    #[test]
    fn until_the_server_was_seen_with_its_own_key_either_is_accepted_and_then_only_that() {
        let keys = |stage: &Stage| stage.server().unwrap().host_keys().join(", ");
        let mut stage = Stage::Trusted(server(1));
        let mut seen = Vec::new();
        for outcome in [
            Outcome::HostKeyMade("ssh-ed25519 BBBB".into()),
            Outcome::HostKeyLabelled,
            Outcome::HostKeySwitched,
            // a record that has forgotten it finds the server as it is
            Outcome::HostKeyMade("ssh-ed25519 BBBB".into()),
        ] {
            stage = stage.after(outcome.clone()).unwrap();
            assert_eq!(stage.clone().after(outcome).unwrap(), stage, "twice is once");
            seen.push(keys(&stage));
        }
        let both = "ssh-ed25519 AAAA, ssh-ed25519 BBBB";
        assert_eq!(seen, [both, both, "ssh-ed25519 BBBB", "ssh-ed25519 BBBB"]);
        assert!(stage.server().unwrap().own_host_key);
        assert!(Stage::Reachable(server(1)).after(Outcome::HostKeySwitched).is_err());
    }

    #[test]
    fn a_server_of_an_older_state_has_no_key_of_its_own() {
        let old = r#"{"stage":"serving","server":{"id":1,"ipv4":"198.51.100.7","ipv6":null,"location":"fsn1","host_key":"ssh-ed25519 AAAA"}}"#;
        assert_eq!(serde_json::from_str::<Stage>(old).unwrap(), Stage::Serving(server(1)));
    }

    #[test]
    fn nothing_is_skipped_and_nothing_comes_back_from_the_dead() {
        let error = Stage::Created(server(1)).after(Outcome::Served).unwrap_err();
        assert_eq!(error.to_string(), "an instance that is created cannot become serving");
        assert!(Stage::Destroying(None).after(Outcome::Created(server(1))).is_err());
        assert!(Stage::Planned.after(Outcome::Deleted).is_err());
    }

    fn governed(id: u8, tools: &str) -> Enacted {
        let policy = toml::from_str(&format!("tools = '{tools}'")).unwrap();
        let id = OpId::from_bytes([id; 8]);
        Enacted { id, policy, secrets: Default::default(), stale: false, before: None }
    }

    fn instance() -> Instance {
        let integrity = format!("sha512-{}==", "A".repeat(86));
        let release = serde_json::json!({
            "openclaw": "2026.9.6", "engines": ">=24", "integrity": integrity, "node": "24.21.0",
        });
        let spec = InstanceSpec {
            server_type: "cx23".into(),
            locations: vec!["fsn1".into()],
            image: "debian-13".into(),
            release: serde_json::from_value(release).unwrap(),
            domain: None,
            enacted: None,
        };
        let (name, created) = ("alice".parse().unwrap(), "2026-11-22T00:00:00Z".into());
        Instance { name, spec, stage: Stage::Serving(server(1)), created }
    }

    #[test]
    fn a_policy_that_is_taken_back_gives_way_to_the_one_before() {
        let (first, second) = (governed(1, "minimal"), governed(2, "messaging"));
        let mut alice = instance();
        for outcome in [
            Outcome::Enacted,
            Outcome::Upheld(first.clone()),
            Outcome::Upheld(second.clone()),
            // once more, after a kill
            Outcome::Upheld(second.clone()),
        ] {
            alice = alice.after(outcome).unwrap();
        }
        assert_eq!(alice.spec.enacted.as_ref().unwrap().policy, second.policy);
        // not that of another change
        alice = alice.after(Outcome::Repealed(OpId::from_bytes([9; 8]))).unwrap();
        assert_eq!(alice.spec.enacted.as_ref().unwrap().policy, second.policy);
        alice = alice.after(Outcome::Repealed(second.id)).unwrap();
        assert_eq!(**alice.spec.enacted.as_ref().unwrap(), first);
        alice = alice.after(Outcome::Repealed(first.id)).unwrap();
        assert_eq!(alice.spec.enacted, None);
    }

    #[test]
    fn who_goes_back_to_a_state_of_before_may_have_another_policy() {
        let alice = instance().after(Outcome::Upheld(governed(1, "minimal"))).unwrap();
        let older = {
            let mut release = alice.spec.release.clone();
            release.openclaw = "2026.9.1".parse().unwrap();
            release
        };
        let same = alice.clone().after(Outcome::Kept(alice.spec.release.clone())).unwrap();
        assert!(!same.spec.enacted.unwrap().stale);
        assert!(alice.after(Outcome::Kept(older)).unwrap().spec.enacted.unwrap().stale);
    }
}
