//! Plans: steps in order, made by pure functions from the record and from what was seen. A plan can be printed,
//! priced and refused; it decides everything, so that walking it needs no further choice.

pub mod audit;
mod budget;
mod destroy;
mod drift;
mod host_key;
mod image;
mod keys;
mod naming;
mod order;
pub mod policy;
mod pool;
mod provision;
pub mod rollout;
mod rotate;
pub mod update;

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use crate::model::fleet::OpId;
use crate::model::image::Recipe;
use crate::model::instance::{Instance, InstanceSpec};
use crate::model::name::InstanceName;
use crate::model::observed::FirewallRule;
use crate::model::operator_key::OperatorKey;
use crate::model::policy::Enactment;
use crate::model::price::Price;
use crate::model::release::{OpenClawVersion, Release};

pub use budget::Budget;
pub use destroy::destroy;
pub use drift::{Case, Reconciliation, reconcile};
pub use image::{Baking, bake, prune};
pub use keys::{bring, hand_over, succeed};
pub use pool::{Standing, claims, standing, to_fill};
pub use provision::{Wish, provision};
pub use rotate::{Secret, rotate};

/// What is going to be done.
#[derive(Clone, Debug, Default, PartialEq)]
#[must_use = "a plan does nothing until it is applied"]
pub struct Plan {
    /// For the fleet as a whole, before the instances.
    pub before: Vec<FleetStep>,
    /// For each instance, side by side.
    pub instances: Vec<InstancePlan>,
    /// What is done for an image; beside the instances.
    pub image: Option<ImagePlan>,
    /// Whether it fills the pool, which one command does at a time.
    pub fills: bool,
    /// For the fleet as a whole, after all instances succeeded.
    pub after: Vec<FleetStep>,
    /// What has to wait, because no certificate is to be had for it yet.
    pub later: Vec<Later>,
    /// What the new servers cost in a month at the first candidate, and in which currency.
    pub cost: Option<(Price, String)>,
}

/// An instance that would get no certificate yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Later {
    /// Its name.
    pub name: InstanceName,
    /// Since when it would get one.
    pub until: Timestamp,
}

/// What is going to be done for one instance.
#[derive(Clone, Debug, PartialEq)]
pub struct InstancePlan {
    /// The instance as the state knows it, or as it is going to be written down.
    pub instance: Instance,
    /// The steps, in order; none: nothing to do.
    pub steps: Vec<Step>,
}

/// What is going to be done for an image.
#[derive(Clone, Debug, PartialEq)]
pub struct ImagePlan {
    /// What its servers have; locations and domain are of no matter.
    pub spec: InstanceSpec,
    /// By what it is made.
    pub recipe: Recipe,
    /// The steps, in order.
    pub steps: Vec<ImageStep>,
}

/// A kind of step: an enum, the word for each of its variants in the journal, and all the words, from which the tests
/// that kill and fail every step are made.
macro_rules! steps {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident $(($($field:ty),+))? = $word:literal,)+ }) => {
        $(#[$about])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[$doc])* $variant $(($($field),+))?,)+ }

        impl $name {
            /// Every kind of step, in one word each.
            pub const WORDS: &[&str] = &[$($word),+];

            /// The step in one word, for the journal.
            pub fn word(&self) -> &'static str {
                match self { $(Self::$variant { .. } => $word,)+ }
            }
        }
    };
}

steps! {
    /// A step for the whole fleet.
    FleetStep {
        /// Make the fleet's public key known to the project.
        CreateSshKey = "create-ssh-key",
        /// Make the fleet's firewall.
        CreateFirewall(Vec<FirewallRule>) = "create-firewall",
        /// Change the fleet's firewall.
        SetFirewallRules(u64, Vec<FirewallRule>) = "set-firewall-rules",
        /// Take the deletion protection off servers that belong to no instance.
        UnprotectStrays(Vec<u64>) = "unprotect-strays",
        /// Delete servers with the fleet's label that belong to no instance.
        DeleteStrays(Vec<u64>) = "delete-strays",
        /// Remove these DNS names (zone, name), which belong to no instance.
        DeleteNames(Vec<(String, String)>) = "delete-names",
        /// Remove these addresses, which no server has.
        DeleteAddresses(Vec<u64>) = "delete-addresses",
        /// Remove these snapshots.
        DeleteSnapshots(Vec<u64>) = "delete-snapshots",
        /// Take a firewall that is one too many off these servers, and remove it.
        DropFirewall(u64, Vec<u64>) = "drop-firewall",
        /// Remove a firewall of the fleet.
        DeleteFirewall(u64) = "delete-firewall",
        /// Remove a key of the fleet.
        DeleteSshKey(u64) = "delete-ssh-key",
        /// Write down how far a key has got that logs in beside the fleet's own.
        NoteKey(OperatorKey) = "note-key",
        /// Make this key the fleet's own, which every server lets in; the one before is leaving from then on.
        UseKey(String) = "use-key",
        /// Write down which keys every server lets in now, and forget those that none does.
        SettleKeys = "settle-keys",
        /// List what bears the fleet's label (and, of these instances, the name): nothing may be left.
        ProveAbsence(Vec<InstanceName>) = "prove-absence",
    }
}

