//! The commands that are killed and failed, and what they find. One more scene is one more entry here.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::before;
use super::update::{self, NEW, OLD};
use crate::bed::{Ended, Operator};

/// A command, and what there is when it begins.
pub(super) struct Scene {
    pub(super) name: &'static str,
    /// Brings about what the command finds.
    before: fn(&Operator<'_>) -> Result<()>,
    pub(super) command: &'static [&'static str],
    pub(super) variables: &'static [(&'static str, &'static str)],
    goal: Goal,
}

/// What the command is for.
enum Goal {
    /// These serve.
    Serve(&'static [&'static str]),
    /// These are gone.
    Gone(&'static [&'static str]),
    /// Nothing is left, also of what no `reconcile` removes.
    Nothing,
    /// There is one image that fits, and no server.
    Baked,
    /// Nothing differs.
    NoDrift,
    /// An update to its end: it serves this release, to which its server went once, by this.
    Runs(&'static str, &'static str),
    /// An update of the system to its end: it serves.
    Upgraded(&'static str),
    /// An update in vain: it serves the old release.
    Stays(&'static str),
    /// The policy of the file holds.
    Governed(&'static str),
    /// A policy in vain: what was before it holds.
    Ungoverned(&'static str),
}

/// What is done, unattended, after a command was killed or failed.
pub(super) struct Sequel {
    pub(super) name: &'static str,
    /// None: the same command again.
    command: Option<&'static [&'static str]>,
}

/// All ways to go on.
pub(super) const SEQUELS: &[Sequel] =
    &[Sequel { name: "again", command: None }, Sequel { name: "reconcile", command: Some(RECONCILE) }];

/// Mends everything.
pub(super) const RECONCILE: &[&str] = &["reconcile", "--apply", "--yes"];

const NO_VARIABLES: &[(&str, &str)] = &[];
/// Hosts see every caller as 127.0.0.1, which has to stay among those that are let in.
const OTHER_ADMINS: &[(&str, &str)] = &[("CLAWBERTH_ADMIN_NETWORKS", "127.0.0.0/8,192.0.2.0/24")];

/// All scenes. What a step asks for is learned, and failed, in the first one that has it; so those with several
/// instances, whose steps mix, come last.
pub(super) const SCENES: &[Scene] = &[
    Scene {
        name: "deploy-by-address",
        before: before::nothing,
        command: &["deploy", "alice", "--yes"],
        variables: NO_VARIABLES,
        goal: Goal::Serve(&["alice"]),
    },
    Scene {
        name: "deploy-by-name",
        before: before::zone,
        command: &["deploy", "alice", "--domain", "example.org", "--yes"],
        variables: NO_VARIABLES,
        goal: Goal::Serve(&["alice"]),
    },
    Scene {
        name: "deploy-after-changed-admin-networks",
        before: before::alice,
        command: &["deploy", "alice", "--yes"],
        variables: OTHER_ADMINS,
        goal: Goal::Serve(&["alice"]),
    },
    Scene {
        name: "deploy-after-an-interrupted-create",
        before: before::interrupted_create,
        command: &["deploy", "alice", "--yes"],
        variables: NO_VARIABLES,
        goal: Goal::Serve(&["alice"]),
    },
    Scene {
        name: "deploy-where-the-server-is-off",
        before: before::switched_off,
        command: &["deploy", "alice", "--yes"],
        variables: NO_VARIABLES,
        goal: Goal::Serve(&["alice"]),
    },
    Scene {
        name: "destroy-one-of-two",
        before: before::alice_and_bob,
        command: &["destroy", "alice", "--yes"],
        variables: NO_VARIABLES,
        goal: Goal::Gone(&["alice"]),
    },
    Scene {
        name: "destroy-the-last",
        before: before::alice_by_name,
        command: &["destroy", "alice", "--yes"],
        variables: NO_VARIABLES,
        goal: Goal::Gone(&["alice"]),
    },
    Scene {
        name: "destroy-all-with-a-stray",
        before: before::alice_and_a_stray,
        command: &["destroy", "--all", "--yes"],
        variables: NO_VARIABLES,
        goal: Goal::Gone(&["alice"]),
    },
    Scene {
        name: "destroy-what-is-protected",
        before: before::protected,
        command: &["destroy", "alice", "--yes"],
        variables: NO_VARIABLES,
        goal: Goal::Gone(&["alice"]),
    },
    Scene {
        name: "destroy-all-with-a-protected-stray",
        before: before::protected_stray,
        command: &["destroy", "--all", "--yes"],
        variables: NO_VARIABLES,
        goal: Goal::Nothing,
    },
    Scene {
        name: "deploy-two",
        before: before::nothing,
        command: &["deploy", "alice", "bob", "--yes"],
        variables: NO_VARIABLES,
        goal: Goal::Serve(&["alice", "bob"]),
    },
    Scene {
        name: "destroy-after-a-create-that-was-not-sent",
        before: before::create_that_was_not_sent,
        command: &["destroy", "alice", "--yes"],
        variables: NO_VARIABLES,
        goal: Goal::Gone(&["alice"]),
    },
    Scene {
        name: "update",
        before: before::old_alice,
        command: before::UPDATE,
        variables: NO_VARIABLES,
        goal: Goal::Runs(NEW, "switch 2026.9.6"),
    },
    Scene {
        name: "update-and-rollback",
        before: before::updated_alice,
        command: &["rollback", "alice", "--to", OLD, "--bake", "0s", "--yes"],
        variables: NO_VARIABLES,
        goal: Goal::Runs(OLD, "rollback 2026.9.5"),
    },
    Scene {
        name: "update-in-vain",
        before: before::old_broken,
        command: &["update", "broken", "--version", NEW, "--bake", "3s", "--yes"],
        variables: NO_VARIABLES,
        goal: Goal::Stays("broken"),
    },
    Scene {
        name: "update-of-the-system",
        before: before::alice,
        command: &["update", "alice", "--os", "--bake", "0s", "--yes"],
        variables: NO_VARIABLES,
        goal: Goal::Upgraded("alice"),
    },
    Scene {
        name: "policy",
        before: before::ungoverned,
        command: &["apply", "alice", "--bake", "0s", "--yes"],
        variables: NO_VARIABLES,
        goal: Goal::Governed("alice"),
    },
    Scene {
        name: "policy-in-vain",
        before: before::lawless,
        command: &["apply", "lawless", "--bake", "0s", "--yes"],
        variables: NO_VARIABLES,
        goal: Goal::Ungoverned("lawless"),
    },
    Scene {
        name: "deploy-with-a-policy",
        before: before::policy,
        command: &["deploy", "alice", "--yes"],
        variables: NO_VARIABLES,
        goal: Goal::Governed("alice"),
    },
    Scene {
        name: "rotate",
        before: before::alice,
        command: &["rotate", "alice", "token", "--yes"],
        variables: NO_VARIABLES,
        goal: Goal::Serve(&["alice"]),
    },
    Scene {
        name: "rotate-host-key",
        before: before::alice,
        command: &["rotate", "alice", "hostkey", "--yes"],
        variables: NO_VARIABLES,
        goal: Goal::Serve(&["alice"]),
    },
    Scene {
        name: "rotate-the-fleet-s-key",
        before: before::alice,
        command: &["keys", "rotate", "--yes"],
        variables: NO_VARIABLES,
        goal: Goal::Serve(&["alice"]),
    },
    Scene {
        name: "claim",
        before: before::standby,
        command: &["deploy", "alice", "--yes"],
        variables: NO_VARIABLES,
        goal: Goal::Serve(&["alice"]),
    },
    Scene {
        name: "bake",
        before: before::nothing,
        command: before::BAKE,
        variables: NO_VARIABLES,
        goal: Goal::Baked,
    },
    Scene {
        name: "bake-whose-snapshot-is-not-whole",
        before: before::half_an_image,
        command: before::BAKE,
        variables: NO_VARIABLES,
        goal: Goal::Baked,
    },
    Scene::reconcile("update-that-was-cut-off", before::cut_off_update),
    Scene::reconcile("update-on-trial", before::update_on_trial),
    Scene::reconcile("orphan-server", before::orphan_server),
    Scene::reconcile("missing-server", before::missing_server),
    Scene::reconcile("not-protected", before::alice_of_old),
    Scene::reconcile("wrong-labels", before::wrong_labels),
    Scene::reconcile("firewall-taken-off", before::firewall_taken_off),
    Scene::reconcile("second-firewall", before::second_firewall),
    Scene::reconcile("orphan-name", before::orphan_name),
    Scene::reconcile("loose-address", before::loose_address),
    Scene::reconcile("snapshot", before::snapshot),
    Scene::reconcile("other-release", before::other_release),
];

impl Scene {
    /// One kind of drift, and a `reconcile` that mends it.
    const fn reconcile(name: &'static str, before: fn(&Operator<'_>) -> Result<()>) -> Self {
        Self { name, before, command: RECONCILE, variables: NO_VARIABLES, goal: Goal::NoDrift }
    }

    /// All ways to go on; after a `reconcile` both are the same, and what it leaves alone it does not remove.
    pub(super) fn sequels(&self) -> &'static [Sequel] {
        if let Goal::NoDrift | Goal::Nothing = self.goal { &SEQUELS[..1] } else { SEQUELS }
    }

    /// Sets it up afresh.
    pub(super) fn set_up(&self, operator: &Operator<'_>) -> Result<()> {
        (self.before)(operator).context("while the scene was set up")
    }

    /// The code with which its command ends.
    pub(super) fn code(&self) -> i32 {
        i32::from(matches!(self.goal, Goal::Stays(_) | Goal::Ungoverned(_)))
    }

    /// The same once more; a rollout that is not over is gone on with.
    fn again(&self, operator: &Operator<'_>) -> Result<Ended> {
        match self.goal {
            Goal::Serve(_) | Goal::Gone(_) | Goal::Nothing | Goal::Baked | Goal::NoDrift => {
                operator.run(self.command, self.variables)
            }
            Goal::Governed(_) if self.command.first() == Some(&"deploy") => {
                operator.run(self.command, self.variables)
            }
            Goal::Runs(..) | Goal::Upgraded(_) | Goal::Stays(_) | Goal::Governed(_) | Goal::Ungoverned(_) => {
                update::go_on(self.command, self.variables, operator)
            }
        }
    }

    /// Goes on after the command was killed or failed, and holds the outcome against what the command was for.
    pub(super) fn go_on(&self, sequel: &Sequel, operator: &Operator<'_>) -> Result<()> {
        let ended = match sequel.command {
            Some(command) => operator.run(command, self.variables)?,
            None => self.again(operator)?,
        };
        let after = operator.list()?;
        let stage = |name: &str| after.get(name).map(String::as_str);
        match (&self.goal, sequel.command) {
            (Goal::Serve(names), None) => {
                ensure!(ended.code == Some(0), "{ended}");
                ensure!(names.iter().all(|name| stage(name) == Some("serving")), "{after:?} after {ended}");
            }
            (Goal::Gone(names), None) => {
                ensure!(ended.code == Some(0), "{ended}");
                ensure!(names.iter().all(|name| stage(name).is_none()), "{after:?} after {ended}");
                let left = operator.in_the_cloud()?;
                ensure!(!after.is_empty() || left.is_empty(), "{left:?} after {ended}");
            }
            (Goal::Nothing, None) => {
                ensure!(ended.code == Some(0), "{ended}");
                let left = operator.in_the_cloud()?;
                ensure!(after.is_empty() && left.is_empty(), "{after:?} and {left:?} after {ended}");
            }
            (Goal::Runs(release, how), None) => {
                ensure!(ended.code == Some(0), "{ended}");
                ensure!(stage("alice") == Some("serving"), "{after:?} after {ended}");
                update::runs("alice", release, operator)
                    .and_then(|()| update::was_done_once("alice", how, operator))
                    .with_context(|| ended.to_string())?;
            }
            (Goal::Upgraded(name), None) => {
                ensure!(ended.code == Some(0), "{ended}");
                update::has_started_anew(name, operator).with_context(|| ended.to_string())?;
                ensure!(stage(name) == Some("serving"), "{after:?} after {ended}");
            }
            (Goal::Stays(name), None) => {
                ensure!(ended.code == Some(1), "{ended}");
                update::runs(name, OLD, operator).with_context(|| ended.to_string())?;
                let left = operator.run(&["reconcile"], self.variables)?;
                ensure!(left.code == Some(0), "{left}after {ended}");
            }
            (Goal::Governed(name), None) => {
                ensure!(ended.code == Some(0), "{ended}");
                update::is_governed(name, operator).with_context(|| ended.to_string())?;
            }
            (Goal::Ungoverned(name), None) => {
                ensure!(ended.code == Some(1), "{ended}");
                update::is_ungoverned(name, operator).with_context(|| ended.to_string())?;
            }
            (Goal::Baked, None) => {
                ensure!(ended.code == Some(0), "{ended}");
                let images: Value = serde_json::from_str(&operator.ok(&["image", "list", "--json"])?)?;
                let uses: Vec<&Value> =
                    images.as_array().into_iter().flatten().filter_map(|image| image.get("use")).collect();
                ensure!(uses == ["fits"], "{images} after {ended}");
            }
            (Goal::NoDrift, None) | (_, Some(_)) => {
                ensure!(ended.code == Some(0), "{ended}");
                ensure!(after.values().all(|stage| stage == "serving"), "{after:?} after {ended}");
                let left = operator.run(&["reconcile"], self.variables)?;
                ensure!(left.code == Some(0), "{left}after {ended}");
            }
        }
        if let Goal::Baked = self.goal {
            let servers = operator.all("/servers", "servers")?;
            ensure!(servers.is_empty(), "{servers:?} after {ended}");
        }
        self.same_servers(operator, &ended)
    }

    /// Every server of the cloud is one that the state knows, and the other way round.
    fn same_servers(&self, operator: &Operator<'_>, ended: &Ended) -> Result<()> {
        let list: Value = serde_json::from_str(&operator.ok(&["list", "--json"])?)?;
        let ids = |values: &[Value], pointer: &str| -> BTreeSet<u64> {
            values.iter().filter_map(|value| value.pointer(pointer)?.as_u64()).collect()
        };
        let known = ids(list.as_array().context("no list")?, "/server/id");
        let servers = operator.all("/servers", "servers")?;
        // nobody but `destroy --all` takes a stray away
        let of_instances: Vec<Value> =
            servers.into_iter().filter(|server| server.pointer("/labels/instance").is_some()).collect();
        let there = ids(&of_instances, "/id");
        ensure!(known == there, "the state knows {known:?}, the cloud has {there:?} after {ended}");
        Ok(())
    }
}
