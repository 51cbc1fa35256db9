//! An instance: one user's gateway.

mod server;
mod stage;

use std::net::Ipv4Addr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use server::Server;
pub use stage::{Impossible, Outcome, Stage};

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
            Outcome::Upheld(enacted) => self.spec.uphold(*enacted),
            Outcome::Repealed(id) => self.spec.repeal(&id),
            _ => {}
        }
        Ok(self)
    }

    /// Whether it was first asked for before this time; not, where its record does not say when.
    pub fn is_older_than(&self, time: Timestamp) -> bool {
        self.created.parse::<Timestamp>().is_ok_and(|created| created < time)
    }

    /// Where its gateway is reached, once it has an address.
    pub fn endpoint(&self) -> Option<Endpoint> {
        self.stage.server().map(|server| self.spec.endpoint(&self.name, server.ipv4))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn server(id: u64) -> Server {
        let host_key = "ssh-ed25519 AAAA".into();
        Server {
            id,
            ipv4: Ipv4Addr::new(198, 51, 100, 7),
            ipv6: None,
            location: "fsn1".into(),
            host_key,
            next_host_key: None,
            own_host_key: false,
            birth_key: None,
            admitted: None,
            standby: None,
        }
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
            Outcome::Upheld(Box::new(first.clone())),
            Outcome::Upheld(Box::new(second.clone())),
            // once more, after a kill
            Outcome::Upheld(Box::new(second.clone())),
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
        let alice = instance().after(Outcome::Upheld(Box::new(governed(1, "minimal")))).unwrap();
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
