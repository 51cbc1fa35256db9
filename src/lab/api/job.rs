//! The work behind actions. What is to be done follows from the action alone, so that a lab that was killed in the
//! middle does it again; all that machines are asked for is safe to ask twice.

use anyhow::Result;

use super::Cloud;
use super::action::{Action, Command};
use super::error::ApiError;
use super::image::Image;
use super::server::{Server, ServerStatus};
use super::world::World;
use super::{firewall, network, private_net, server, snapshot, volume};

/// Begins an action's work, unless the lab is being halted: then the next start does it.
pub(crate) fn begin(cloud: &Cloud, id: u64) {
    let Some(busy) = cloud.busy() else {
        return;
    };
    let cloud = cloud.clone();
    tokio::spawn(async move {
        let action = cloud.read(|world| world.actions.get(id).cloned());
        if let Some(action) = action {
            run(&cloud, &action).await;
        }
        drop(busy);
    });
}

async fn run(cloud: &Cloud, action: &Action) {
    let delay = cloud.read(|world| world.delays.of(action.command)) + action.fault.delay;
    let (outcome, ()) = tokio::join!(work_or_fail(cloud, action), tokio::time::sleep(delay));
    if let Err(error) = &outcome {
        tracing::error!("action {} ({:?}) failed: {error:#}", action.id, action.command);
    }
    let outcome = outcome.map_err(|error| format!("{error:#}"));
    let success = outcome.is_ok();
    let saved = cloud
        .change(|world| {
            let settled = settle(world, action, success);
            world.finish(action.id, outcome);
            settled
        })
        .await;
    if success && saved.is_ok() && action.command == Command::ShutdownServer {
        power_down(cloud, action).await;
    }
}

/// Does an action's work, or instead of it what its fault wants.
async fn work_or_fail(cloud: &Cloud, action: &Action) -> Result<()> {
    let Some((_, why)) = &action.fault.error else {
        return work(cloud, action).await;
    };
    if let Some(id) = action.target::<Server>().filter(|_| leaves_off(action.command)) {
        cloud.machines().stop(id).await?;
    }
    anyhow::bail!("{why}")
}

/// What is done outside the API's memory.
async fn work(cloud: &Cloud, action: &Action) -> Result<()> {
    let server = action.target::<Server>();
    match (action.command, server) {
        (Command::CreateServer, Some(id)) => create(cloud, id).await,
        (Command::StartServer, Some(id)) => start(cloud, id).await,
        (Command::StopServer, Some(id)) => cloud.machines().stop(id).await,
        (Command::RebootServer | Command::ResetServer, Some(id)) => {
            cloud.machines().stop(id).await?;
            start(cloud, id).await
        }
        (Command::RebuildServer, Some(id)) => {
            cloud.machines().erase(id).await?;
            start(cloud, id).await
        }
        // its machine has all that this computer has, before and after
        (Command::ChangeServerType, Some(id)) => start(cloud, id).await,
        (Command::DeleteServer, Some(id)) => cloud.machines().delete(id).await,
        (Command::CreateImage, Some(id)) => match action.target::<Image>() {
            Some(image) => cloud.machines().snapshot(id, image).await,
            None => anyhow::bail!("it names no image"),
        },
        (
            Command::AttachVolume
            | Command::DetachVolume
            | Command::AttachToNetwork
            | Command::DetachFromNetwork
            | Command::ChangeAliasIps,
            Some(id),
        ) => connect(cloud, id).await,
        (Command::AddRoute | Command::DeleteRoute | Command::ChangeIpRange, _) => {
            for id in cloud.read(|world| network::machines_of(world, action)) {
                connect(cloud, id).await?;
            }
            Ok(())
        }
        (Command::ApplyFirewall | Command::RemoveFirewall | Command::SetFirewallRules, _) => {
            for id in cloud.read(|world| firewall::servers_of(world, action)) {
                cloud.refilter(id).await?;
            }
            Ok(())
        }
        // sent with the shutdown's success, see `power_down`; the rest lives in memory only
        _ => Ok(()),
    }
}

/// Makes a server's machine, filtered from its first moment on.
pub(crate) async fn create(cloud: &Cloud, id: u64) -> Result<()> {
    if let Some(spec) = cloud.read(|world| server::machine_spec(world, id)) {
        cloud.machines().create(&spec).await?;
        cloud.filter(id).await?;
    }
    Ok(())
}

/// Boots a server's machine; makes it before, as its network may be gone since (`lab down`) or have changed.
pub(crate) async fn start(cloud: &Cloud, id: u64) -> Result<()> {
    create(cloud, id).await?;
    if let Some(spec) = cloud.read(|world| server::machine_spec(world, id)) {
        cloud.machines().start(&spec).await?;
    }
    Ok(())
}

