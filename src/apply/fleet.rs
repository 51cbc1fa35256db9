//! Steps for the fleet as a whole.

use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::{World, delete, polling};
use crate::hcloud::{Error, Rule};
use crate::model::fleet::INSTANCE;
use crate::model::name::InstanceName;
use crate::model::observed::FirewallRule;
use crate::plan::FleetStep;

/// Longest wait for a firewall to change or to become free.
const FIREWALL: Duration = Duration::from_secs(120);

/// Takes one step; the line that says what was done.
pub(super) async fn take(step: &FleetStep, world: &World) -> Result<String> {
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
        FleetStep::DeleteStrays(ids) => {
            delete::servers(ids, world).await?;
            Ok("stray servers deleted".into())
        }
        FleetStep::DeleteFirewall(id) => delete_firewall(*id, world).await,
        FleetStep::DeleteSshKey(id) => {
            world.cloud.delete_ssh_key(*id).await.context("cannot delete the fleet's SSH key")?;
            Ok("SSH key deleted".into())
        }
        FleetStep::ProveAbsence(names) => prove_absence(names, world).await,
    }
}

async fn create_ssh_key(world: &World) -> Result<String> {
    let fleet = world.store.fleet();
    let created =
        world.cloud.create_ssh_key(&fleet.common_name(), &world.key.public_text()?, &fleet.labels()).await;
    match created {
        Ok(_) => Ok("SSH key made known".into()),
        Err(error) => {
            let ours = world.cloud.ssh_keys(&fleet.selector()).await?;
            if ours.iter().any(|key| key.name == fleet.common_name()) {
                return Ok("SSH key found".into());
            }
            Err(error.into())
        }
    }
}

async fn create_firewall(rules: &[FirewallRule], world: &World) -> Result<String> {
    let fleet = world.store.fleet();
    match world.cloud.create_firewall(&fleet.common_name(), &fleet.labels(), &of(rules)).await {
        Ok(_) => Ok("firewall created".into()),
        Err(error) => {
            // the answer may have been lost after the firewall was made
            let ours = world.cloud.firewalls(&fleet.selector()).await?;
            match ours.into_iter().find(|firewall| firewall.name == fleet.common_name()) {
                Some(_) => Ok("firewall found".into()),
                None => Err(error.into()),
            }
        }
    }
}

async fn delete_firewall(id: u64, world: &World) -> Result<String> {
    let mut pauses = polling(FIREWALL);
    loop {
        match world.cloud.delete_firewall(id).await {
            Ok(()) => return Ok("firewall deleted".into()),
            Err(Error::Api(api)) if api.code == "resource_in_use" => {
                pauses.pause().await.context("the firewall is still in use")?;
            }
            Err(error) => return Err(anyhow::Error::new(error).context("cannot delete the firewall")),
        }
    }
}

async fn prove_absence(names: &[InstanceName], world: &World) -> Result<String> {
    let selector = world.store.fleet().selector();
    let selectors = match names {
        [] => vec![selector.clone()],
        _ => names.iter().map(|name| format!("{selector},{INSTANCE}={name}")).collect(),
    };
    for selector in &selectors {
        let left = world.cloud.servers(selector).await?;
        if let Some(server) = left.first() {
            bail!("server {} ({}) is still listed", server.name, server.id);
        }
    }
    if names.is_empty() {
        let (firewalls, keys) =
            tokio::try_join!(world.cloud.firewalls(&selector), world.cloud.ssh_keys(&selector))?;
        if !firewalls.is_empty() || !keys.is_empty() {
            bail!("{} firewalls and {} SSH keys of the fleet are still listed", firewalls.len(), keys.len());
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