steps! {
    /// A step for an image. Its server, the builder, lives for one run only; a later one removes what an earlier one left, and
    /// begins anew.
    ImageStep {
        /// Delete these servers, which an interrupted run left, and the one of this run.
        RemoveBuilder(Vec<u64>) = "remove-builder",
        /// Create the server that becomes the image.
        CreateBuilder(Order) = "create-builder",
        /// Wait for SSH with the pinned host key, and see that it is that server.
        TrustBuilder = "trust-builder",
        /// Wait until all is installed there.
        FillBuilder = "fill-builder",
        /// Remove all by which it could be known.
        ScrubBuilder = "scrub-builder",
        /// Look once more, in another session, that nothing of that is on its disk.
        ProveBuilder = "prove-builder",
        /// Switch it off.
        StopBuilder = "stop-builder",
        /// Make a snapshot of its disk.
        TakeImage = "take-image",
        /// Wait until this snapshot, which an interrupted run has begun, is whole.
        AwaitImage(u64) = "await-image",
    }
}

steps! {
    /// A step for one instance: an "ensure", safe to run twice.
    Step {
        /// Create the server.
        Create(Order) = "create",
        /// Make the server of this standby its own.
        Claim(Box<Instance>) = "claim",
        /// Give the server its name, and the labels that say so.
        Rename = "rename",
        /// Leave nothing on the server of the standby that it was.
        Renew = "renew",
        /// Take a server that an interrupted create left.
        Adopt(u64) = "adopt",
        /// Switch the server on.
        PowerOn(u64) = "power-on",
        /// Set the server's labels.
        Label(u64, BTreeMap<String, String>) = "label",
        /// Put the fleet's firewall before the server.
        Guard(u64) = "guard",
        /// Point the DNS name at the server.
        Name(String) = "name",
        /// Protect the server from being deleted or rebuilt by mistake.
        Protect(u64) = "protect",
        /// Wait for SSH with the pinned host key.
        Reach = "reach",
        /// Log in and see that it is the server that was created.
        Trust = "trust",
        /// Let the server make a host key of its own, beside the one that it shows.
        MakeHostKey = "make-host-key",
        /// Say on the server's labels which host keys it may show, so that a lost state can be written anew.
        LabelHostKey = "label-host-key",
        /// Let the server show the host key that it has made and forget the one before, and see that it does.
        SwitchHostKey = "switch-host-key",
        /// Let the server's root let these keys in, too.
        GiveKeys(Vec<String>) = "give-keys",
        /// Log in with this key, which is to be the fleet's own.
        ProveKey(String) = "prove-key",
        /// Let the server's root let these keys in no more, cut off who came with them, and see that they are refused.
        TakeKeys(Vec<String>) = "take-keys",
        /// Let the admin networks through the host's own firewall.
        Admit = "admit",
        /// Wait for the set-up on the host.
        Install = "install",
        /// Run the set-up on the host once more.
        SetUp = "set-up",
        /// Wait until every check from outside holds.
        Serve = "serve",
        /// Send the server what it takes to change its release: to this one, and back by itself after so many seconds.
        Equip(Release, u32) = "equip",
        /// See that nothing speaks against a change.
        Survey = "survey",
        /// Put the next release beside the one in use.
        Stage = "stage",
        /// Start the next release on a copy of the state.
        Rehearse = "rehearse",
        /// Let the next release take over, on trial.
        Switch(OpenClawVersion) = "switch",
        /// Bring back a kept release with the state that it had, on trial.
        RollBack(OpenClawVersion) = "roll-back",
        /// See, for so long, that this release serves.
        Bake(OpenClawVersion, Duration) = "bake",
        /// End the trial: this version stays, and it is this very release, where we know it from elsewhere than the server.
        Keep(OpenClawVersion, Option<Release>) = "keep",
        /// Say on the server's labels which release it runs.
        Relabel(OpenClawVersion) = "relabel",
        /// Remove what is not needed any more of old releases.
        Prune = "prune",
        /// End the trial: the release before it comes back, with its state.
        Revert = "revert",
        /// End an update that was cut off: back where it was on trial; else what serves is written down.
        Settle = "settle",
        /// Install the security updates of the operating system.
        Upgrade = "upgrade",
        /// Start the server anew, where its updates ask for it.
        Reboot = "reboot",
        /// Bring a policy to its gateway, on trial.
        Enact(Box<Enactment>) = "enact",
        /// See, for so long, that its gateway serves with that policy, and end the trial.
        Uphold(Box<Enactment>, Duration) = "uphold",
        /// Take the policy of this change back.
        Repeal(OpId) = "repeal",
        /// Replace the gateway's token, and see that the old one is dead.
        Rotate = "rotate",
        /// Write down that it is going to be removed.
        Condemn = "condemn",
        /// Have its certificate revoked, if that can be.
        Revoke = "revoke",
        /// Remove the DNS records, in this zone.
        Unname(String) = "unname",
        /// Take the deletion protection off these servers.
        Unprotect(Vec<u64>) = "unprotect",
        /// Look up, for so long, the name under which an interrupted create may have made a server, and delete that.
        Sweep(Duration) = "sweep",
        /// Delete these servers and their addresses.
        Delete(Vec<u64>) = "delete",
    }
}

