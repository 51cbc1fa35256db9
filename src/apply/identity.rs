//! Steps that give a server a host key of its own, in place of the one that was injected at its birth, or of another of its own.

use anyhow::{Context as _, Result, ensure};

use super::instance::Done;
use super::line::{COMMAND, Line, server, target};
use super::{World, polling};
use crate::host::identity;
use crate::model::instance::{Instance, Outcome};
use crate::ssh::{Session, Target};

pub(super) async fn make(instance: &Instance, world: &World) -> Result<Done> {
    world.doing(instance, "letting it make a host key of its own");
    let target = target(instance, world)?;
    let server = server(instance)?;
    let command =
        if server.own_host_key { identity::make_next_host_key() } else { identity::make_host_key() };
    let output = world.stop.or(Line::new(&target).run(&command, &mut polling(COMMAND))).await?;
    let own = identity::parse_host_key(&output)?;
    let known = [&server.host_key].into_iter().chain(&server.birth_key).map(String::as_str);
    let signer = own.signed_by(known).map(str::to_owned);
    Ok(Done::new(Outcome::HostKeyMade { key: own.key, signer }, "host key made"))
}

pub(super) async fn switch(instance: &Instance, world: &World) -> Result<Done> {
    world.doing(instance, "letting it show its own host key");
    let target = target(instance, world)?;
    let own = server(instance)?.own_key_to_come();
    let mut pauses = polling(COMMAND);
    let output = world.stop.or(Line::new(&target).run(&identity::switch_host_key(own), &mut pauses)).await?;
    let shows = identity::parse_host_key(&output)?.key;
    ensure!(shows == own, "the server is to show {own}, and would show {shows}");
    world.stop.or(until_shown(own, &target)).await?;
    Ok(Done::new(Outcome::HostKeySwitched, "shows its own host key"))
}

/// Waits until a new session is shown the key. sshd takes a moment to take it up, and nobody is let in meanwhile.
async fn until_shown(own: &str, target: &Target) -> Result<()> {
    let mut pauses = polling(COMMAND);
    loop {
        let seen = match Session::connect(target).await {
            Ok(session) => {
                let is_shown = session.was_shown(own);
                session.close().await;
                if is_shown {
                    return Ok(());
                }
                "it shows the one before".to_owned()
            }
            Err(error) if error.is_final() => return Err(error.into()),
            Err(error) => error.to_string(),
        };
        pauses.pause().await.with_context(|| format!("the server does not show its own host key: {seen}"))?;
    }
}