/// Gives a machine the volumes and networks that it has in memory.
async fn connect(cloud: &Cloud, id: u64) -> Result<()> {
    match cloud.read(|world| server::machine_spec(world, id)) {
        Some(spec) => cloud.machines().connect(&spec).await,
        None => Ok(()),
    }
}

/// Whether a server is off when this fails, see `settle`.
fn leaves_off(command: Command) -> bool {
    matches!(
        command,
        Command::RebootServer | Command::ResetServer | Command::RebuildServer | Command::DeleteServer
    )
}

/// Connects servers anew that a request without an action has disconnected. What fails is logged; the next start of
/// the server does it again.
pub(crate) fn reconnect(cloud: &Cloud, servers: Vec<u64>) {
    let own = cloud.clone();
    afterwards(cloud, async move {
        for id in servers {
            let connected = match own.read(|world| server::has_machine(world, id)) {
                true => connect(&own, id).await,
                false => Ok(()),
            };
            if let Err(error) = connected {
                tracing::error!("server {id} was not connected anew: {error:#}");
            }
        }
    });
}

/// Removes what a deleted volume held.
pub(crate) fn remove_volume(cloud: &Cloud, id: u64) {
    let own = cloud.clone();
    afterwards(cloud, async move {
        if let Err(error) = own.machines().remove_volume(id).await {
            tracing::error!("what volume {id} held was not removed: {error:#}");
        }
    });
}

/// Removes what machines keep for snapshots that are no more.
pub(crate) fn remove_snapshots(cloud: &Cloud, snapshots: Vec<u64>) {
    if snapshots.is_empty() {
        return;
    }
    let own = cloud.clone();
    afterwards(cloud, async move {
        for id in snapshots {
            if let Err(error) = own.machines().remove_snapshot(id).await {
                tracing::error!("snapshot {id} was not removed: {error:#}");
            }
        }
    });
}

/// Does what the answer of a request does not wait for, but a halt does.
fn afterwards(cloud: &Cloud, work: impl Future<Output = ()> + Send + 'static) {
    if let Some(busy) = cloud.busy() {
        tokio::spawn(async move {
            work.await;
            drop(busy);
        });
    }
}

/// What the end of an action changes in memory.
fn settle(world: &mut World, action: &Action, success: bool) -> Result<(), ApiError> {
    volume::settle(world, action, success)?;
    private_net::settle(world, action, success)?;
    let Some(server) = action.target::<Server>().filter(|id| world.servers.get(*id).is_some()) else {
        return Ok(());
    };
    match (action.command, success) {
        (Command::CreateServer, true) if starts_next(world, action) => {
            set(world, server, ServerStatus::Starting)
        }
        (Command::CreateServer | Command::StopServer, true)
        | (Command::CreateServer | Command::StartServer, false)
        | (Command::RebootServer | Command::ResetServer | Command::RebuildServer, false)
        | (Command::ChangeServerType, false)
        // still there, to be deleted again
        | (Command::DeleteServer, false) => set(world, server, ServerStatus::Off),
        (Command::StartServer | Command::RebootServer | Command::ResetServer, true)
        | (Command::RebuildServer | Command::ChangeServerType, true) => {
            world.servers.find_mut(server)?.rescue_enabled = false;
            set(world, server, ServerStatus::Running)
        }
        (Command::StopServer, false) => set(world, server, ServerStatus::Running),
        (Command::CreateImage, _) => {
            action.target::<Image>().into_iter().for_each(|image| snapshot::settle(world, image, success));
            Ok(())
        }
        (Command::DeleteServer, true) => server::forget(world, server),
        (Command::ShutdownServer, true) => {
            world.servers.find_mut(server)?.shutting_down = true;
            Ok(())
        }
        _ => Ok(()),
    }
}

fn starts_next(world: &World, action: &Action) -> bool {
    let next = action.then.and_then(|id| world.actions.get(id));
    next.is_some_and(|next| next.command == Command::StartServer)
}

fn set(world: &mut World, server: u64, status: ServerStatus) -> Result<(), ApiError> {
    world.servers.find_mut(server)?.status = status;
    Ok(())
}

/// What follows a shutdown's success, which only says that the signal was sent.
async fn power_down(cloud: &Cloud, action: &Action) {
    if let Some(id) = action.target::<Server>() {
        finish_shutdown(cloud, id).await;
    }
}

/// Waits until a server that was told to shut down is off.
pub(crate) async fn finish_shutdown(cloud: &Cloud, id: u64) {
    if let Err(error) = cloud.machines().stop(id).await {
        tracing::error!("server {id} did not shut down: {error:#}");
    }
    let saved = cloud
        .change(|world| {
            if let Some(server) = world.servers.get_mut(id) {
                server.shutting_down = false;
                server.status = ServerStatus::Off;
            }
            Ok(())
        })
        .await;
    if saved.is_err() {
        tracing::error!("server {id} is off, but this could not be written down");
    }
}
