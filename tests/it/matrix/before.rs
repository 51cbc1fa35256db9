//! What the commands of the scenes find.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use clawberth::apply::Point;
use clawberth::registry::Catalogue;
use serde_json::{Value, json};

use super::update::{NEW, OLD};
use crate::bed::Operator;

/// How a host comes to run another release, and what a set-up does against that; a host that wants to start anew after its
/// updates; and one on which the new release is no good.
pub(super) fn script() -> Result<String> {
    let newest = Catalogue::built_in()?.newest().openclaw;
    Ok(format!(
        "[update]\nstage = '0s'\nrehearse = '0s'\npatience = '4s'\n\
         [[rule]]\nmatch = '^true 2026\\.9\\.5$'\nset = {{ version = '2026.9.5' }}\n\
         [[rule]]\nmatch = '^sh -c .apt-get -qq update && unattended'\nset = {{ reboot_required = 'yes' }}\n\
         [[rule]]\nmatch = '^systemd-run .*/setup$'\nset = {{ version = '{newest}' }}\ndo = 'set-up'\n\
         [[fault]]\nkind = 'exec_fails'\nhosts = 'cb-*-lawless'\nmatch = 'sh look'\nstderr = 'no luck'\n\
         [[fault]]\nkind = 'broken'\nhosts = 'cb-*-broken'\npart = 'gate'\nafter = '1s'\nversion = '{NEW}'\nlog = 'no luck'\n"
    ))
}

pub(super) fn nothing(_: &Operator<'_>) -> Result<()> {
    Ok(())
}

pub(super) fn zone(operator: &Operator<'_>) -> Result<()> {
    operator.api.ask("POST", "/zones", Some(&json!({ "name": "example.org", "mode": "primary" }))).map(drop)
}

pub(super) fn alice(operator: &Operator<'_>) -> Result<()> {
    operator.ok(&["deploy", "alice", "--yes"]).map(drop)
}

pub(super) fn standby(operator: &Operator<'_>) -> Result<()> {
    operator.ok(&["pool", "fill", "--size", "1", "--yes"]).map(drop)
}

pub(super) fn alice_by_name(operator: &Operator<'_>) -> Result<()> {
    zone(operator)?;
    operator.ok(&["deploy", "alice", "--domain", "example.org", "--yes"]).map(drop)
}

pub(super) fn alice_and_bob(operator: &Operator<'_>) -> Result<()> {
    operator.ok(&["deploy", "alice", "bob", "--yes"]).map(drop)
}

pub(super) fn interrupted_create(operator: &Operator<'_>) -> Result<()> {
    let mut deploy = operator.start_to(&["deploy", "alice", "--yes"], "create", Point::AfterAct, &[])?;
    deploy.until_stopped()?;
    deploy.kill().map(drop)
}

/// The create was never sent, which nobody can know.
pub(super) fn create_that_was_not_sent(operator: &Operator<'_>) -> Result<()> {
    let mut deploy = operator.start_to(&["deploy", "alice", "--yes"], "create", Point::AfterIntent, &[])?;
    deploy.until_stopped()?;
    deploy.kill().map(drop)
}