/// What to ask Hetzner for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// The server type.
    pub server_type: String,
    /// What its disk is made from.
    pub image: Origin,
    /// Locations, tried in order while one is out of stock; never empty.
    pub locations: Vec<String>,
}

/// What a server's disk is made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// An image of Hetzner's, by its id.
    Stock(u64),
    /// An image of the fleet's own, with everything installed.
    Baked(u64),
}

impl Origin {
    /// The id of the image.
    pub fn id(self) -> u64 {
        let (Self::Stock(id) | Self::Baked(id)) = self;
        id
    }
}

/// The subject of the right to make an image: no instance has that name. One is made at a time, because there is one builder.
pub const IMAGE: &str = "image:";

/// The subject of the right to fill the pool.
pub const POOL: &str = "pool:";

/// Why an instance may have to wait, see [`Budget`].
pub const LIMITS: &str = "Let's Encrypt certifies 50 new names of a domain in a week, and each five times";

/// The next full minute, for people.
pub fn minute(time: Timestamp) -> String {
    let minutes = time.as_second().div_euclid(60) + 1;
    let full = Timestamp::from_second(minutes * 60).unwrap_or(time);
    full.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

impl Plan {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        let instances = self.instances.iter().all(|i| i.steps.is_empty());
        self.before.is_empty() && self.after.is_empty() && self.image.is_none() && instances
    }

    /// How many servers it creates.
    pub fn creates(&self) -> usize {
        self.instances.iter().flat_map(|i| &i.steps).filter(|step| matches!(step, Step::Create(_))).count()
    }

    /// How many servers it deletes.
    pub fn deletes(&self) -> usize {
        let fleet = self.before.iter().chain(&self.after).map(|step| match step {
            FleetStep::DeleteStrays(ids) => ids.len(),
            _ => 0,
        });
        let instances = self.instances.iter().flat_map(|i| &i.steps).map(|step| match step {
            Step::Delete(ids) => ids.len(),
            _ => 0,
        });
        fleet.chain(instances).sum()
    }
}

impl FleetStep {
    /// Whether it takes away what every instance needs, so that it must not be taken while there is one.
    pub fn needs_an_empty_fleet(&self) -> bool {
        match self {
            Self::DeleteFirewall(_) | Self::DeleteSshKey(_) => true,
            Self::ProveAbsence(names) => names.is_empty(),
            Self::CreateSshKey
            | Self::CreateFirewall(_)
            | Self::SetFirewallRules(..)
            | Self::UnprotectStrays(_)
            | Self::DeleteStrays(_)
            | Self::DeleteNames(_)
            | Self::DeleteAddresses(_)
            | Self::DeleteSnapshots(_)
            | Self::DropFirewall(..)
            | Self::NoteKey(_)
            | Self::UseKey(_)
            | Self::SettleKeys => false,
        }
    }
}

impl Plan {
    /// The instances for which something is done.
    pub fn subjects(&self) -> impl Iterator<Item = &InstanceName> {
        self.instances.iter().filter(|part| !part.steps.is_empty()).map(|part| &part.instance.name)
    }

    /// The standbys that become somebody's.
    pub fn claims(&self) -> impl Iterator<Item = &InstanceName> {
        self.instances.iter().flat_map(|part| &part.steps).filter_map(|step| match step {
            Step::Claim(standby) => Some(&standby.name),
            _ => None,
        })
    }

    /// The rights that it takes to walk it.
    pub fn leases(&self) -> impl Iterator<Item = &str> {
        let names = self.subjects().chain(self.claims()).map(InstanceName::as_str);
        names.chain(self.image.as_ref().map(|_| IMAGE)).chain(self.fills.then_some(POOL))
    }
}
