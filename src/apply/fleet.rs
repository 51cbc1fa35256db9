//! Steps for the fleet as a whole.

use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::adopt::{self, Made};
use super::{World, delete, dns, guard, keys};
use crate::hcloud::{Firewall, Rule, SshKey};
use crate::model::fleet::INSTANCE;
use crate::model::name::InstanceName;
use crate::model::observed::FirewallRule;
use crate::model::refusal::Refusal;
use crate::plan::FleetStep;
use crate::store::Lease;

/// Longest wait for a firewall to change or to become free.
const FIREWALL: Duration = Duration::from_secs(120);

/// Takes one step; the line that says what was done.
pub(super) async fn take(step: &FleetStep, lease: &Lease, world: &World) -> Result<String> {
    match step {
        FleetStep::CreateSshKey => {
            create_ssh_key(world).await.context("cannot make the fleet's SSH key known")
        }
        FleetStep::CreateFirewall(rules) => {
            create_firewall(rules, world).await.context("cannot create the firewall")
        }
        FleetStep::SetFirewallRules(id, rules) => {
            let actions = world
                .cloud
                .set_firewall_rules(*id, &of(rules))
                .await
                .context("cannot change the firewall")?;
            world.cloud.wait_for(actions, FIREWALL).await?;
            Ok("firewall rules changed".into())
        }
        FleetStep::UnprotectStrays(ids) => {
            let what = "cannot take the deletion protection off what belongs to no instance";
            guard::protection(ids, false, world).await.context(what)?;
            Ok("deletion protection taken off stray servers".into())
        }
        FleetStep::DeleteStrays(ids) => {
            delete::servers(ids, world).await?;
            Ok("stray servers deleted".into())
        }
        FleetStep::DeleteNames(names) => {
            for (zone, name) in names {
                dns::remove(zone, name, world)
                    .await
                    .with_context(|| format!("cannot remove {name}.{zone}"))?;
            }
            Ok("orphan names removed".into())
        }
        FleetStep::DeleteAddresses(ids) => {
            delete::addresses(ids, world).await.context("cannot delete an orphan address")?;
            Ok("orphan addresses deleted".into())
        }
        FleetStep::DeleteSnapshots(ids) => delete_snapshots(ids, world).await,
        FleetStep::DropFirewall(id, servers) => drop_firewall(*id, servers, world).await,
        FleetStep::DeleteFirewall(id) => delete_firewall(*id, world).await,
        FleetStep::DeleteSshKey(id) => {
            world.cloud.delete_ssh_key(*id).await.context("cannot delete the fleet's SSH key")?;
            Ok("SSH key deleted".into())
        }
        FleetStep::NoteKey(key) => keys::note(key, lease, world).await,
        FleetStep::UseKey(public) => keys::succeed(public, lease, world).await,
        FleetStep::SettleKeys => keys::settle(lease, world).await,
        FleetStep::ProveAbsence(names) => prove_absence(names, world).await,
    }
}

async fn create_ssh_key(world: &World) -> Result<String> {
    let fleet = world.store.fleet();
    let public = &format!("{} {}", world.keys.key.bare_public()?, fleet.common_name());
    let send =
        || async move { Ok(world.cloud.create_ssh_key(&fleet.common_name(), public, &fleet.labels()).await) };
    match adopt::once(send, || find_ssh_key(public, world)).await? {
        Made::New(key) => {
            world.shared.has_ssh_key(key.id);
            Ok("SSH key made known".into())
        }
        Made::Found(_) => Ok("SSH key found".into()),
    }
}

/// Name and key are both unique in a project: what has either of them is ours, or in the way.
async fn find_ssh_key(public: &str, world: &World) -> Result<Option<SshKey>> {
    let fleet = world.store.fleet();
    let same = |key: &SshKey| words(&key.public_key) == words(public);
    let keys = world.cloud.all_ssh_keys().await?;
    let Some(key) = keys.into_iter().find(|key| key.name == fleet.common_name() || same(key)) else {
        return Ok(None);
    };
    if fleet.owns(&key.labels) && same(&key) {
        return Ok(Some(key));
    }
    let (why, hint) = if fleet.owns(&key.labels) {
        ("has the fleet's labels, but is another key", "run `clawberth reconcile --apply`".to_owned())
    } else {
        (
            "has its name or is the same key, but has not the labels of this fleet",
            format!("delete key {} in the console", key.id),
        )
    };
    Err(Refusal::new("the fleet's SSH key is taken", hint).because(format!("key {} {why}", key.id)).into())
}