pub(super) fn switched_off(operator: &Operator<'_>) -> Result<()> {
    alice(operator)?;
    let id = server(operator)?.0;
    operator.api.ask("POST", &format!("/servers/{id}/actions/poweroff"), None)?;
    // the action ends a moment later, on a busy computer a long one
    let late = Instant::now() + Duration::from_secs(30);
    while operator.api.ask("GET", &format!("/servers/{id}"), None)?.pointer("/server/status")
        != Some(&json!("off"))
    {
        ensure!(Instant::now() < late, "the server is not switched off");
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// One who is so old that her server is to be protected.
pub(super) fn alice_of_old(operator: &Operator<'_>) -> Result<()> {
    let ended = operator.run(&["deploy", "alice", "--yes"], &[("CLAWBERTH_NOW", "2026-01-01T00:00:00Z")])?;
    ensure!(ended.code == Some(0), "{ended}");
    Ok(())
}

/// Her server is protected from deletion.
pub(super) fn protected(operator: &Operator<'_>) -> Result<()> {
    alice(operator)?;
    protect(server(operator)?.0, operator)
}

/// And so is one that belongs to no instance.
pub(super) fn protected_stray(operator: &Operator<'_>) -> Result<()> {
    alice_and_a_stray(operator)?;
    let servers = operator.all("/servers", "servers")?;
    servers.iter().filter_map(|server| server.get("id")?.as_u64()).try_for_each(|id| protect(id, operator))
}

/// Protects a server, as soon as nothing else is done to it.
fn protect(id: u64, operator: &Operator<'_>) -> Result<()> {
    let path = format!("/servers/{id}/actions/change_protection");
    let late = Instant::now() + Duration::from_secs(30);
    while let Err(error) = operator.api.ask("POST", &path, Some(&json!({ "delete": true, "rebuild": true })))
    {
        ensure!(Instant::now() < late, "the server cannot be protected: {error:#}");
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// A server with the fleet's label that belongs to no instance.
pub(super) fn alice_and_a_stray(operator: &Operator<'_>) -> Result<()> {
    alice(operator)?;
    foreign(operator, "stray", &labels(operator, None)?)
}

/// A server with the name of an instance that the state does not know.
pub(super) fn orphan_server(operator: &Operator<'_>) -> Result<()> {
    alice(operator)?;
    foreign(operator, "ghost", &labels(operator, Some("ghost"))?)
}

pub(super) fn missing_server(operator: &Operator<'_>) -> Result<()> {
    alice(operator)?;
    let id = server(operator)?.0;
    operator.api.ask("DELETE", &format!("/servers/{id}"), None).map(drop)
}

pub(super) fn wrong_labels(operator: &Operator<'_>) -> Result<()> {
    alice(operator)?;
    let (id, labels) = server(operator)?;
    let fleet = labels.get("fleet").context("a server without a fleet")?;
    let wrong = json!({ "labels": { "fleet": fleet, "team": "red" } });
    operator.api.ask("PUT", &format!("/servers/{id}"), Some(&wrong)).map(drop)
}

pub(super) fn firewall_taken_off(operator: &Operator<'_>) -> Result<()> {
    alice(operator)?;
    let firewalls = operator.all("/firewalls", "firewalls")?;
    let firewall = firewalls.first().and_then(|firewall| firewall.get("id")).context("no firewall")?;
    let places = json!({ "remove_from": [{ "type": "server", "server": { "id": server(operator)?.0 } }] });
    let path = format!("/firewalls/{firewall}/actions/remove_from_resources");
    operator.api.ask("POST", &path, Some(&places)).map(drop)
}

pub(super) fn second_firewall(operator: &Operator<'_>) -> Result<()> {
    alice(operator)?;
    let places = json!([{ "type": "server", "server": { "id": server(operator)?.0 } }]);
    let labels = labels(operator, None)?;
    let second = json!({ "name": "second", "labels": labels, "rules": [], "apply_to": places });
    operator.api.ask("POST", "/firewalls", Some(&second)).map(drop)
}

pub(super) fn orphan_name(operator: &Operator<'_>) -> Result<()> {
    alice_by_name(operator)?;
    let labels = labels(operator, Some("ghost"))?;
    let set =
        json!({ "name": "ghost", "type": "A", "records": [{ "value": "192.0.2.1" }], "labels": labels });
    operator.api.ask("POST", "/zones/example.org/rrsets", Some(&set)).map(drop)
}

pub(super) fn loose_address(operator: &Operator<'_>) -> Result<()> {
    alice(operator)?;
    let labels = labels(operator, None)?;
    let address = json!({ "name": "loose", "type": "ipv4", "location": "fsn1", "labels": labels });
    operator.api.ask("POST", "/primary_ips", Some(&address)).map(drop)
}

pub(super) fn snapshot(operator: &Operator<'_>) -> Result<()> {
    alice(operator)?;
    let id = server(operator)?.0;
    let image = json!({ "type": "snapshot", "description": "old", "labels": labels(operator, None)? });
    operator.api.ask("POST", &format!("/servers/{id}/actions/create_image"), Some(&image)).map(drop)
}

/// With the old release.
pub(super) fn old_alice(operator: &Operator<'_>) -> Result<()> {
    operator.ok(&["deploy", "alice", "--version", OLD, "--yes"]).map(drop)
}

/// One with the old release, on whose server the new one is no good.
pub(super) fn old_broken(operator: &Operator<'_>) -> Result<()> {
    operator.ok(&["deploy", "broken", "--version", OLD, "--yes"]).map(drop)
}

pub(super) fn updated_alice(operator: &Operator<'_>) -> Result<()> {
    old_alice(operator)?;
    operator.ok(UPDATE).map(drop)
}

/// Makes an image.
pub(super) const BAKE: &[&str] = &["image", "bake", "--yes"];

/// The one who made it was killed while Hetzner was still at it, and after it was told so: what a list shows is not answered yet, and
/// that answer would be taken for one to whoever comes next.
pub(super) fn half_an_image(operator: &Operator<'_>) -> Result<()> {
    let slow = json!({ "kind": "action_slow", "command": "create_image", "delay": "20s" });
    let fault = operator.api.fault(slow)?;
    let bake = operator.start(BAKE, &[])?;
    let late = Instant::now() + Duration::from_secs(60);
    let is_answered = || -> Result<bool> {
        let create = "POST /servers/{id}/actions/create_image";
        Ok(operator.requests()?.iter().any(|request| request.what() == create))
    };
    while !is_answered()? {
        ensure!(Instant::now() < late, "no image is begun");
        std::thread::sleep(Duration::from_millis(10));
    }
    bake.kill()?;
    operator.api.lift(fault)
}

/// Brings her to the new release.
pub(super) const UPDATE: &[&str] = &["update", "alice", "--version", NEW, "--bake", "0s", "--yes"];

/// What is to hold for all, with a secret.
pub(super) fn policy(operator: &Operator<'_>) -> Result<()> {
    operator.write("key", "sk-canary\n")?;
    operator.write("clawberth.toml", "[policy]\ntools = 'minimal'\nproviders.openai.key = 'file:key'\n")
}

/// She was deployed before there was a policy.
pub(super) fn ungoverned(operator: &Operator<'_>) -> Result<()> {
    old_alice(operator)?;
    policy(operator)
}

/// One whose gateway does not bear any policy.
pub(super) fn lawless(operator: &Operator<'_>) -> Result<()> {
    operator.ok(&["deploy", "lawless", "--version", OLD, "--yes"])?;
    policy(operator)
}

/// The server has kept the new release, and the state does not know.
pub(super) fn cut_off_update(operator: &Operator<'_>) -> Result<()> {
    killed_update("keep", operator)
}

/// The new release is on trial.
pub(super) fn update_on_trial(operator: &Operator<'_>) -> Result<()> {
    killed_update("switch", operator)
}

fn killed_update(step: &str, operator: &Operator<'_>) -> Result<()> {
    old_alice(operator)?;
    let mut update = operator.start_to(UPDATE, step, Point::AfterAct, &[])?;
    update.until_stopped()?;
    update.kill().map(drop)
}

pub(super) fn other_release(operator: &Operator<'_>) -> Result<()> {
    run_another_release("alice", operator)
}

/// Deploys one, and then somebody changes the host by hand.
pub(super) fn run_another_release(instance: &str, operator: &Operator<'_>) -> Result<()> {
    operator.ok(&["deploy", instance, "--yes"])?;
    operator.ok(&["ssh", instance, "--", "true", "2026.9.5"]).map(drop)
}

/// The one server: its id and labels.
fn server(operator: &Operator<'_>) -> Result<(u64, Value)> {
    let servers = operator.all("/servers", "servers")?;
    let server = servers.first().context("there is no server")?;
    let id = server.get("id").and_then(Value::as_u64).context("a server without an id")?;
    Ok((id, server.get("labels").cloned().unwrap_or_default()))
}

/// The labels of the fleet, as whoever has its token can set them.
fn labels(operator: &Operator<'_>, instance: Option<&str>) -> Result<Value> {
    let fleet = server(operator)?.1.get("fleet").cloned().context("a server without a fleet")?;
    let mut labels = json!({ "managed-by": "clawberth", "fleet": fleet });
    if let (Some(fields), Some(name)) = (labels.as_object_mut(), instance) {
        fields.insert("instance".to_owned(), name.into());
    }
    Ok(labels)
}

fn foreign(operator: &Operator<'_>, name: &str, labels: &Value) -> Result<()> {
    let server = json!({
        "name": name, "server_type": "cx23", "image": "debian-13", "location": "fsn1", "labels": labels,
    });
    operator.api.ask("POST", "/servers", Some(&server)).map(drop)
}