/// Type and key, without comment.
fn words(public: &str) -> Vec<&str> {
    public.split_whitespace().take(2).collect()
}

async fn create_firewall(rules: &[FirewallRule], world: &World) -> Result<String> {
    let fleet = world.store.fleet();
    let rules = &of(rules);
    let send =
        || async move { Ok(world.cloud.create_firewall(&fleet.common_name(), &fleet.labels(), rules).await) };
    match adopt::once(send, || find_firewall(world)).await? {
        Made::New(firewall) => {
            world.shared.has_firewall(firewall.id);
            Ok("firewall created".into())
        }
        Made::Found(_) => Ok("firewall found".into()),
    }
}

/// Looks up the unique name: ours, absent, or somebody else's.
async fn find_firewall(world: &World) -> Result<Option<Firewall>> {
    let fleet = world.store.fleet();
    let name = fleet.common_name();
    match world.cloud.firewall_by_name(&name).await? {
        Some(found) if !fleet.owns(&found.labels) => {
            let hint = format!("rename or delete firewall {} in the console", found.id);
            let why = format!("firewall {} has that name, but not the labels of this fleet", found.id);
            Err(Refusal::new(format!("the name {name} is taken"), hint).because(why).into())
        }
        found => Ok(found),
    }
}

async fn delete_firewall(id: u64, world: &World) -> Result<String> {
    adopt::when_free(FIREWALL, || world.cloud.delete_firewall(id))
        .await
        .context("cannot delete the firewall")?;
    Ok("firewall deleted".into())
}

/// Takes a firewall that is one too many off its servers first: while it is applied, it cannot be deleted.
async fn drop_firewall(id: u64, servers: &[u64], world: &World) -> Result<String> {
    let mut actions = Vec::new();
    for server in servers {
        actions.extend(adopt::when_free(FIREWALL, || world.cloud.remove_firewall(id, *server)).await?);
    }
    world.cloud.wait_for(actions, FIREWALL).await?;
    delete_firewall(id, world).await
}

async fn delete_snapshots(ids: &[u64], world: &World) -> Result<String> {
    for id in ids {
        adopt::when_free(FIREWALL, || world.cloud.delete_image(*id))
            .await
            .with_context(|| format!("cannot delete snapshot {id}"))?;
    }
    Ok("snapshots deleted".into())
}

async fn prove_absence(names: &[InstanceName], world: &World) -> Result<String> {
    let selector = world.store.fleet().selector();
    let selectors = match names {
        [] => vec![selector.clone()],
        _ => names.iter().map(|name| format!("{selector},{INSTANCE}={name}")).collect(),
    };
    for selector in &selectors {
        for server in world.cloud.servers(selector).await? {
            // lists still show for a while what was deleted
            let left = world.cloud.server(server.id).await?;
            ensure!(left.is_none(), "server {} ({}) is still there", server.name, server.id);
        }
    }
    if names.is_empty() {
        let (firewalls, keys) =
            tokio::try_join!(world.cloud.firewalls(&selector), world.cloud.ssh_keys(&selector))?;
        for firewall in firewalls {
            let left = world.cloud.firewall(firewall.id).await?;
            ensure!(left.is_none(), "firewall {} is still there", firewall.id);
        }
        for key in keys {
            ensure!(world.cloud.ssh_key(key.id).await?.is_none(), "SSH key {} is still there", key.id);
        }
    }
    Ok("nothing of it is left at Hetzner".into())
}

fn of(rules: &[FirewallRule]) -> Vec<Rule> {
    rules.iter().map(rule).collect()
}

fn rule(rule: &FirewallRule) -> Rule {
    let description = match rule.port.as_deref() {
        Some("443") => "gateway",
        Some("22") => "admin networks",
        Some(_) | None => "clawberth",
    };
    Rule {
        direction: rule.direction.clone(),
        protocol: rule.protocol.clone(),
        port: rule.port.clone(),
        source_ips: rule.sources.clone(),
        description: Some(description.to_owned()),
    }
}
